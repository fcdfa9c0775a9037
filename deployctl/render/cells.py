"""Rows of characters for a terminal: what they are drawn with, how wide and in which colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deployctl.render.scale import ticks

Segment = tuple[str, str]  # text and its style
Row = list[Segment]
LABEL_WIDTH = 10
SGR = {"stable": "34", "preview": "32", "no": "1;31", "yes": "32", "dim": "2", "bold": "1", "wait": "33"}


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What the chart is drawn with."""

    stable: str = "░"
    preview: str = "█"
    line: str = "─"
    left: str = "├"
    right: str = "┤"
    dot: str = "·"
    yes: str = "✓"
    no: str = "✗"
    arrow: str = "→"
    more: str = "…"
    bars: str = " ▁▂▃▄▅▆▇█"

    def bar(self, part: float) -> str:
        """Draw a part of the most; what is not nothing is seen."""
        return self.bars[min(8, max(int(part > 0), round(8 * part)))]


UNICODE = Glyphs()
ASCII = Glyphs(".", "#", "-", "|", "|", ".", "+", "x", "->", "~", " ..::||##")


def painted(rows: Sequence[Row], *, color: bool) -> str:
    """Write rows as text, coloured or not."""
    return "\n".join("".join(_paint(*one, color=color) for one in row).rstrip() for row in rows)


def _paint(text: str, style: str, *, color: bool) -> str:
    """Colour a text; what a terminal would obey is a blank."""
    shown = "".join(one if one.isprintable() else " " for one in text)
    return f"\x1b[{SGR[style]}m{shown}\x1b[0m" if color and style and shown.strip() else shown


def cut(row: Row, width: int, more: str) -> Row:
    """Cut a row at the width, and show where something is lost."""
    kept: Row = []
    room = width
    for text, style in row:
        if room > 0:
            kept.append((text if len(text) <= room else text[: room - 1] + more, style))
        room -= len(text)
    return kept


def size(row: Row) -> int:
    return sum(len(text) for text, _ in row)


def style_of(outcome: str) -> str:
    """Colour how it ended: preview's colour where it has the traffic, stable's where that has it again."""
    return {"promoted": "preview", "rolledBack": "preview", "aborted": "stable", "waiting": "wait"}.get(
        outcome, "no"
    )


def axis(seconds: float, columns: int) -> str:
    """Write a time about every ten columns."""
    line = ""
    for at, text in ticks(max(seconds, 0.1), 9 / columns):
        column = int(at / max(seconds, 0.1) * columns)
        if column + len(text) <= columns:
            line = line.ljust(column) + text
    return line


def label(text: str) -> Segment:
    """Write the name of a row."""
    return f"{text[: LABEL_WIDTH - 1]:<{LABEL_WIDTH}}", "dim"
