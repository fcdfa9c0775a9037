"""Text that others wrote, fit to be shown: one terminal's escape sequence is another one's cleared screen."""

from __future__ import annotations


def printable(text: str) -> str:
    """Leave out control characters, but for the ends of lines; tabs become spaces."""
    return "".join(one for one in text.replace("\t", " ") if one.isprintable() or one == "\n")
