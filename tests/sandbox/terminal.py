"""A terminal of our own, with a command in its foreground: what is typed, what is shown, how it is left."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """Runs one command on a pseudo-terminal that controls it."""

    def __init__(self, *command: str | Path, env: dict[str, str]) -> None:
        self._ours, self._theirs = pty.openpty()
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(self._theirs)
        self._shown = b""
        self.process = subprocess.Popen(
            list(map(str, command)),
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            env={key: value for key, value in env.items() if key not in {"COLUMNS", "LINES"}},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - one call
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)
        os.close(self._theirs)
        self._reader.join(10)
        os.close(self._ours)

    @property
    def shown(self) -> str:
        """Everything that was shown so far, without colours and cursor movements."""
        return CONTROL.sub("", self._shown.decode(errors="replace")).replace("\r", "")

    def see(self, text: str, after: int = 0, timeout: float = 60.0) -> int:
        """Wait until a text is shown; give where it ends."""
        deadline = time.monotonic() + timeout
        while (at := self.shown.find(text, after)) < 0:
            assert time.monotonic() < deadline, f"never saw {text!r} in:\n{self.shown[-3000:]}"
            assert self.process.poll() is None, f"it ended without {text!r}:\n{self.shown[-3000:]}"
            time.sleep(0.02)
        return at + len(text)

    def press(self, keys: str) -> None:
        """Press keys, and wait as fingers do: what comes at once is pasted."""
        os.write(self._ours, keys.encode())
        time.sleep(0.3)

    def say_yes(self, key: str, question: str) -> None:
        """Press a key, and y once its question is there."""
        at = len(self.shown)
        self.press(key)
        self.see(question, at)
        self.press("y")

    def terminate(self) -> None:
        os.kill(self.process.pid, signal.SIGTERM)

    def ended(self, timeout: float = 60.0) -> int:
        code = self.process.wait(timeout)
        time.sleep(0.1)  # for what is still on its way to us
        return code

    @property
    def settings(self) -> list[Any]:
        return termios.tcgetattr(self._theirs)

    def _read(self) -> None:
        while True:
            try:
                chunk = os.read(self._ours, 65536)
            except OSError:
                return
            if not chunk:
                return
            self._shown += chunk
