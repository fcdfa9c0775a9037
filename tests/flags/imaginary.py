"""A provider of flags in memory: endpoints that lag, a server that is down or hangs, somebody else who writes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from deployctl.errors import Conflict, DeployctlError, UsageError
from deployctl.flags import Context, Reading, Setting, Value
from deployctl.gates import Asked

Kept = tuple[Value | None, bool]


@dataclass
class Imaginary:
    """Flags by key: a value, or a share; each write is told to `on` after it was made."""

    flags: dict[str, Kept] = field(default_factory=dict)
    endpoints: int = 2
    spread_seconds: float = 0.0
    lag: int = 0  # how many readings at the last endpoint show what was before a write
    down: bool = False
    deaf: bool = False  # takes writes no more
    hangs: threading.Event | None = None
    locked: str = ""
    writes: list[tuple[str, Kept]] = field(default_factory=list)
    on: Callable[[str], Any] = lambda _: None

    def __post_init__(self) -> None:
        self._old: dict[str, Kept] = {}
        self._late = 0

    def read(self, key: str, context: Context, asked: Asked) -> tuple[Reading, ...]:
        del context, asked
        self._reach()
        return tuple(self._readings(key))

    def _readings(self, key: str) -> Iterator[Reading]:
        for at in range(self.endpoints):
            value, share = self.flags[key]
            if at == self.endpoints - 1 and self._late and key in self._old:
                self._late -= 1
                value, share = self._old[key]
            yield Reading(f"http://flags-{at}", bool(value) if share else value)

    def _reach(self) -> None:
        if self.hangs:
            self.hangs.wait(10)
        if self.down:
            raise DeployctlError("http://flags: nobody answers")

    def setting(self, key: str, asked: Asked) -> Setting:
        del asked
        self._reach()
        if key not in self.flags:
            raise UsageError(f"there is no flag {key}")
        value, share = self.flags[key]
        return Setting(key, value, str(len(self.writes)), share, self.locked, {"kept": [value, share]})

    def set(self, seen: Setting, value: Value, reason: str, asked: Asked) -> Setting:
        del reason
        return self._write(seen, (value, False), asked)

    def roll_out(self, seen: Setting, percent: int, reason: str, asked: Asked) -> Setting:
        del reason
        return self._write(seen, (percent, True), asked)

    def restore(self, seen: Setting, before: Setting, reason: str, asked: Asked) -> Setting:
        del reason
        value, share = (before.was or {})["kept"]  # type: ignore[misc]
        return self._write(seen, (value, share), asked)

    def _write(self, seen: Setting, kept: Kept, asked: Asked) -> Setting:
        self._reach()
        if self.deaf:
            raise DeployctlError("http://flags: no rights to write")
        if seen.version != str(len(self.writes)):
            raise Conflict(f"{seen.key} was changed meanwhile")
        self.put(seen.key, kept)
        self.on(seen.key)
        return self.setting(seen.key, asked)

    def put(self, key: str, kept: Kept) -> None:
        """Write as anybody may."""
        self._old[key], self._late = self.flags[key], self.lag
        self.flags[key] = kept
        self.writes.append((key, kept))
