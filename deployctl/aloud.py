"""Says a line on a standard stream. That nobody listens any more, or that a disk is full, ends no release."""

from __future__ import annotations

import os
import sys
from typing import TextIO


def aloud(text: str, stream: TextIO) -> None:
    """Write a line at once; where that fails, the stream is deaf from then on."""
    try:
        print(text, file=stream, flush=True)
    except OSError:
        deafen(stream)


def deafen(stream: TextIO) -> None:
    """Let everything that is written from now on, and what is kept back, go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def bear() -> None:
    """Show a letter that a terminal has no code for as a question mark, instead of ending there."""
    for stream in (sys.stdout, sys.stderr):
        if "utf" not in (stream.encoding or "").lower() and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
