"""What the code of Kubernetes 1.35.4 itself says of objects, patches and owners, written down by record.py.

A `change` is a list of paths with the value to put there, or without one where it goes.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

Json = dict[str, Any]
HERE = Path(__file__).parent


@cache
def told(name: str) -> Any:
    """Read one of the files."""
    return json.loads((HERE / f"{name}.json").read_text("utf-8"))


def changed(one: Any, change: list[list[Any]]) -> Any:
    """Give an object with a change."""
    for path, *value in change:
        one = _put(one, path, value)
    return one


def _put(one: Any, path: list[Any], value: list[Any]) -> Any:
    if not path:
        return value[0]
    head, rest = path[0], path[1:]
    if isinstance(one, list):
        return [_put(item, rest, value) if at == head else item for at, item in enumerate(one)]
    if not rest and not value:
        return {key: item for key, item in one.items() if key != head}
    return {**one, head: _put(one.get(head, {}), rest, value)}


def difference(one: Any, other: Any, path: tuple[Any, ...] = ()) -> list[list[Any]]:
    """Give the change that makes one value of another."""
    if isinstance(one, dict) and isinstance(other, dict):
        gone = [[[*path, key]] for key in one if key not in other]
        new = [[[*path, key], other[key]] for key in other if key not in one]
        both = [it for key in one if key in other for it in difference(one[key], other[key], (*path, key))]
        return [*gone, *both, *new]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [it for at in range(len(one)) for it in difference(one[at], other[at], (*path, at))]
    return [] if one == other and type(one) is type(other) else [[list(path), other]]


def tells(case: Json) -> str:
    """Name a case in few words."""
    what = case.get("change") or case.get("patch") or "as it is"
    return f"{case.get('resource', '')} {json.dumps(what)[:80]}"
