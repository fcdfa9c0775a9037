"""Several releases on one clock: which revision answered when, and which release was on meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from deployctl.render import words
from deployctl.render.answers import Answers
from deployctl.render.cells import Glyphs, Row, Segment, axis, cut, style_of
from deployctl.render.timeline import Timeline

STYLES = ("stable", "preview", "wait")  # by the order in which revisions first answered


@dataclass(frozen=True, slots=True)
class Overview:
    """`of` are the releases in their order, `seen` is what the clients of each app saw."""

    of: Sequence[Timeline]
    seen: Mapping[str, Answers]

    @property
    def began(self) -> float:
        firsts = [min(one.by_tenth[each]) / 10 for one in self.seen.values() for each in one.revisions]
        return min((*firsts, *(one.began for one in self.of)))

    @property
    def seconds(self) -> float:
        lasts = [max(one.by_tenth[each]) / 10 for one in self.seen.values() for each in one.revisions]
        return max((*lasts, *(one.began + one.seconds for one in self.of))) - self.began

    @property
    def apps(self) -> list[str]:
        return list(dict.fromkeys((*(one.app for one in self.of), *self.seen)))

    def releases(self, app: str) -> list[tuple[int, Timeline]]:
        """Give an app's releases with their numbers among all."""
        return [(number, one) for number, one in enumerate(self.of, 1) if one.app == app]

    def rows(self, width: int, glyphs: Glyphs) -> list[Row]:
        """Draw it for a terminal, and below it how each release ended."""
        columns = max(20, width - self._margin - 1)
        rows: list[Row] = [[self._label("time"), (axis(self.seconds, columns), "dim")]]
        for app in self.apps:
            rows.append([self._label(app), (self._brackets(app, columns, glyphs), "bold")])
            rows += self._answers(app, columns, glyphs)
        return [cut(row, width, glyphs.more) for row in [*rows, [], *self._ends()]]

    @property
    def _margin(self) -> int:
        return 2 + max(8, *(len(app) for app in self.apps))

    def _label(self, text: str) -> Segment:
        return text.ljust(self._margin), "dim"

    def _brackets(self, app: str, columns: int, glyphs: Glyphs) -> str:
        """Draw each release as a bracket with its number."""
        line = ""
        for number, one in self.releases(app):
            began = int((one.began - self.began) / self.seconds * columns)
            size = max(3, round(one.seconds / self.seconds * columns))
            line = line.ljust(began) + glyphs.left + str(number).center(size - 2, glyphs.line) + glyphs.right
        return line

    def _answers(self, app: str, columns: int, glyphs: Glyphs) -> Iterator[Row]:
        seen, wide = self.seen.get(app, Answers()), self.seconds / columns
        began = [self.began + column * wide for column in range(columns)]
        rates = {one: [seen.rate(one, at, at + wide) for at in began] for one in seen.revisions}
        most = max((max(each) for each in rates.values()), default=1.0) or 1.0
        for number, (revision, each) in enumerate(rates.items()):
            bars = "".join(glyphs.bar(one / most) for one in each)
            style = STYLES[number % len(STYLES)]
            yield [self._label(f"  {seen.names.get(revision, revision)}"), (bars, style)]

    def _ends(self) -> Iterator[Row]:
        for number, one in enumerate(self.of, 1):
            ends = f"{one.ended} after {words.age(one.seconds)}"
            yield [
                (f"{number:>3}  ", "bold"),
                (f"{ends:<26}", style_of(one.outcome)),
                (one.title or one.app, ""),
            ]
