"""Finds the fields that a JSON body names twice; the last one counts, and the server tells of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]


class Twice(dict[str, Any]):
    """A body that names some of its fields twice; `texts` say which."""

    texts: tuple[str, ...] = ()


def found(raw: bytes, body: Any) -> Any:
    """Give a parsed body back, with what is in it twice."""
    doubled: dict[int, list[str]] = {}
    kept: list[Json] = []  # so that no identity is used again

    def paired(pairs: list[tuple[str, Any]]) -> Json:
        one = dict(pairs)
        kept.append(one)
        if len(one) < len(pairs):
            keys = [key for key, _ in pairs]
            doubled[id(one)] = [key for at, key in enumerate(keys) if key in keys[:at]]
        return one

    whole = json.loads(raw, object_pairs_hook=paired)
    if not doubled or not isinstance(body, dict):
        return body
    made = Twice(body)
    made.texts = tuple(f'duplicate field "{path}"' for path in _paths(whole, "", doubled))
    return made


def _paths(value: Any, path: str, doubled: dict[int, list[str]]) -> Iterator[str]:
    if isinstance(value, dict):
        lead = f"{path}." if path else ""
        yield from (f"{lead}{key}" for key in doubled.get(id(value), ()))
        for key, inner in value.items():
            yield from _paths(inner, f"{lead}{key}", doubled)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _paths(inner, f"{path}[{at}]", doubled)
