"""JSON patches (RFC 6902) and merge patches (RFC 7386), as the API server applies them.

Its library is evanphx/json-patch 4: `add` and `replace` of an absent key both set it, `test` of an absent key
passes for null, and a negative index counts from the end of a list.
"""

from __future__ import annotations

import re
from typing import Any

from deployctl.sandbox.calls import Refused
from deployctl.sandbox.objects.strategic import strategic_patch

__all__ = ["json_patch", "merge_patch", "strategic_patch"]

Json = dict[str, Any]
MOST = 10_000  # operations in one JSON patch
INDEX = re.compile(r"[+-]?\d+")
GO = {str: "string", bool: "bool", int: "number", float: "number", dict: "object", list: "array"}


class _Fails(Exception):
    """An operation cannot be done; which one, the server does not tell."""


def json_patch(held: Json, ops: Any) -> Json:
    """Give an object with the operations applied; Refused 400 for what is no patch, 422 for one that fails."""
    if not isinstance(ops, list) or not all(isinstance(op, dict) for op in ops):
        raise Refused(400, "BadRequest", _undecodable(ops))
    if len(ops) > MOST:
        said = f"The allowed maximum operations in a JSON patch is {MOST}, got {len(ops)}"
        raise Refused(413, "RequestEntityTooLarge", f"Request entity too large: {said}")
    document: Any = held
    try:
        for op in ops:
            document = _done(document, op)
    except _Fails as fails:
        text = "the server rejected our request due to an error in our request"
        raise Refused(422, "Invalid", text, {}) from fails
    patched: Json = document
    return patched


def _undecodable(ops: Any) -> str:
    if isinstance(ops, list):
        wrong = next(op for op in ops if not isinstance(op, dict))
        said = (
            f"json: cannot unmarshal {GO.get(type(wrong), 'null')} into Go value of type handlers.jsonPatchOp"
        )
    else:
        said = (
            f"json: cannot unmarshal {GO.get(type(ops), 'null')} into Go value of type []handlers.jsonPatchOp"
        )
    return f"error decoding patch: {said}"


def _done(document: Any, op: Json) -> Any:
    match op.get("op"):
        case "add":
            return _add(document, _path(op, "path"), op.get("value"))
        case "remove":
            return _remove(document, _path(op, "path"))
        case "replace":
            return _replace(document, _path(op, "path"), op.get("value"))
        case "move":
            origin = _path(op, "from")
            return _add(_remove(document, origin), _path(op, "path"), _get(document, origin))
        case "copy":
            return _add(document, _path(op, "path"), _get(document, _path(op, "from")))
        case "test":
            if not _same(_get(document, _path(op, "path")), op.get("value")):
                raise _Fails
            return document
    raise _Fails


def _path(op: Json, key: str) -> list[str]:
    """Read a pointer; the empty one, for the whole document, has no parts."""
    text = op.get(key)
    if not isinstance(text, str):
        raise _Fails
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _get(document: Any, path: list[str]) -> Any:
    """Give what is at a path: None for an absent key, for the library tells no difference."""
    for at, part in enumerate(path):
        if isinstance(document, dict):
            document = document.get(part)
        elif isinstance(document, list):
            document = document[_index(part, len(document))]
        else:
            raise _Fails
        if document is None and at < len(path) - 1:
            raise _Fails
    return document


def _replace(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        if not isinstance(value, dict | list):
            raise _Fails
        return value
    return _changed(document, path, lambda at, key: _put(at, key, value))


def _add(document: Any, path: list[str], value: Any) -> Any:
    return _changed(document, path, lambda at, key: _inserted(at, key, value))


def _remove(document: Any, path: list[str]) -> Any:
    return _changed(document, path, _without)


def _changed(document: Any, path: list[str], change: Any) -> Any:
    """Give a document in which the container at the end of a path is changed; the rest is shared."""
    if not path or not isinstance(document, dict | list):
        raise _Fails
    if len(path) == 1:
        return change(document, path[0])
    inner = _changed(_get(document, path[:1]), path[1:], change)
    return _put(document, path[0], inner)


def _put(document: Any, key: str, value: Any) -> Any:
    if isinstance(document, dict):
        return {**document, key: value}
    at = _index(key, len(document))
    return [*document[:at], value, *document[at + 1 :]]


def _inserted(document: Any, key: str, value: Any) -> Any:
    if isinstance(document, dict):
        return {**document, key: value}
    if key == "-":
        return [*document, value]
    at = _index(key, len(document) + 1)
    return [*document[:at], value, *document[at:]]


def _without(document: Any, key: str) -> Any:
    if isinstance(document, dict):
        if key not in document:
            raise _Fails
        return {name: value for name, value in document.items() if name != key}
    at = _index(key, len(document))
    return [*document[:at], *document[at + 1 :]]


def _index(key: str, end: int) -> int:
    if not INDEX.fullmatch(key) or not -end <= int(key) < end:
        raise _Fails
    return int(key) % end if int(key) < 0 else int(key)


def _same(one: Any, other: Any) -> bool:
    """Say whether two values are the same JSON: 1 is neither true nor 1.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def merge_patch(held: Json, change: Any) -> Json:
    """Give an object with a merge patch applied: null removes, objects merge, all else replaces."""
    if not isinstance(change, dict):
        said = GO.get(type(change), "null")
        text = f"json: cannot unmarshal {said} into Go value of type map[string]interface {{}}"
        raise Refused(400, "BadRequest", f"error decoding patch: {text}")
    return _merged(held, change)


def _merged(held: Json, change: Json) -> Json:
    merged = dict(held)
    for key, value in change.items():
        inner = held.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = _merged(inner if isinstance(inner, dict) else {}, value)
        else:
            merged[key] = value if isinstance(inner, dict) else _pruned(value)
    return merged


def _pruned(value: Any) -> Any:
    """Give a value without the nulls in its objects; those that are elements of a list stay."""
    if isinstance(value, list):
        return [_pruned(one) for one in value]
    if isinstance(value, dict):
        return {key: _pruned(one) for key, one in value.items() if one is not None}
    return value
