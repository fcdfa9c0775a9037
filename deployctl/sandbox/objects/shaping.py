"""Reads an object as the server's Go types do: what is no field or empty is left out, what is always there added."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from deployctl.sandbox.calls import Refused
from deployctl.sandbox.objects.amounts import WRONG, canonical, rounded
from deployctl.sandbox.objects.fields import TIMES, WORDS, Field, fields_of, is_struct, kept, zero
from deployctl.sandbox.resources import BY_KIND

Json = dict[str, Any]

RESOURCES = "map[string]Quantity"
LAYOUTS = {"Time": "2006-01-02T15:04:05Z07:00", "MicroTime": "2006-01-02T15:04:05.000000Z07:00"}
NUMBERS = {"int32": 2**31, "int64": 2**63}
PLAIN: dict[str, type] = {"string": str, "*string": str, "bool": bool, "*bool": bool}
SIMPLE: dict[str, type] = {"string": str, "Duration": str, "bool": bool}
ALPHABET = re.compile(r"[A-Za-z0-9+/]*={0,2}")


class Mistaken(ValueError):
    """A value is of a wrong type, in the words of the server's decoder."""


def decoded(kind: str, one: Any) -> Json:
    """Read an object of a kind; Refused (400) where a value is of a wrong type."""
    try:
        return read(kind, one)
    except Mistaken as wrong:
        version = BY_KIND[kind].version if kind in BY_KIND else "v1"
        message = f'{kind} in version "{version}" cannot be handled as a {kind}: {wrong}'
        raise Refused(400, "BadRequest", message) from wrong


def read(kind: str, one: Any) -> Json:
    """Read an object of a kind; Mistaken where a value is of a wrong type."""
    shaped: Json = _value(kind, one, _Place(Field("", kind), kind, ""))
    return shaped


class _Place:
    """Where a value stands: its field, the struct of that, and the path of the struct."""

    __slots__ = ("above", "field", "struct")

    def __init__(self, field: Field, struct: str, above: str) -> None:
        self.field, self.struct, self.above = field, struct, above

    @property
    def path(self) -> str:
        parts = (self.above, self.field.embedded, self.field.name)
        return ".".join(filter(None, parts))

    def cannot(self, said: str, kind: str) -> Mistaken:
        where = f"Go struct field {self.struct}.{self.path}" if self.path else "Go value"
        return Mistaken(f"json: cannot unmarshal {said} into {where} of type {_named(kind, self.field)}")


def _named(kind: str, field: Field) -> str:
    """Write a type as Go prints it: by its own name, with its package."""
    own = field.go
    if kind == field.kind.removeprefix("*") and own:
        return _go(own)
    if own.startswith("[]") and kind == field.inner:
        return _go(own[2:])
    return _go(kind)


def _go(kind: str) -> str:
    for prefix in ("[]", "map[string]"):
        if kind.startswith(prefix):
            return prefix + _go(kind.removeprefix(prefix))
    if kind in TIMES:
        return "string"
    return kind if kind[0].islower() or kind == "IntOrString" else f"v1.{kind}"


def _value(kind: str, value: Any, at: _Place) -> Any:
    if value is None:
        return _nothing(kind)
    kind = kind.removeprefix("*")
    if kind == "[]byte":
        return _bytes(value, at)
    if kind.startswith("[]"):
        _expect(list, value, kind, at)
        return [_value(kind[2:], item, at) for item in value]
    if kind.startswith("map["):
        _expect(dict, value, kind, at)
        if kind == RESOURCES:
            return {name: _quantity(item, rounded) for name, item in value.items()}
        return {name: _value(kind[11:], item, at) for name, item in value.items()}
    if is_struct(kind):
        _expect(dict, value, kind, at)
        if kept(value):
            return value
        return _struct(kind, value, at.path)
    return _scalar(kind, value, at)


def _nothing(kind: str) -> Any:
    return None if kind.startswith(("*", "[", "map")) else zero(kind)


def _struct(kind: str, value: Json, path: str) -> Json:
    shaped: Json = {}
    known = fields_of(kind)
    for name, item in value.items():
        field = known.get(name)
        if field is None:
            continue
        if type(item) is not PLAIN.get(field.kind):
            item = _value(field.kind, item, _Place(field, kind, path))  # noqa: PLW2901 - the same, read
        if not field.omitted or not _empty(field.kind, item):
            shaped[name] = item
    for field in _always(kind):
        if field.name not in shaped:
            shaped[field.name] = _nothing(field.kind)
    return shaped


@cache
def _always(kind: str) -> tuple[Field, ...]:
    return tuple(field for field in fields_of(kind).values() if not field.omitted)


def _empty(kind: str, item: Any) -> bool:
    return item is None if kind.startswith("*") else not item


def _scalar(kind: str, value: Any, at: _Place) -> Any:
    if kind == "Quantity":
        return _quantity(value)
    if kind == "IntOrString":
        if not isinstance(value, str):
            _expect(int, value, "int32", at)
    elif kind in TIMES:
        _expect(str, value, kind, at)
        _time(kind, value)
    elif kind in SIMPLE:
        _expect(SIMPLE[kind], value, kind, at)
    elif kind in NUMBERS:
        _expect(int, value, kind, at)
        if not -NUMBERS[kind] <= value < NUMBERS[kind]:
            raise at.cannot(f"number {value}", kind)
    return value


def _expect(wanted: type, value: Any, kind: str, at: _Place) -> None:
    if type(value) is wanted:
        return
    said = f"number {value}" if wanted is int and isinstance(value, float) else WORDS.get(type(value), "null")
    raise at.cannot(said, kind)


def _quantity(value: Any, kept: Callable[[str | float], str] = canonical) -> str:
    if value is None:
        return "0"
    if isinstance(value, bool | dict | list):
        raise Mistaken(WRONG)
    try:
        return kept(value)
    except ValueError as wrong:
        raise Mistaken(str(wrong)) from wrong


def _time(kind: str, value: str) -> None:
    try:
        dt.datetime.fromisoformat(value)
    except ValueError as wrong:
        told = f'parsing time "{value}" as "{LAYOUTS[kind]}": cannot parse "{value}" as "2006"'
        raise Mistaken(told) from wrong


def _bytes(value: Any, at: _Place) -> str:
    _expect(str, value, "[]byte", at)
    try:
        base64.b64decode(value, validate=True)
    except binascii.Error as wrong:
        good = ALPHABET.match(value)
        told = f"illegal base64 data at input byte {good.end() if good else 0}"
        raise Mistaken(told) from wrong
    return str(value)
