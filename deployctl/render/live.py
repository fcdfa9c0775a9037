"""The live view, for a person at a terminal: events scroll by as lines, and a few lines below them are redrawn.

The frame is made without rich and without a terminal; only `Live` draws it. It has no thread of its own: it is
drawn when the loop turns, which is at least once a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TextIO

from deployctl.gates.stage import Asking, Stages
from deployctl.observe import Snapshot
from deployctl.render import words
from deployctl.render.lines import Lines
from strategies.model import Action, Ask, Observed, Phase, Pod, Question, Side, Step, Wait

Segment = tuple[str, str]  # text and its style
Row = list[Segment]
LABEL_WIDTH = 9
MOST_GATES = 4

PHASES = {
    None: "not begun",
    Phase.TRYING: "the preview is on trial",
    Phase.PROMOTING: "promoted",
    Phase.FINISHING: "the old side is being retired",
    Phase.RETURNING: "going back to stable",
}


@dataclass(frozen=True, slots=True)
class Marks:
    """How a pod is drawn: it serves, it is ready without traffic, it comes up, it was detached."""

    serving: str = "■"
    dark: str = "▣"
    coming: str = "□"
    detached: str = "◌"
    full: str = "█"
    empty: str = "░"
    yes: str = "✓"
    no: str = "✗"


ASCII = Marks("#", "o", ".", "-", "=", ".", "+", "x")


@dataclass(frozen=True, slots=True)
class Frame:
    """What is drawn: one look, the step that was decided on it, the gates, and the times in seconds."""

    app: str
    seen: Observed
    step: Step
    stages: Stages
    age_seconds: float = 0.0
    waited_seconds: float = 0.0
    marks: Marks = Marks()
    foot: str = ""

    def rows(self, width: int) -> list[Row]:
        """Give at most twelve rows, none wider than `width`."""
        seen = self.seen
        rows = [
            self._title(),
            self._side("stable", seen.stable, width),
            self._side("preview", seen.preview, width),
            self._share(width),
            *self._events(),
            *self._gates(),
            self._now(width),
            *([[(_label("keys"), "dim"), (self.foot, "")]] if self.foot else []),
        ]
        return [_cut(row, width) for row in rows]

    def _title(self) -> Row:
        extra = len(self.seen.stable.pods) + len(self.seen.preview.pods) - self.seen.replicas
        more = f", {extra} extra pods" if extra > 0 else ""
        phase = "being promoted" if self._half_way() else PHASES[self.seen.phase]
        said = f"  {phase}, {words.age(self.age_seconds)}{more}"
        return [(self.app, "bold"), (said, "")]

    def _half_way(self) -> bool:
        return self.seen.phase is Phase.PROMOTING and not self.seen.shifted

    def _side(self, name: str, side: Side, width: int) -> Row:
        if not side.revision:
            return [(_label(name), "dim"), ("not there yet", "dim")]
        longest = max(len(self.seen.stable.revision), len(self.seen.preview.revision))
        head = f"{side.revision.ljust(longest)}  "
        tail = f"  {len(side.ready)} of {max(side.desired, len(side.pods))} ready"
        room = width - LABEL_WIDTH - len(head) - len(tail)
        return [(_label(name), "dim"), (head, ""), *self._pods(side, room), (tail, "")]

    def _pods(self, side: Side, room: int) -> Iterator[Segment]:
        """Draw each pod, or where they do not fit how many there are of each kind."""
        kinds = [self._kind(pod) for pod in side.pods]
        missing = max(0, side.desired - len(kinds))
        kinds += [(self.marks.coming, "yellow")] * missing
        if len(kinds) <= room:
            yield from kinds
            return
        for kind in dict.fromkeys(kinds):
            yield f"{kinds.count(kind)}{kind[0]} ", kind[1]

    def _kind(self, pod: Pod) -> Segment:
        if pod.detached:
            return self.marks.detached, "magenta"
        if not pod.ready:
            return self.marks.coming, "yellow"
        return (self.marks.serving, "green") if pod.endpoints else (self.marks.dark, "cyan")

    def _share(self, width: int) -> Row:
        share = words.percent(self.seen)
        size = max(10, min(30, width - LABEL_WIDTH - 30))
        new = round(size * share / 100)
        bar = [(self.marks.full * (size - new), "blue"), (self.marks.full * new, "green")]
        if not any(side.carries for side in (self.seen.stable, self.seen.preview)):
            bar = [(self.marks.empty * size, "red")]
        return [(_label("traffic"), "dim"), *bar, (f"  {100 - share}% stable, {share}% preview", "")]

    def _events(self) -> Iterator[Row]:
        """Say who consumes events, where pods are told to, and whether no two revisions may."""
        if wanted := self.seen.consumers:
            mode = "handOver" if wanted.exclusive else "pauseUntilPromote"
            yield [(_label("events"), "dim"), (f"{mode}: {words.consuming(self.seen)}", "")]

    def _gates(self) -> Iterator[Row]:
        """Draw the gates asked last, with how far each has come and what it said last."""
        every = [(question, one) for question, askings in self.stages.asked.items() for one in askings]
        for question, one in every[-MOST_GATES:]:
            yield self._gate(question, one)

    def _gate(self, question: Question, one: Asking) -> Row:
        said = one.taken[-1].evidence if one.taken else "asked"
        text = f"{one.gate.name} {one.answered}/{one.gate.count}  {said}"
        if one.verdict is None:
            return [(_label(question.stage.value), "dim"), ("? ", "yellow"), (text, "")]
        mark = (f"{self.marks.yes} ", "green") if one.verdict.passed else (f"{self.marks.no} ", "bold red")
        return [(_label(question.stage.value), "dim"), mark, (text, "")]

    def _now(self, width: int) -> Row:
        """Say what goes on; where the row is too short the clock stays."""
        text = words.step(self.step, self.seen)
        if not isinstance(self.step, Wait | Ask):
            return [(_label("now"), "dim"), (text, "")]
        left = words.left(self.step)
        clock = f" ({words.age(left)} left)" if left else f" (for {words.age(self.waited_seconds)})"
        room = max(0, width - LABEL_WIDTH - len(clock))
        return [(_label("now"), "dim"), (text[:room] + clock, "bold")]


def _label(text: str) -> str:
    return text.ljust(LABEL_WIDTH)


def _cut(row: Row, width: int) -> Row:
    """Cut a row at the terminal's width: a wrapped one would be redrawn in the wrong place."""
    kept: Row = []
    for text, style in row:
        room = width - sum(len(one) for one, _ in kept)
        if room > 0:
            kept.append((text[:room], style))
    return kept


