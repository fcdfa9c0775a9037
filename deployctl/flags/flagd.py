"""flagd's flag definitions: checked, read, set to a value or a share. See flagd.dev/reference/flag-definitions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deployctl.errors import DeployctlError, UsageError
from deployctl.flags import Value
from deployctl.flags.values import plain, same, shown

Json = dict[str, Any]
UNDER = "flags"
STATES = ("ENABLED", "DISABLED")
KINDS = {"a truth": bool, "a number": int | float, "text": str, "an object": dict, "a list": list}


def check(key: str, one: Any) -> None:
    """Raise DeployctlError where a definition is none that flagd takes."""
    if wrong := next(_wrong(one), ""):
        raise DeployctlError(f"flag {key}: {wrong}")


def _wrong(one: Any) -> Iterator[str]:
    if not isinstance(one, dict):
        yield "it is no mapping of state, variants and defaultVariant"
        return
    if one.get("state") not in STATES:
        yield f"state is {one.get('state', 'missing')}; expected one of {', '.join(STATES)}"
    variants = one.get("variants")
    if not isinstance(variants, dict) or not variants:
        yield "variants: none; expected a mapping of names to values"
        return
    if len({_kind(each) for each in variants.values()}) > 1:
        yield "variants: of several types; expected one"
    if one.get("defaultVariant") is not None and one["defaultVariant"] not in variants:
        yield f"defaultVariant: {one['defaultVariant']} is none of {', '.join(variants)}"
    if not isinstance(one.get("targeting") or {}, dict):
        yield "targeting: expected a mapping"


def _kind(value: Any) -> str:
    return next((name for name, kind in KINDS.items() if isinstance(value, kind)), "nothing")


def value(one: Json) -> tuple[Value | None, bool]:
    """Give what everybody gets, or the per cent who do and that it is a share; no value where rules decide."""
    if one["state"] == "DISABLED":
        return None, False
    if one.get("targeting"):
        percent = _percent(one)
        return percent, percent is not None
    return plain(one["variants"].get(one.get("defaultVariant"))), False


def why_not(one: Json) -> str:
    """Say why a definition alone gives no value."""
    if one["state"] == "DISABLED":
        return "it is DISABLED, so an application uses its own default"
    if one.get("targeting"):
        return "its rules decide, which only an endpoint evaluates (provider: ofrep)"
    return "it has no default variant"


def _percent(one: Json) -> int | None:
    """Read a share of on and off: `{fractional: [[on, 25], [off, 75]]}` is 25."""
    given = one["targeting"].get("fractional") if len(one["targeting"]) == 1 else None
    parts = [each for each in given or () if isinstance(each, list) and each]
    weights = [(one["variants"].get(each[0]), each[1] if len(each) > 1 else 1) for each in parts]
    whole = sum(weight for _, weight in weights if isinstance(weight, int))
    if not whole or any(not isinstance(got, bool) or not isinstance(much, int) for got, much in weights):
        return None
    share = 100 * sum(weight for got, weight in weights if got) / whole
    return int(share) if share == int(share) else None


def with_value(key: str, one: Json, wanted: Value) -> Json:
    """Give everybody a value: the variant that has it is the default, and no rule stands before it."""
    names = [name for name, got in one["variants"].items() if same(got, wanted)]
    if not names:
        known = ", ".join(f"{shown(plain(got))} ({name})" for name, got in one["variants"].items())
        raise UsageError(f"{key} cannot be {shown(wanted)}; its variants are {known}")
    default = one.get("defaultVariant")
    kept = {name: part for name, part in one.items() if name != "targeting"}
    return {**kept, "state": "ENABLED", "defaultVariant": default if default in names else names[0]}


def with_share(key: str, one: Json, percent: int) -> Json:
    """Give a share of users the true variant, and the others the false one."""
    on, off = (_named(key, one, wanted=truth) for truth in (True, False))
    rule = {"fractional": [[on, percent], [off, 100 - percent]]}
    return {**one, "state": "ENABLED", "defaultVariant": off, "targeting": rule}


def _named(key: str, one: Json, *, wanted: bool) -> str:
    found: str | None = next((name for name, got in one["variants"].items() if got is wanted), None)
    if found is None:
        raise UsageError(
            f"{key} has no variant that is {shown(wanted)}, so it cannot be given to a share of its users"
        )
    return found
