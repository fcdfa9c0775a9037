"""One measurement ends when its time is over, whatever a server does that answers half, or nothing.

Drivers bound single waits; a server that sends a byte now and then outlives all of those. So the asking runs in a
thread of its own: when the time is over, the answer is UNKNOWN, and its connections are cut under it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable

from deployctl.errors import DeployctlError
from strategies.analysis import Answer, Measurement

LEAST_SECONDS = 0.05  # what a driver is given at least: nought is no limit to some


class Late(DeployctlError):
    """The time of this measurement is over."""


class Deadline:
    """The end of one measurement, shared by all that it asks; `at` says whom it asks just now."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.at = ""
        self._end = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._over = False
        self._open: list[socket.socket] = []

    def left(self) -> float:
        """Say how many seconds are left; raise Late where none are."""
        left = self._end - time.monotonic()
        if left <= 0 or self._over:
            raise Late(self.late())
        return max(left, LEAST_SECONDS)

    def late(self) -> str:
        return f"no answer within {self.seconds:g}s" + (f", asking {self.at}" if self.at else "")

    def watch(self, number: int) -> None:
        """Have the connection with this file descriptor cut when the time is over, also under its driver."""
        with self._lock:
            self._open.append(socket.socket(fileno=os.dup(number)))
        if self._over:  # it came to be while nobody waited any more
            self.over()

    def pause(self, seconds: float) -> None:
        """Let a window pass; raise Late at once where it is longer than what is left."""
        if seconds >= self.left():
            raise DeployctlError(
                f"a window of {seconds:g}s does not fit into {self.seconds:g}s; raise the timeout"
            )
        time.sleep(seconds)

    def over(self) -> None:
        """Cut what is still open, and let go of the copies."""
        with self._lock:
            self._over = True
            for one in self._open:
                with contextlib.suppress(OSError):  # it is closed already
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
            self._open.clear()


class _Asking(threading.Thread):
    """Asks, and keeps the answer. What breaks in it is told on standard error by Python itself."""

    def __init__(self, ask: Callable[[Deadline], Measurement], deadline: Deadline) -> None:
        super().__init__(name=f"{threading.current_thread().name}, asking", daemon=True)
        self._ask, self._deadline = ask, deadline
        self.answer: Measurement | None = None

    def run(self) -> None:
        try:
            self.answer = self._ask(self._deadline)
        except DeployctlError as error:
            self.answer = Measurement(Answer.UNKNOWN, str(error))


def within(seconds: float, ask: Callable[[Deadline], Measurement]) -> Measurement:
    """Measure in at most this time; a DeployctlError and the end of the time are no answer."""
    deadline = Deadline(seconds)
    asking = _Asking(ask, deadline)
    asking.start()
    asking.join(seconds)
    late = asking.is_alive()
    deadline.over()
    if late:
        return Measurement(Answer.UNKNOWN, deadline.late())
    if asking.answer is None:
        raise RuntimeError("the gate broke; its traceback is on standard error")
    return asking.answer
