"""The types that a spec file is read by: what each is called in YAML, what it takes, and one value of it.

A field `bake_seconds: float` is the key `bake` with a unit, an `Amount` is `3` or `25%`, and a `Chosen` is the one
key that names a plugin.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from deployctl.document import Items, Node, Scalar, Table, is_null
from deployctl.errors import DeployctlError
from strategies.quantities import Amount, seconds

UNIT = "_seconds"
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_TRUTH = re.compile("true|false")

_PLAINLY = {inspect.BoolType: "true or false", inspect.StrType: "text", inspect.VarTupleType: "a list"}

Number = TypeVar("Number", int, float)


class Chosen(msgspec.Struct, frozen=True):
    """The one plugin that a key named, with an instance of the plugin's class."""

    kind: str
    options: Any


class DurationType(inspect.Type):
    """A float that is written with its unit."""


Shape = inspect.DataclassType | inspect.StructType
READABLE = (
    inspect.StrType,
    inspect.IntType,
    inspect.FloatType,
    inspect.BoolType,
    inspect.LiteralType,
    inspect.NoneType,
    inspect.DataclassType,
    inspect.StructType,
)


@cache
def shape(cls: type) -> Shape:
    """Give the type tree of a dataclass or Struct."""
    try:
        kind = inspect.type_info(cls)
    except TypeError as error:
        raise DeployctlError(f"{cls.__module__}.{cls.__qualname__}: {error}") from error
    if not isinstance(kind, Shape):
        raise DeployctlError(f"{cls}: not a dataclass or Struct, so it cannot say its options")
    for one in kind.fields:
        if strange := next((part for part in _parts(one.type) if not isinstance(part, READABLE)), None):
            what = type(strange).__name__.removesuffix("Type")
            raise DeployctlError(f"{cls.__qualname__}.{one.name}: {what} cannot be read from a spec file")
    return kind


def _parts(kind: inspect.Type) -> Iterator[inspect.Type]:
    """Take apart what holds other types."""
    match bare(kind):
        case inspect.UnionType(types=types):
            for one in types:
                yield from _parts(one)
        case inspect.VarTupleType(item_type=inner) | inspect.DictType(value_type=inner):
            yield from _parts(inner)
        case one:
            yield one


def key(name: str) -> str:
    """Name the key of a field: `keep_old_seconds` is `keepOld`."""
    first, *more = name.removesuffix(UNIT).split("_")
    return first + "".join(map(str.capitalize, more))


def default(one: inspect.Field) -> Any:
    """Give what a field is where nothing is said; nothing that it could be where it must be said."""
    if one.default_factory is not msgspec.NODEFAULT:
        return one.default_factory()
    return one.default


def kind_of(one: inspect.Field) -> inspect.Type:
    """Give what a field takes where it is given: with its unit, and never null, which says nothing."""
    kind = _timed(one.type) if one.name.endswith(UNIT) else one.type
    if not isinstance(kind, inspect.UnionType):
        return kind
    types = tuple(each for each in kind.types if not isinstance(each, inspect.NoneType))
    return types[0] if len(types) == 1 else inspect.UnionType(types)


def _timed(kind: inspect.Type) -> inspect.Type:
    match kind:
        case inspect.FloatType():
            return DurationType()
        case inspect.UnionType(types=types):
            return inspect.UnionType(tuple(map(_timed, types)))
        case _:
            return kind


def bare(kind: inspect.Type) -> inspect.Type:
    return kind.type if isinstance(kind, inspect.Metadata) else kind


def told(kind: inspect.Type, what: str) -> Any:
    """Look up what the annotation of a type says besides its type."""
    return (kind.extra or {}).get(what) if isinstance(kind, inspect.Metadata) else None


def beside(kind: Shape) -> inspect.Field | None:
    """Find the field whose plugin's key stands among the keys of the class itself."""
    return next((one for one in kind.fields if told(one.type, "beside")), None)


def expected(kind: inspect.Type) -> str:
    """Say in words what a type takes."""
    if words := told(kind, "expected"):
        return str(words)
    match bare(kind):
        case DurationType():
            return "a duration with a unit such as 30s"
        case inspect.DataclassType(cls=cls) if cls is Amount:
            return "a count such as 3 or a percentage such as 25%"
        case inspect.LiteralType(values=values):
            return one_of(map(str, values))
        case inspect.UnionType(types=types):
            return " or ".join(map(expected, types))
        case inspect.IntType(ge=least, le=most):
            return "a whole number" + _bounds(least, most)
        case inspect.FloatType(ge=least, le=most):
            return "a number" + _bounds(least, most)
        case other:
            return _PLAINLY.get(type(other), "a mapping")


def _bounds(least: float | None, most: float | None) -> str:
    if least is None:
        return f" of at most {most}" if most is not None else ""
    return f" from {least} to {most}" if most is not None else f" of at least {least}"


def one_of(names: Iterable[str]) -> str:
    names = tuple(names)
    return names[0] if len(names) == 1 else "one of " + ", ".join(names)


def unknown(name: str, known: Iterable[str]) -> str:
    known = tuple(known)
    near = difflib.get_close_matches(name, known, n=1)
    return f"unknown; expected {one_of(known)}" + "".join(f"; did you mean {one}?" for one in near)


def shown(node: Node) -> str:
    """Say what was written, in at most 40 characters."""
    match node:
        case Items():
            return "a list"
        case Table():
            return "a mapping"
        case _ if is_null(node):
            return "nothing"
        case Scalar(text=text, plain=plain):
            short = text if len(text) <= 40 else text[:37] + "..."
            return short if plain and "\n" not in short else json.dumps(short, ensure_ascii=False)


def parse(node: Scalar, kind: inspect.Type) -> Any:
    """Read one scalar as one type; raise ValueError where it is not of it."""
    match bare(kind):
        case DurationType():
            return seconds(node.text)
        case inspect.DataclassType(cls=cls) if cls is Amount:
            return Amount.parse(node.text)
        case inspect.LiteralType(values=values):
            return dict(zip(map(str, values), values, strict=True)).get(node.text) or _refuse(node)
        case inspect.IntType() as whole:
            return _within(int(_plain(node, _INTEGER)), whole)
        case inspect.FloatType() as number:
            return _within(float(_plain(node, _NUMBER)), number)
        case inspect.BoolType():
            return _plain(node, _TRUTH) == "true"
        case inspect.StrType() as text:
            return _worded(node, text)
        case _:
            return _refuse(node)


def _refuse(node: Scalar) -> Any:
    raise ValueError(node.text)


def _plain(node: Scalar, pattern: re.Pattern[str]) -> str:
    return node.text if node.plain and pattern.fullmatch(node.text) else str(_refuse(node))


def _within(value: Number, kind: inspect.IntType | inspect.FloatType) -> Number:
    least, most = kind.ge, kind.le
    if (
        not math.isfinite(value)
        or (least is not None and value < least)
        or (most is not None and value > most)
    ):
        raise ValueError(value)
    return value


def _worded(node: Scalar, kind: inspect.StrType) -> str:
    pattern = re.sub(r"\$$", r"\\Z", kind.pattern or "")  # `$` of JSON Schema is the very end
    fits = (kind.min_length or 0) <= len(node.text) <= (kind.max_length or math.inf)
    if is_null(node) or not fits or not re.search(pattern, node.text):
        raise ValueError(node.text)
    return node.text
