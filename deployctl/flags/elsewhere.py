"""A provider that only evaluates: what is set is read and written where its flags are kept."""

from __future__ import annotations

from abc import ABC, abstractmethod

from deployctl.flags import Provider, Setting, Value
from deployctl.gates import Asked

NOT_NOW = frozenset(
    {"DISABLED", "STALE", "ERROR"}
)  # reasons with which a value, even where it is given, is none


class Elsewhere(ABC):
    """Hands on to another provider all that is not evaluation."""

    @property
    @abstractmethod
    def _kept(self) -> Provider:
        """Give who keeps the flags; raise UsageError where the spec names nobody."""

    def setting(self, key: str, asked: Asked) -> Setting:
        return self._kept.setting(key, asked)

    def settings(self, asked: Asked) -> tuple[Setting, ...]:
        return self._kept.settings(asked)

    def set(self, seen: Setting, value: Value, reason: str, asked: Asked) -> Setting:
        return self._kept.set(seen, value, reason, asked)

    def roll_out(self, seen: Setting, percent: int, reason: str, asked: Asked) -> Setting:
        return self._kept.roll_out(seen, percent, reason, asked)

    def restore(self, seen: Setting, before: Setting, reason: str, asked: Asked) -> Setting:
        return self._kept.restore(seen, before, reason, asked)
