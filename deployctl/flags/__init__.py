"""Where feature flags are kept and evaluated: one file a provider.

A provider is a frozen dataclass of its options, named by an entry point of the group `deployctl.flags`. It reads a flag
as an application does, at every endpoint that evaluates it, and it reads and writes the setting behind it, where it can.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from deployctl.gates import Asked

Value = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Context:
    """For whom a flag is evaluated: the value depends on it, so it is always said.

    key: the targeting key
    fields: what rules look at besides, such as environment, jurisdiction and revision
    """

    key: str = "deployctl"
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What one endpoint evaluated a flag to. No value is no answer and never false; `why` then says what was missing."""

    endpoint: str
    value: Value | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a flag is set to where it is kept.

    value: what everybody gets, or the per cent of those who get it where `rollout`; None where rules decide
    version: changes with every write, for compare-and-set; empty where the server has none
    rollout: whether the flag is given to a share of its users
    locked: why it cannot be written now: an approval is required, the token may only read
    was: the whole setting as the provider has it, from which `restore` puts back what `value` does not say
    """

    key: str
    value: Value | None
    version: str = ""
    rollout: bool = False
    locked: str = ""
    was: Mapping[str, object] | None = None


class Provider(Protocol):
    """Raises DeployctlError where a server gives no answer that can be used; Conflict where somebody else wrote first."""

    def read(self, key: str, context: Context, asked: Asked) -> tuple[Reading, ...]:
        """Evaluate a flag at every endpoint, side by side; an endpoint without an answer has a reading without value."""
        ...

    def setting(self, key: str, asked: Asked) -> Setting:
        """Read what a flag is set to; raise UsageError where there is no such flag, or where it is not kept here."""
        ...

    def settings(self, asked: Asked) -> tuple[Setting, ...]:
        """List all flags, by name."""
        ...

    def set(self, seen: Setting, value: Value, reason: str, asked: Asked) -> Setting:
        """Write a value over a setting as it was seen. What has the value already is not written again."""
        ...

    def roll_out(self, seen: Setting, percent: int, reason: str, asked: Asked) -> Setting:
        """Give a flag to a share of its users, 0 to 100."""
        ...

    def restore(self, seen: Setting, before: Setting, reason: str, asked: Asked) -> Setting:
        """Put a flag back as it was, whole: its rules and shares too."""
        ...

    @property
    def spread_seconds(self) -> float:
        """How long evaluating endpoints may take to see a write: twice their polling interval."""
        ...
