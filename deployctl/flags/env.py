"""The env provider reads flags from environment variables of deployctl; it writes none."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from deployctl.errors import Forbidden, UsageError
from deployctl.flags import Context, Reading, Setting, Value
from deployctl.flags.values import parsed
from deployctl.gates import Asked

ODD = re.compile(r"[^A-Za-z0-9]")
READ_ONLY = "environment variables are read and never written"


@dataclass(frozen=True)
class Env:
    """Flags in the environment that deployctl runs in, such as that of a CI job: new-wallet is FLAG_NEW_WALLET.

    prefix: of the variables
    """

    prefix: str = "FLAG_"

    @property
    def spread_seconds(self) -> float:
        return 0.0

    def read(self, key: str, context: Context, asked: Asked) -> tuple[Reading, ...]:
        del context, asked
        name = self._name(key)
        value = self._value(name)
        return (Reading(name, value, f"{name} is not set" if value is None else ""),)

    def setting(self, key: str, asked: Asked) -> Setting:
        del asked
        value = self._value(self._name(key))
        if value is None:
            raise UsageError(f"there is no flag {key}: {self._name(key)} is not set")
        return Setting(key, value, locked=READ_ONLY)

    def settings(self, asked: Asked) -> tuple[Setting, ...]:
        del asked
        names = sorted(name for name in os.environ if self.prefix and name.startswith(self.prefix))
        return tuple(
            Setting(name.removeprefix(self.prefix).lower().replace("_", "-"), value, locked=READ_ONLY)
            for name in names
            if (value := self._value(name)) is not None
        )

    def set(self, seen: Setting, value: Value, reason: str, asked: Asked) -> Setting:
        del value, reason, asked
        return self._refuse(seen)

    def roll_out(self, seen: Setting, percent: int, reason: str, asked: Asked) -> Setting:
        del percent, reason, asked
        return self._refuse(seen)

    def restore(self, seen: Setting, before: Setting, reason: str, asked: Asked) -> Setting:
        del before, reason, asked
        return self._refuse(seen)

    def _refuse(self, seen: Setting) -> Setting:
        raise Forbidden(f"{self._name(seen.key)}: {READ_ONLY}", advice="change it where the job is set up")

    def _name(self, key: str) -> str:
        return self.prefix + ODD.sub("_", key).upper()

    def _value(self, name: str) -> Value | None:
        text = os.environ.get(name, "")
        return parsed(text) if text else None
