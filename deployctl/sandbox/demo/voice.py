"""How a story is told: wrapped prose, commands, their lines and pictures, on a terminal or as plain lines."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TextIO

from deployctl.render.cells import ASCII, UNICODE, Glyphs, Row, cut, painted

WIDEST = 100


@dataclass
class Voice:
    """Writes for the reader: on a terminal in colour, else as plain lines."""

    stream: TextIO
    width: int = 80
    color: bool = False

    @property
    def glyphs(self) -> Glyphs:
        return UNICODE if "utf" in (self.stream.encoding or "").lower() else ASCII

    def says(self, text: str) -> None:
        """Write prose, wrapped."""
        self._write("\n\n".join(textwrap.fill(one, self.width) for one in text.strip().split("\n\n")))

    def heading(self, text: str) -> None:
        self._write(painted([[(text, "bold")]], color=self.color), "")

    def shows(self, *rows: Row) -> None:
        glyphs = self.glyphs
        self._write(painted([cut(row, self.width, glyphs.more) for row in rows], color=self.color))

    def line(self, text: str, style: str = "") -> None:
        self._write(*(painted([[(one, style)]], color=self.color) for one in text.split("\n")))

    def _write(self, *lines: str) -> None:
        encoding = self.stream.encoding or "utf-8"
        for one in lines:
            print(one.encode(encoding, "replace").decode(encoding), file=self.stream, flush=True)
