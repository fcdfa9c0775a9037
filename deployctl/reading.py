"""Values out of YAML nodes and back: dataclasses and Structs alike, and all problems at once.

A class that refuses its values raises `ValueError("key: problem; expected ...")`, and the key's place is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from msgspec import inspect

from deployctl import plugins
from deployctl.document import Items, Node, Pair, Place, Scalar, Table, is_null, join
from deployctl.errors import Problem
from deployctl.shapes import (
    UNIT,
    Chosen,
    Shape,
    bare,
    beside,
    expected,
    key,
    kind_of,
    parse,
    shape,
    shown,
    told,
    unknown,
)
from strategies.quantities import Amount

INVALID: Final = object()  # stands for a value whose problems were reported


@dataclass(slots=True)
class Reader:
    """Reads one document: its problems, and every value that was right with its place, by path."""

    problems: list[Problem]
    found: dict[str, tuple[Place, Any]] = field(default_factory=dict)

    def read(self, node: Node, kind: inspect.Type, path: str) -> Any:
        """Read a node as a type, or report what is wrong with it and return INVALID."""
        value = self._value(node, kind, path)
        if value is not INVALID:
            self.found[path] = (node.place, value)
        return value

    def _value(self, node: Node, kind: inspect.Type, path: str) -> Any:
        if group := told(kind, "group"):
            return self._chosen(node, group, path)
        match bare(kind), node:
            case inspect.UnionType(types=types), _:
                return self._either(node, kind, types, path)
            case (inspect.StructType() | inspect.DataclassType()) as one, Table() if one.cls is not Amount:
                return self._built(node, one, path)
            case inspect.DictType(value_type=inner), Table():
                return self._mapping(node, inner, path)
            case inspect.VarTupleType() as several, Items():
                return self._items(node, several, told(kind, "unique"), path)
            case _, Scalar():
                return self._scalar(node, kind, path)
        return self._wrong(node, kind, path)

    def _scalar(self, node: Scalar, kind: inspect.Type, path: str) -> Any:
        value = _parsed(node, kind)
        return self._wrong(node, kind, path) if value is INVALID else value

    def _either(self, node: Node, kind: inspect.Type, types: tuple[inspect.Type, ...], path: str) -> Any:
        among = {type(bare(one)) for one in types}
        fitting = [one for one in types if _fits(node, one, among)]
        if len(fitting) == 1:
            return self.read(node, fitting[0], path)
        values = [value for one in fitting if (value := _parsed(node, one)) is not INVALID]
        return values[0] if values else self._wrong(node, kind, path)

    def _items(self, node: Items, kind: inspect.VarTupleType, unique: str | None, path: str) -> Any:
        before = len(self.problems)
        if len(node.values) < (kind.min_length or 0):
            self._report(node, path, "empty; expected at least one")
        if unique is not None:
            self._once(node, unique, path)
        values = tuple(self.read(one, kind.item_type, f"{path}[{i}]") for i, one in enumerate(node.values))
        return values if len(self.problems) == before else INVALID

    def _once(self, node: Items, unique: str, path: str) -> None:
        """Report items that say the same, in themselves or under the key that must be unique."""
        seen: dict[str, tuple[str, Place]] = {}
        for where, mark in _marks(node, unique, path):
            first, place = seen.setdefault(mark.text, (where, mark.place))
            if first != where:
                again = f"{shown(mark)} again, first at {place.line}:{place.column}"
                self._report(mark, where, f"{again}; expected each once")

    def _mapping(self, node: Table, inner: inspect.Type, path: str) -> Any:
        before = len(self.problems)
        values = {name: self.read(pair.value, inner, join(path, name)) for name, pair in node.pairs.items()}
        return values if len(self.problems) == before else INVALID

    def _built(self, node: Table, kind: Shape, path: str) -> Any:
        before = len(self.problems)
        plugged = beside(kind)
        own = {key(one.name): one for one in kind.fields if one is not plugged}
        rest = {name: pair for name, pair in node.pairs.items() if name not in own}
        asked = {name: one for name, one in own.items() if one.required or name in node.pairs}
        values = {one.name: self._field(node, name, one, path) for name, one in asked.items()}
        if plugged:
            values[plugged.name] = self._one(
                node, rest, told(plugged.type, "group"), path, besides=tuple(own)
            )
        else:
            self._unknown(rest, tuple(own), path)
        return self._construct(node, kind, values, path) if len(self.problems) == before else INVALID

    def _field(self, node: Table, name: str, one: inspect.Field, path: str) -> Any:
        where, kind = join(path, name), kind_of(one)
        if name not in node.pairs:
            return self._report(node, where, f"missing; expected {expected(kind)}")
        return self.read(node.pairs[name].value, kind, where)

    def _construct(self, node: Table, kind: Shape, values: dict[str, Any], path: str) -> Any:
        try:
            return kind.cls(**values)
        except ValueError as error:
            name, colon, message = str(error).partition(": ")
            if colon and name in node.pairs:
                return self._report(node.pairs[name].value, join(path, name), message)
            return self._report(node, path, str(error))

    def _chosen(self, node: Node, group: str, path: str) -> Any:
        if not isinstance(node, Table):
            return self._report(node, path, f"got {shown(node)}; expected {_exactly_one(group)}")
        return self._one(node, node.pairs, group, path)

    def _one(
        self, node: Table, pairs: Mapping[str, Pair], group: str, path: str, *, besides: tuple[str, ...] = ()
    ) -> Any:
        """Read the one key among `pairs` that names a plugin of the group."""
        installed = plugins.names(group)
        named = [name for name in pairs if name in installed]
        strange = {name: pair for name, pair in pairs.items() if name not in installed}
        self._unknown(strange, (*besides, *installed), path)
        if len(named) == 1:
            options = shape(plugins.find(group, named[0]))
            value = self.read(pairs[named[0]].value, options, join(path, named[0]))
            return INVALID if value is INVALID or strange else Chosen(named[0], value)
        if named or not strange:
            self._report(node, path, f"{' and '.join(named) or 'none'} given; expected {_exactly_one(group)}")
        return INVALID

    def _unknown(self, pairs: Mapping[str, Pair], known: tuple[str, ...], path: str) -> None:
        for name, pair in pairs.items():
            self._report(pair.key, join(path, name), unknown(name, known))

    def _wrong(self, node: Node, kind: inspect.Type, path: str) -> Any:
        return self._report(node, path, f"got {shown(node)}; expected {expected(kind)}")

    def _report(self, node: Node, path: str, message: str) -> Any:
        self.problems.append(node.place.problem(path or "document", message))
        return INVALID


def _parsed(node: Node, kind: inspect.Type) -> Any:
    try:
        return parse(node, kind) if isinstance(node, Scalar) else INVALID
    except ValueError:
        return INVALID


def _exactly_one(group: str) -> str:
    return f"exactly one of {', '.join(plugins.names(group)) or f'the plugins of {group}, and none is installed'}"


def _marks(node: Items, unique: str, path: str) -> Iterator[tuple[str, Scalar]]:
    """List what must differ, with its path: the items themselves, or what is under their key."""
    for index, one in enumerate(node.values):
        if isinstance(one, Scalar):
            yield f"{path}[{index}]", one
        elif isinstance(one, Table) and unique in one.pairs:
            mark = one.pairs[unique].value
            if isinstance(mark, Scalar):
                yield f"{path}[{index}].{unique}", mark


def _fits(node: Node, kind: inspect.Type, among: set[type]) -> bool:
    """Tell whether one type of a union is meant by how the node looks; `8080` is never text beside a number."""
    match bare(kind), node:
        case (inspect.VarTupleType(), Items()) | (inspect.DictType(), Table()):
            return True
        case (inspect.VarTupleType() | inspect.DictType(), _):
            return False
        case (inspect.StructType() | inspect.DataclassType()) as one, _ if one.cls is not Amount:
            return isinstance(node, Table)
        case inspect.StrType(), Scalar(plain=True, text=text) if inspect.IntType in among:
            return not is_null(node) and not text.lstrip("-").isdecimal()
        case _:
            return isinstance(node, Scalar) and not is_null(node)


def written(value: Any, *, timed: bool = False) -> Any:
    """Write a value as the JSON that reads back as the same value; `timed` are numbers of seconds."""
    match value:
        case float() | int() if timed:
            return f"{value:.3f}".rstrip("0").rstrip(".") + "s"
        case Amount():
            return str(value) if value.percent else value.value
        case Chosen(kind=kind, options=options):
            return {kind: written(options)}
        case tuple() | list():
            return [written(one) for one in value]
        case dict():
            return {name: written(one) for name, one in value.items()}
        case None | bool() | int() | float() | str():
            return value
        case _:
            return _keys(value)


def _keys(value: Any) -> dict[str, Any]:
    keys: dict[str, Any] = {}
    cls: type = type(value)
    for one in shape(cls).fields:
        part = getattr(value, one.name)
        if told(one.type, "beside"):
            keys |= written(part)
        elif part is not None:
            keys[key(one.name)] = written(part, timed=one.name.endswith(UNIT))
    return keys


def node(value: Any, place: Place) -> Node:
    """Make a node of plain JSON, so that what was written reads back by the same rules."""
    match value:
        case dict():
            return Table(
                place, {k: Pair(Scalar(place, k, plain=True), node(v, place)) for k, v in value.items()}
            )
        case list() | tuple():
            return Items(place, tuple(node(one, place) for one in value))
        case str():
            return Scalar(place, value, plain=False)
        case None:
            return Scalar(place, "null", plain=True)
        case bool():
            return Scalar(place, str(value).lower(), plain=True)
        case _:
            return Scalar(place, repr(value), plain=True)
