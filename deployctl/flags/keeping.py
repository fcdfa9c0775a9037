"""Flags that are kept as text, in flagd's format or as plain `key: value`, wherever the text itself is."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from deployctl.errors import DeployctlError, UsageError
from deployctl.flags import Context, Reading, Setting, Value, flagd
from deployctl.flags.text import Entry, entries, replaced, written
from deployctl.flags.values import check_unchanged, percent, plain, same, shown
from deployctl.gates import Asked

Format = Literal["flagd", "plain"]
Change = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Text:
    """What is kept, as it was read.

    where: in words
    version: of the whole, for a write that must not lose another's
    locked: why it cannot be written
    by: who wrote it last, where that is known
    """

    where: str
    text: str
    version: str = ""
    locked: str = ""
    by: str = ""


class Keeping(ABC):
    """A provider whose flags are one text. What has it says how it is read and written."""

    format: Format

    @abstractmethod
    def look(self, asked: Asked) -> Text:
        """Read the text."""

    @abstractmethod
    def put(self, over: Text, text: str, asked: Asked) -> None:
        """Write a text over one that was read; raise Conflict where it is another by now."""

    def read(self, key: str, context: Context, asked: Asked) -> tuple[Reading, ...]:
        """Give what the text alone says; an endpoint that evaluates its rules is another provider's."""
        del context
        try:
            found = self.look(asked)
            one = self._entries(found).get(key)
        except DeployctlError as error:
            return (Reading(self._name, None, str(error)),)
        if one is None:
            return (Reading(found.where, None, f"it has no flag {key}"),)
        value, share = self._valued(one.value)
        value = {0: False, 100: True}.get(int(value or 0)) if share else value
        return (Reading(found.where, value, self._why_not(one.value) if value is None else ""),)

    def setting(self, key: str, asked: Asked) -> Setting:
        found = self.look(asked)
        return self._setting(key, self._entry(key, found), found)

    def settings(self, asked: Asked) -> tuple[Setting, ...]:
        found = self.look(asked)
        every = self._entries(found)
        return tuple(self._setting(key, every[key], found) for key in sorted(every))

    def set(self, seen: Setting, value: Value, reason: str, asked: Asked) -> Setting:
        del reason
        return self._change(seen, asked, lambda one: self._with_value(seen.key, one, value))

    def roll_out(self, seen: Setting, percent_: int, reason: str, asked: Asked) -> Setting:
        del reason
        share = percent(percent_)
        return self._change(seen, asked, lambda one: self._with_share(seen.key, one, share))

    def restore(self, seen: Setting, before: Setting, reason: str, asked: Asked) -> Setting:
        del reason
        was = (before.was or {}).get("text")
        if not isinstance(was, str):
            raise UsageError(f"{before.key}: what it was is not text, so it is none of {self._name}")
        return self._write(seen, asked, lambda _text, _entry: was)

    def _change(self, seen: Setting, asked: Asked, change: Change) -> Setting:
        def block(text: str, one: Entry) -> str:
            wanted = change(one.value)
            return text[one.start : one.end] if wanted == one.value else written(text, one, wanted)

        return self._write(seen, asked, block)

    def _write(self, seen: Setting, asked: Asked, block: Callable[[str, Entry], str]) -> Setting:
        """Write one entry over what was seen; what stands there already is not written again."""
        found = self.look(asked)
        one = self._entry(seen.key, found)
        wanted = block(found.text, one)
        now = self._setting(seen.key, one, found)
        if wanted == found.text[one.start : one.end]:
            return now
        check_unchanged(seen, now, found.where, found.by)
        if found.locked:
            raise DeployctlError(f"{seen.key} cannot be written: {found.locked}")
        whole = replaced(found.text, one, wanted)
        self._check_others(seen.key, found, whole)
        self.put(found, whole, asked)
        return self._setting(
            seen.key, self._entry(seen.key, Text(found.where, whole)), Text(found.where, whole)
        )

    def _check_others(self, key: str, found: Text, whole: str) -> None:
        """Refuse a text in which another flag reads otherwise than before, as one that has an anchor may."""
        old, new = (
            {name: one.value for name, one in self._entries(Text(found.where, text)).items() if name != key}
            for text in (found.text, whole)
        )
        if old != new:
            raise DeployctlError(f"{key} of {found.where} shares its text with other flags; write it out")

    def _entries(self, found: Text) -> dict[str, Entry]:
        try:
            every = entries(found.text, flagd.UNDER if self.format == "flagd" else "")
            for key, one in every.items() if self.format == "flagd" else ():
                flagd.check(key, one.value)
        except DeployctlError as error:
            raise DeployctlError(f"{found.where}: {error}") from None
        return every

    def _entry(self, key: str, found: Text) -> Entry:
        every = self._entries(found)
        if key not in every:
            raise UsageError(f"{found.where} has no flag {key}; it has {', '.join(sorted(every)) or 'none'}")
        return every[key]

    def _setting(self, key: str, one: Entry, found: Text) -> Setting:
        block = found.text[one.start : one.end]
        value, share = self._valued(one.value)
        version = hashlib.sha256(block.encode()).hexdigest()[:16]
        return Setting(key, value, version, share, found.locked, {"text": block})

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _valued(self, one: Any) -> tuple[Value | None, bool]:
        return flagd.value(one) if self.format == "flagd" else (plain(one), False)

    def _why_not(self, one: Any) -> str:
        return flagd.why_not(one) if self.format == "flagd" else "it is no value that can be compared"

    def _with_value(self, key: str, one: Any, value: Value) -> Any:
        if self.format == "flagd":
            now, share = flagd.value(one)
            return one if same(now, value) and not share else flagd.with_value(key, one, value)
        if not same(type(one)(), type(value)()) or plain(one) is None:
            raise UsageError(f"{key} is {shown(plain(one))}, which is another type than {shown(value)}")
        return value

    def _with_share(self, key: str, one: Any, share: int) -> Any:
        if self.format == "flagd":
            return flagd.with_share(key, one, share)
        raise UsageError(f"{key}: a plain file has no shares of users; expected true or false")
