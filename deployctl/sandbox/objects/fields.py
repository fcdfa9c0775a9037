"""What fields the kinds have, and which fields of an object are none of its kind's.

fields.json is written from the Go sources by tests/sandbox/write_fields.py, which says what its words mean.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

Json = dict[str, Any]
TIMES = {"Time", "MicroTime"}
WORDS = {str: "string", bool: "bool", int: "number", float: "number", dict: "object", list: "array"}
MOST_TEMPLATES = 256
_TEMPLATES: OrderedDict[int, Json] = OrderedDict()  # by identity: reading one is most of what a write costs
ZERO = {"string": "", "bool": False, "int32": 0, "int64": 0, "float64": 0, "IntOrString": 0, "Quantity": "0"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `kind` is its Go type, `merge` the key (or "" for plain values) of a list that patches merge."""

    name: str
    kind: str
    omitted: bool = False
    merge: str | None = None
    retain: bool = False
    keys: tuple[str, ...] = ()
    is_set: bool = False
    atomic: bool = False
    go: str = ""  # the name of its type, where the type has another one
    embedded: str = ""  # the type that it comes from, where that is embedded

    @property
    def inner(self) -> str:
        """The type of what is in a list or a map, or behind a pointer."""
        return self.kind.removeprefix("*").removeprefix("[]").removeprefix("map[string]").removeprefix("*")


@cache
def _known() -> dict[str, dict[str, str]]:
    text = resources.files("deployctl.sandbox.objects").joinpath("fields.json").read_text("utf-8")
    known: dict[str, dict[str, str]] = json.loads(text)
    return known


@cache
def fields_of(struct: str) -> dict[str, Field]:
    """Give the fields of a Go struct by their names; none where the type is no struct."""
    return {name: _field(name, text) for name, text in _known().get(struct, {}).items() if name}


@cache
def is_struct(kind: str) -> bool:
    return kind in _known()


@cache
def is_atomic(struct: str) -> bool:
    return _known().get(struct, {}).get("") == "atomic"


def _field(name: str, text: str) -> Field:
    kind, *notes = text.split()
    said = dict(one.partition("=")[::2] for one in notes)
    omitted = "zero" in said or ("omit" in said and not _always(kind))
    keys = tuple(said["keys"].split(",")) if "keys" in said else ()
    return Field(
        name,
        kind,
        omitted,
        said.get("merge"),
        retain="retain" in said,
        keys=keys,
        is_set="set" in said,
        atomic="atomic" in said,
        go=said.get("go", ""),
        embedded=said.get("in", ""),
    )


def _always(kind: str) -> bool:
    """Say whether a type is there even where it is empty: to Go a struct is never empty."""
    return kind in TIMES or kind in {"IntOrString", "Quantity"} or is_struct(kind)


def zero(kind: str) -> Any:
    """Give what Go has where nothing was said."""
    if is_struct(kind):
        return {one.name: zero(one.kind) for one in fields_of(kind).values() if not one.omitted}
    return ZERO.get(kind)


def keep(template: Json) -> None:
    """Remember a pod template as read: no one changes it in place, so it need not be read again in an update."""
    while len(_TEMPLATES) >= MOST_TEMPLATES:
        _TEMPLATES.popitem(last=False)
    _TEMPLATES[id(template)] = template


def kept(value: Json) -> bool:
    return _TEMPLATES.get(id(value)) is value


def unknown(kind: str, one: Json) -> list[str]:
    """Tell of the fields that the kind does not have, as the server does.

    `unknown field "spec.template.spec.containers[0].imag"`: the text of a Warning (code 299), and after
    `strict decoding error: ` the refusal of fieldValidation=Strict.
    """
    return [f'unknown field "{path}"' for path in _unknown(kind, one, "")]


def _unknown(kind: str, value: Any, path: str) -> Iterator[str]:
    kind = kind.removeprefix("*")
    if kind.startswith("[]") and isinstance(value, list):
        for at, item in enumerate(value):
            yield from _unknown(kind[2:], item, f"{path}[{at}]")
    elif kind.startswith("map[string]") and isinstance(value, dict) and is_struct(kind[11:]):
        for name, item in value.items():
            yield from _unknown(kind[11:], item, f"{path}.{name}")
    elif is_struct(kind) and isinstance(value, dict) and not kept(value):
        known = fields_of(kind)
        for name, item in value.items():
            there = f"{path}.{name}" if path else name
            if name not in known:
                yield there
            else:
                yield from _unknown(known[name].kind, item, there)
