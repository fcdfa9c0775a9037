"""Who wrote which field: metadata.managedFields, after a write that is no server-side apply.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from deployctl.sandbox.objects.fields import Field, fields_of, is_atomic, is_struct, zero
from deployctl.sandbox.objects.fieldsets import Path, merged, tree, without
from deployctl.sandbox.store import moment

Json = dict[str, Any]

ABSENT: Any = object()
NOBODYS: set[Path] = {("f:apiVersion",), ("f:kind",), ("f:metadata",)}
COUNTED = frozenset(
    (
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "generation",
        "managedFields",
        "resourceVersion",
    )
)
STATUS: Path = ("f:status",)
KEPT_BY_STATUS: dict[str, tuple[Path, ...]] = {  # what a write of the status cannot change
    "Deployment": (("f:spec",), ("f:metadata", "f:labels")),
    "ReplicaSet": (("f:spec",),),
    "StatefulSet": (("f:spec",),),
    "Pod": (("f:spec",), ("f:metadata", "f:deletionTimestamp"), ("f:metadata", "f:ownerReferences")),
}


@dataclass
class _Changes:
    """The fields that a write has changed or added, and those that it has removed."""

    written: list[Path] = field(default_factory=list)
    removed: list[Path] = field(default_factory=list)


def managed(  # noqa: PLR0913, PLR0917 - an entry is all of this
    before: Json | None, after: Json, manager: str, api_version: str, at: str, subresource: str = ""
) -> list[Json]:
    """Give the managedFields of `after`: what changed is the manager's, and no longer anybody else's."""
    kind = after["kind"]
    changes = _Changes()
    _compare(_item(kind), _bare(before) if before else zero(kind), _bare(after), (), changes)
    written = [path for path in _free(kind, subresource, changes.written) if path not in NOBODYS]
    removed = _free(kind, subresource, changes.removed)
    held = (before or after)["metadata"].get("managedFields") or []
    entries = [left for one in held if (left := _less(one, [*written, *removed])) is not None]
    mine = {"manager": manager or "unknown", "operation": "Update", "apiVersion": api_version}
    if subresource:
        mine["subresource"] = subresource
    if written:
        entries = _more(entries, mine, written, at)
    return sorted(entries, key=_rank)


def _bare(one: Json) -> Json:
    return {**one, "metadata": {key: value for key, value in one["metadata"].items() if key not in COUNTED}}


def _free(kind: str, subresource: str, paths: Iterable[Path]) -> list[Path]:
    """Leave out what this write could not change: the status, or all but the status."""
    kept = KEPT_BY_STATUS.get(kind, (("f:spec",),)) if subresource == "status" else _status(kind)
    return [path for path in paths if not any(path[: len(one)] == one for one in kept)]


def _status(kind: str) -> tuple[Path, ...]:
    return (STATUS,) if "status" in fields_of(kind) else ()


def _less(entry: Json, paths: list[Path]) -> Json | None:
    """Give an entry without some fields; None where nothing is left of it."""
    fields = entry.get("fieldsV1") or {}
    for path in paths:
        fields = without(fields, path)
    if not fields:
        return None
    return entry if fields is entry.get("fieldsV1") else {**entry, "fieldsV1": fields}


def _more(entries: list[Json], mine: Json, paths: list[Path], at: str) -> list[Json]:
    """Give the entries with some fields more in the manager's own, which is of this moment now."""
    own = next((one for one in entries if _identity(one) == _identity(mine)), {})
    fields = merged(own.get("fieldsV1") or {}, tree(paths))
    entry = {"manager": mine["manager"], "operation": "Update", "apiVersion": mine["apiVersion"], "time": at}
    entry |= {"fieldsType": "FieldsV1", "fieldsV1": fields}
    if "subresource" in mine:
        entry["subresource"] = mine["subresource"]
    return [*(one for one in entries if one is not own), entry]


def _identity(entry: Json) -> tuple[str, ...]:
    return tuple(entry.get(key, "") for key in ("manager", "operation", "apiVersion", "subresource"))


def _rank(entry: Json) -> tuple[Any, ...]:
    time = int(moment(entry["time"])) if entry.get("time") else 0
    return (
        entry["operation"],
        time,
        entry.get("manager", ""),
        entry.get("apiVersion", ""),
        entry.get("subresource", ""),
    )


def _compare(one: Field, before: Any, after: Any, path: Path, changes: _Changes) -> None:
    """Note what of a value was written or removed; ABSENT where there is none."""
    if before is after or before == after:
        return
    if not _granular(one) or not (_filled(before) or _filled(after)):
        if after is ABSENT:
            changes.removed.append(path)
        else:
            changes.written.append(path)
        return
    for element, inner, old, new in _children(one, before, after):
        _compare(inner, old, new, (*path, element), changes)
    if before is ABSENT:
        changes.written.append(path)
    elif after is ABSENT:
        changes.removed.append(path)


def _granular(one: Field) -> bool:
    """Say whether what is in a value is owned bit by bit."""
    kind = one.kind.removeprefix("*")
    if kind.startswith("[]"):
        return bool(one.keys) or one.is_set
    return not one.atomic and (kind.startswith("map[") or (is_struct(kind) and not is_atomic(kind)))


def _filled(value: Any) -> bool:
    return value is not ABSENT and bool(value)


def _children(one: Field, before: Any, after: Any) -> Iterator[tuple[str, Field, Any, Any]]:
    """Give what is in two values, side by side: how it is called, what it is, and both of it."""
    kind = one.kind.removeprefix("*")
    if kind.startswith("[]"):
        old, new = _elements(one, before), _elements(one, after)
        for name in old.keys() | new.keys():
            yield name, _item(one.inner), old.get(name, ABSENT), new.get(name, ABSENT)
        return
    old, new = (value if _filled(value) else {} for value in (before, after))
    known = fields_of(kind)
    for name in old.keys() | new.keys():
        inner = known.get(name) if known else _item(one.inner)
        if inner:
            yield f"f:{name}", inner, old.get(name, ABSENT), new.get(name, ABSENT)


@cache
def _item(kind: str) -> Field:
    return Field("", kind)


def _elements(one: Field, value: Any) -> Json:
    """Give the elements of a list by what tells them apart."""
    if not _filled(value):
        return {}
    if one.is_set:
        return {f"v:{json.dumps(item)}": item for item in value}
    return {f"k:{_written({key: item.get(key) for key in sorted(one.keys)})}": item for item in value}


def _written(keys: Json) -> str:
    return json.dumps(keys, separators=(",", ":"), ensure_ascii=False)
