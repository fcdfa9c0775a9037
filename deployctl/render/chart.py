"""A timeline in the terminal: who had the traffic, which pods were ready, what the gates said, what moved when."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from deployctl.render import words
from deployctl.render.answers import FINEST_SECONDS, Answers, grouped
from deployctl.render.cells import (
    LABEL_WIDTH,
    UNICODE,
    Glyphs,
    Row,
    Segment,
    axis,
    cut,
    label,
    size,
    style_of,
)
from deployctl.render.timeline import Moment, Span, Timeline

NARROWEST = 40
AREA_ROWS = 3
NUMBERS = "123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Chart:
    """Draws one timeline in columns of equal time."""

    of: Timeline
    width: int = 80
    glyphs: Glyphs = UNICODE

    def rows(self) -> list[Row]:
        """Give all rows, none wider than the width (40 at the least)."""
        if not self.of.moments:
            return [[(self.of.title or self.of.app, "bold"), ("  nothing happened", "")]]
        rows = [*self._head(), *self.picture(), *self._marks()]
        return [cut(row, self._width, self.glyphs.more) for row in rows]

    def picture(self) -> list[Row]:
        """Give the rows that are drawn, without what happened in words."""
        rows = [
            self._axis(),
            *self._share(),
            self._count("stable", lambda one: one.stable.ready),
            self._count("preview", lambda one: one.preview.ready),
            *self._requests(),
            *self._gates(),
            *self._waits(),
        ]
        return [cut(row, self._width, self.glyphs.more) for row in rows]

    @property
    def _width(self) -> int:
        return max(NARROWEST, self.width)

    @property
    def _columns(self) -> int:
        return self._width - LABEL_WIDTH - 1

    @property
    def _seconds(self) -> float:
        """How long one column is."""
        return max(self.of.seconds, 0.1) / self._columns

    def _column(self, at: float) -> int:
        return max(0, min(self._columns - 1, int(at / self._seconds)))

    def _moments(self) -> list[Moment]:
        """Give what was so at the end of each column: the last one shows how it ended."""
        found = (self.of.at((column + 1) * self._seconds) for column in range(self._columns))
        return [one for one in found if one]

    def _head(self) -> Iterator[Row]:
        if self.of.title:
            yield [(self.of.title, "bold")]
        stable, preview = (self._named(one) for one in self.of.revisions)
        sides: Row = [(stable, "stable"), (f" {self.glyphs.arrow} ", ""), (preview, "preview")]
        end: Row = [
            (f"   {self.of.ended}", style_of(self.of.outcome)),
            (f" after {words.age(self.of.seconds)}", ""),
        ]
        yield [(self.of.app, "bold"), ("   ", ""), *sides, *(end if self.of.outcome else [])]

    def _named(self, revision: str) -> str:
        name = self.of.answers.names.get(revision) if self.of.answers else None
        return f"{name} {revision}" if name and name != revision else revision or "none"

    def _axis(self) -> Row:
        return [label("time"), (axis(self.of.seconds, self._columns), "dim")]

    def _share(self) -> Iterator[Row]:
        """Draw the preview's share of new connections as an area over stable's, with its numbers above."""
        moments = self._moments()
        yield [label("traffic"), (self._steps([f"{one.share}%" for one in moments]), "")]
        for row in range(AREA_ROWS, 0, -1):
            above = 100 * (row - 0.5) / AREA_ROWS
            yield [label(""), *self._level([one.share >= above for one in moments])]

    def _level(self, previews: Sequence[bool]) -> Iterator[Segment]:
        """Draw one row of the area: where it is the preview's and where it is stable's."""
        for preview, run in groupby(previews):
            glyph, style = (self.glyphs.preview, "preview") if preview else (self.glyphs.stable, "stable")
            yield glyph * len(list(run)), style

    def _count(self, side: str, of: Callable[[Moment], int]) -> Row:
        return [label(side), (self._steps([str(of(one)) for one in self._moments()]), side)]

    def _steps(self, values: Sequence[str]) -> str:
        """Write each value where it begins, and a line for as long as it stays."""
        line = ""
        for value, run in groupby(values):
            size = len(list(run))
            line += (
                value[:size].ljust(size, self.glyphs.line) if len(value) <= size else self.glyphs.dot * size
            )
        return line

    def _requests(self) -> Iterator[Row]:
        """Draw the answers a second of each revision, as clients saw them, and what failed."""
        seen = self.of.answers
        if seen is None:
            return
        rates = {one: self._rates(seen, one) for one in seen.revisions}
        most = max((max(each) for each in rates.values()), default=1.0) or 1.0
        for revision, each in rates.items():
            style = "preview" if revision == self.of.revisions[1] else "stable"
            bars = "".join(self.glyphs.bar(one / most) for one in each)
            yield [label(f"{seen.names.get(revision, revision)}/s"), (bars, style)]
        style = "no" if seen.failed else "yes"
        yield [
            label("clients"),
            (f"{grouped(seen.requests)} requests, ", ""),
            (f"{grouped(seen.failed)} failed", style),
        ]

    def _rates(self, seen: Answers, revision: str) -> list[float]:
        """Give the answers a second in each column, over a fifth of a second at the least."""
        wide = max(self._seconds, FINEST_SECONDS)
        began = [self.of.began + column * self._seconds for column in range(self._columns)]
        return [seen.rate(revision, at, at + wide) for at in began]

    def _gates(self) -> Iterator[Row]:
        """Draw the gates of one name in one row: from each question to its verdict, and what was said."""
        gates = [one for one in self.of.spans if one.stage]
        for stage, name in dict.fromkeys((one.stage, one.name) for one in gates):
            yield [
                label(stage),
                *self._gate([one for one in gates if (one.stage, one.name) == (stage, name)]),
            ]

    def _gate(self, spans: Sequence[Span]) -> Row:
        """Write what decided where there is most room: behind the last verdict or before the first question."""
        row: Row = []
        for one in spans:
            bar, style = self._bar_of(one)
            row += [(" " * (self._column(one.began) - size(row)), ""), (bar, style)]
        text = f"{spans[-1].name}: {spans[-1].evidence}"
        before, after = len(row[0][0]) - 1, self._columns - size(row) - 1
        if len(text) <= after or after >= before:
            return [*row, (f" {self._short(text, after)}", "")]
        return [(f"{self._short(text, before):>{before}} ", ""), *row[1:]]

    def _bar_of(self, one: Span) -> Segment:
        marks = {True: (self.glyphs.yes, "yes"), False: (self.glyphs.no, "no"), None: ("?", "wait")}
        mark, style = marks[one.passed]
        columns = self._column(one.ended) - self._column(one.began)
        return (self.glyphs.left + self.glyphs.line * (columns - 1) if columns else "") + mark, style

    def _short(self, text: str, room: int) -> str:
        return text if len(text) <= room else text[: max(0, room - 1)] + self.glyphs.more

    def _waits(self) -> Iterator[Row]:
        """Draw the deliberate waits of one name in one row."""
        waits = [one for one in self.of.spans if not one.stage and one.ended - one.began > 3 * self._seconds]
        for name in dict.fromkeys(one.name for one in waits):
            line = ""
            for one in (one for one in waits if one.name == name):
                began, ended = self._column(one.began), self._column(one.ended)
                line = line.ljust(began)[:began] + self.glyphs.dot * max(1, ended - began)
            yield [label("wait"), (line, "wait"), (f" {name}", "dim")]

    def _marks(self) -> Iterator[Row]:
        """Put a number where something moved, and tell it below."""
        numbered = list(zip(NUMBERS, self.of.numbered(), strict=False))
        line = ""
        for number, mark in numbered:
            line = line.ljust(self._column(mark.at)) + number
        yield [label("what"), (line, "bold")]
        for number, mark in numbered:
            style = "no" if mark.bad else ""
            yield [(f"{number:>3} ", "bold"), (f"{mark.at:5.1f}s  ", "dim"), (mark.text, style)]
