"""The OpenFeature SDK's own provider in memory, filled from a flagd file; and others that fail as others may."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

from deployctl.flags.text import entries


def flags(path: str) -> dict[str, InMemoryFlag[Any]]:
    every = entries(Path(path).read_text(), "flags")
    return {key: _flag(one.value) for key, one in every.items()}


def _flag(one: dict[str, Any]) -> InMemoryFlag[Any]:
    ask = _by_country if one.get("targeting") else None
    state = InMemoryFlag.State(one["state"])
    return InMemoryFlag(one["defaultVariant"], one["variants"], state=state, context_evaluator=ask)


def _by_country(one: InMemoryFlag[Any], whom: Any) -> FlagResolutionDetails[Any]:
    """Evaluate every rule as: on for who is in Malta."""
    variant = "on" if whom.attributes.get("jurisdiction") == "MT" else "off"
    return FlagResolutionDetails(one.variants[variant], reason=Reason.TARGETING_MATCH, variant=variant)


class Following(InMemoryProvider):
    """Looks at its file before it answers."""

    def __init__(self, path: str) -> None:
        super().__init__({})
        self._path = path

    def _resolve(self, key: str, default: Any, *context: Any) -> Any:
        """Give back the default of a flag that is not evaluated, as the specification wants it."""
        self._flags = flags(self._path)
        one = self._flags.get(key)
        if one and (one.state is InMemoryFlag.State.DISABLED or one.default_variant is None):
            disabled = one.state is InMemoryFlag.State.DISABLED
            return FlagResolutionDetails(default, reason=Reason.DISABLED if disabled else Reason.DEFAULT)
        return super()._resolve(key, default, *context)


class Slow(InMemoryProvider):
    """Answers after a while."""

    def __init__(self, seconds: float) -> None:
        super().__init__({})
        self._seconds = seconds

    def _resolve(self, *args: Any, **more: Any) -> Any:
        time.sleep(self._seconds)
        return super()._resolve(*args, **more)


class Unready(InMemoryProvider):
    """Reaches nobody when it starts, until somebody makes its file."""

    def __init__(self, path: str) -> None:
        super().__init__({"new-wallet": InMemoryFlag("on", {"on": True})})
        self._path = Path(path)

    def initialize(self, evaluation_context: Any) -> None:
        if not self._path.exists():
            raise ConnectionError("nobody answers at flags:8013")


def broken(**options: Any) -> Any:
    raise RuntimeError("no licence")
