"""Where two pod templates differ, path by path, without what may be a secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from deployctl.prepare import Prepared
from deployctl.published import Change
from deployctl.secrecy import HIDDEN, masked
from deployctl.template import bare

Json = dict[str, Any]


def changes(found: Prepared) -> Iterator[Change]:
    ours = {f"spec.containers[{name}].lifecycle" for name in found.added_pre_stop}
    for path, old, new in unlike(found.stable, found.preview):
        note = (
            "added so that a pod told to go outlives its endpoint" if any(map(path.startswith, ours)) else ""
        )
        yield Change(path, _shown(path, old), _shown(path, new), note)


def between(old: Json, new: Json) -> Iterator[Change]:
    """Give the changes from one template to another."""
    for path, before, now in unlike(bare(old), bare(new)):
        yield Change(path, _shown(path, before), _shown(path, now))


def _shown(path: str, value: Any) -> str:
    """Write a value as JSON, without what may be a secret in it."""
    if value is None:
        return ""
    known = masked(value, path)
    return HIDDEN if known == HIDDEN else json.dumps(known, ensure_ascii=False)


def unlike(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """List where two templates differ: path, old value, new value; items of a list go by their name."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            yield from unlike(old.get(key), new.get(key), f"{path}.{key}".lstrip("."))
    elif _named(old) and _named(new):
        before, now = ({one["name"]: one for one in each} for each in (old, new))
        for name in dict.fromkeys((*before, *now)):
            yield from unlike(before.get(name), now.get(name), f"{path}[{name}]")
    elif old != new:
        yield path, old, new


def _named(items: Any) -> bool:
    """Say whether every item of a list has a name of its own."""
    if not isinstance(items, list) or not all(isinstance(one, dict) and "name" in one for one in items):
        return False
    return len({one["name"] for one in items}) == len(items)
