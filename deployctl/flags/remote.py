"""A provider whose server keeps the flags: it looks, compares with what was seen, and only then writes."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from typing import Any

from deployctl.errors import Forbidden, UsageError
from deployctl.flags import Setting, Value
from deployctl.flags.values import check_unchanged, percent, same, shown
from deployctl.gates import Asked


class Remote(ABC):
    """What a server without compare-and-set gets instead: a look right before each write, and a look after it."""

    @abstractmethod
    def setting(self, key: str, asked: Asked) -> Setting:
        """Read what a flag is set to."""

    @abstractmethod
    def give(self, now: Setting, value: Value, reason: str, asked: Asked) -> None:
        """Write a value over what stands."""

    @abstractmethod
    def share(self, now: Setting, percent: int, reason: str, asked: Asked) -> None:
        """Write a share over what stands."""

    @abstractmethod
    def put_back(self, now: Setting, was: Any, reason: str, asked: Asked) -> None:
        """Write what was, whole, over what stands."""

    @property
    @abstractmethod
    def where(self) -> str:
        """Name the server and the environment."""

    def by(self, key: str, asked: Asked) -> str:
        """Name who wrote last, where the server tells it."""
        del key, asked
        return ""

    def set(self, seen: Setting, value: Value, reason: str, asked: Asked) -> Setting:
        now = self.setting(seen.key, asked)
        if same(now.value, value) and not now.rollout:
            return now
        self._guard(seen, now, asked)
        self.give(now, value, reason, asked)
        return self.setting(seen.key, asked)

    def roll_out(self, seen: Setting, percent_: int, reason: str, asked: Asked) -> Setting:
        share, now = percent(percent_), self.setting(seen.key, asked)
        if now.rollout and now.value == share:
            return now
        self._guard(seen, now, asked)
        self.share(now, share, reason, asked)
        return self.setting(seen.key, asked)

    def restore(self, seen: Setting, before: Setting, reason: str, asked: Asked) -> Setting:
        if not before.was:
            raise UsageError(f"{before.key}: what it was says nothing, so it cannot be put back")
        now = self.setting(seen.key, asked)
        if now.was == before.was:
            return now
        self._guard(seen, now, asked)
        self.put_back(now, before.was, reason, asked)
        return self.setting(seen.key, asked)

    def _guard(self, seen: Setting, now: Setting, asked: Asked) -> None:
        """Raise where somebody else wrote first, or where nobody may write now."""
        if now.locked:
            raise Forbidden(f"{now.key} of {self.where} cannot be written: {now.locked}")
        by = self.by(now.key, asked) if seen.version != now.version else ""
        check_unchanged(seen, now, self.where, by)


def version(was: Any) -> str:
    """Name a state by its content, where the server has no number for it."""
    return hashlib.sha256(json.dumps(was, sort_keys=True).encode()).hexdigest()[:16]


def truth(key: str, value: Value, where: str) -> bool:
    """Give a value that has to be true or false; raise UsageError."""
    if not isinstance(value, bool):
        raise UsageError(f"{key} of {where} is on or off; expected true or false, got {shown(value)}")
    return value
