"""Prints what the bed does, with the seconds since it began."""

from __future__ import annotations

import time

_BEGAN = time.monotonic()


def say(what: str) -> None:
    print(f"{time.monotonic() - _BEGAN:6.1f} s  {what}", flush=True)
