"""The values of flags: what is the same, how one is said and read, for whom it is asked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from deployctl.errors import Conflict, UsageError
from deployctl.flags import Context, Setting, Value
from deployctl.gates import About

PLACE = re.compile(r"\$\{([A-Za-z]+)\}")
PLACES = ("app", "namespace", "stable", "preview")


def same(one: Any, other: Any) -> bool:
    """Say whether two values are one: true is not 1, and 1 is 1.0."""
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (one, other))
    return (numbers or type(one) is type(other)) and one == other


def plain(value: Any) -> Value | None:
    """Give what a server said where it is a value that is compared; a mapping, a list and null are none."""
    return value if isinstance(value, bool | int | float | str) else None


def shown(value: Value | None) -> str:
    """Say a value as a spec file has it."""
    if value is None:
        return "no value"
    return value if isinstance(value, str) else json.dumps(value)


def said(setting: Setting) -> str:
    """Say what a flag is set to."""
    if setting.rollout:
        return f"on for {shown(setting.value)}%"
    return "decided by rules, or by nothing" if setting.value is None else shown(setting.value)


def parsed(text: str) -> Value:
    """Read a value as a person types it: true, 3, 0.5, else text."""
    try:
        found = plain(json.loads(text))
    except ValueError:
        return text
    return text if found is None else found


def percent(value: int) -> int:
    """Check a share; raise UsageError."""
    if not 0 <= value <= 100:
        raise UsageError(f"{value}% of its users: expected a share from 0 to 100")
    return value


def check_unchanged(seen: Setting, now: Setting, where: str, by: str = "") -> None:
    """Raise Conflict where a flag is not as it was when we looked, which says what stands."""
    if seen.version != now.version:
        who = f" by {by}" if by else ""
        raise Conflict(
            f"{seen.key} of {where} was changed{who} meanwhile: it was {said(seen)} and is {said(now)}",
            advice="it was left as it is; look at it, and set it again if it is still wrong",
        )


def pinned(key: str, fields: Mapping[str, str], about: About) -> Context:
    """Fill in what is released: ${app}, ${namespace}, and ${stable} and ${preview}, the hashes of the revisions."""
    known = {name: getattr(about, name) for name in PLACES}
    filled = {
        name: PLACE.sub(lambda place: known.get(place[1], place[0]), text) for name, text in fields.items()
    }
    return Context(PLACE.sub(lambda place: known.get(place[1], place[0]), key), tuple(filled.items()))


def check_places(fields: Mapping[str, str]) -> None:
    """Raise ValueError, as a class of options does, where a field has a place that nothing fills."""
    strange = {one for text in fields.values() for one in PLACE.findall(text)} - set(PLACES)
    if strange:
        known = ", ".join(f"${{{one}}}" for one in PLACES)
        raise ValueError(f"fields: ${{{min(strange)}}} is unknown; expected {known}")