class Live:
    """Draws frames on a terminal, above them the lines of the story. `color` says whether to colour."""

    def __init__(
        self,
        app: str,
        stream: TextIO,
        *,
        color: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app, self._clock, self._began = app, clock, clock()
        self._waited, self._since = "", clock()
        self._console, self._live = _terminal(stream, color=color)
        self._marks = Marks() if "utf" in (stream.encoding or "").lower() else ASCII
        self._lines = Lines(app, self._print, clock)
        self.foot = ""  # the last row: which keys there are

    def turn(self, look: Snapshot, seen: Observed, step: Step, stages: Stages) -> None:
        """Draw what is so now."""
        del look
        if not self._live.is_started:
            self._live.start()
        key = words.key(step) if isinstance(step, Wait | Ask) else ""
        if key != self._waited:
            self._waited, self._since = key, self._clock()
        self._lines.answers(step, stages)
        age, waited = self._clock() - self._began, self._clock() - self._since
        frame = Frame(self._app, seen, step, stages, age, waited, self._marks, self.foot)
        self._live.update(_text(frame.rows(self._console.width)), refresh=True)

    def did(self, action: Action, seen: Observed) -> None:
        self._lines.did(action, seen)

    def note(self, text: str) -> None:
        self._lines.note(text)

    def close(self) -> None:
        """Leave the lines and take the frame away."""
        self._lines.close()
        self._live.stop()

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)


def _terminal(stream: TextIO, *, color: bool) -> tuple[Any, Any]:
    """Open rich on a terminal that we have found to be one: it must not look at FORCE_COLOR, CI or TTY_* itself."""
    from rich.console import Console
    from rich.live import Live as Drawing

    console = Console(
        file=stream,
        force_terminal=True,
        force_interactive=True,
        no_color=not color,
        color_system="standard" if color else None,
        legacy_windows=False,
    )
    drawing = Drawing(
        console=console,
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=True,
        vertical_overflow="crop",
    )
    return console, drawing


def _text(rows: list[Row]) -> Any:
    from rich.text import Text

    lines = (Text.assemble(*row, no_wrap=True, overflow="crop") for row in rows)
    return Text("\n").join(lines)
