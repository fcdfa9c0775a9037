"""Single keys of a terminal, without waiting for a line; the terminal is as it was on every way out."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

CHUNK = 64


class Keyboard:
    """Reads keys in a thread of its own; what comes in several characters at once is pasted, or an arrow, and is no key.

    Ctrl-C stays a signal. In the background nothing is read: those keys are the shell's.
    """

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._typed: deque[str] = deque()
        self._rings: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._read, name="keyboard", daemon=True)

    def __enter__(self) -> Keyboard:
        import termios
        import tty

        self._before = termios.tcgetattr(self._terminal)
        self._ended, self._end = os.pipe()
        tty.setcbreak(self._terminal)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import termios

        if foreground(self._terminal):  # else it is the shell's, and we would be stopped for touching it
            with suppress(termios.error):  # it was closed
                termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._before)
        os.write(self._end, b".")
        self._thread.join()
        os.close(self._ended)
        os.close(self._end)

    def rings(self, ring: Callable[[], None]) -> None:
        """Say who is rung up by a key."""
        self._rings = ring

    def key(self) -> str:
        """Give the key that was typed longest ago, or nothing."""
        return self._typed.popleft() if self._typed else ""

    def _read(self) -> None:
        while True:
            ready, _, _ = select.select([self._terminal, self._ended], [], [])
            if self._ended in ready or not self._take():
                return

    def _take(self) -> bool:
        """Take what was typed; say whether more may come."""
        if not foreground(self._terminal):
            return False
        try:
            typed = os.read(self._terminal, CHUNK)
        except OSError:
            return False
        if len(typed) == 1:
            self._typed.append(typed.decode("latin-1"))
            self._rings()
        return bool(typed)


def foreground(terminal: int) -> bool:
    """Say whether the terminal's keys are ours; a process in the background that reads is stopped by the system."""
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False


def person() -> int | None:
    """Give the terminal on standard input, where a person's keys reach us."""
    if not sys.stdin or not sys.stdin.isatty():
        return None
    terminal = sys.stdin.fileno()
    return terminal if foreground(terminal) else None
