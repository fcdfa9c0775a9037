"""Asks pods something again and again, in a thread beside the loop, which goes on watching."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Json = dict[str, Any]
Said = TypeVar("Said")
Each = Callable[[Callable[[Json], Said], Iterable[Json]], Iterable[Said]]
AT_ONCE = 8


class Repeated:
    """Asks `once`, pauses, and asks again, until it is stopped."""

    def __init__(self) -> None:
        self._stop, self._nudge = threading.Event(), threading.Event()
        self._going = False

    @property
    def pause_seconds(self) -> float:
        """Say how long to wait before the pods are asked again."""
        raise NotImplementedError

    def once(self, each: Each[Any] = map) -> None:
        """Ask every pod once; `each` may ask several at a time."""
        raise NotImplementedError

    def begin(self) -> None:
        """Begin to ask again and again, beside the loop."""
        threading.Thread(target=self._run, name=type(self).__name__.lower(), daemon=True).start()

    def nudge(self) -> None:
        """Ask now instead of after the pause."""
        self._nudge.set()

    def stop(self) -> None:
        self._stop.set()
        self._nudge.set()

    def _run(self) -> None:
        with ThreadPoolExecutor(AT_ONCE) as threads:
            while not self._stop.is_set():
                self.once(threads.map)
                self._nudge.wait(self.pause_seconds)
                self._nudge.clear()
