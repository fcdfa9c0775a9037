"""Kubernetes objects out of YAML, each scalar read as kubectl reads it.

kubectl uses sigs.k8s.io/yaml, that is go-yaml v2 (resolve.go) and then JSON: `on` is true, 017 is 15, 1e3 is 1000,
and a date stays text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from deployctl import document
from deployctl.document import Items, Node, Scalar, Table, is_null, join
from deployctl.errors import Problem, SpecError

TRUE = ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON")
FALSE = ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF")
_INTEGER = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|0|[1-9][0-9]*)")
_OCTAL = re.compile(r"^([-+]?)0(?=[0-7])")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_DOTTED = re.compile(r"\.[0-9]+(_[0-9]+)*([eE][-+]?[0-9]+(_[0-9]+)*)?")  # here `_` joins digits only
_NOT_IN_JSON = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def objects(text: str, file: str) -> tuple[dict[str, Any], ...]:
    """Read the objects of a manifest, Lists flattened; raise SpecError with every problem."""
    documents, problems = document.compose(text, file)
    found = tuple(one for each in documents for one in _flat(each.root, "", problems))
    if problems:
        raise SpecError(problems)
    return found


def _flat(node: Node, path: str, problems: list[Problem]) -> Iterator[dict[str, Any]]:
    if not isinstance(node, Table):
        message = "not a mapping; expected a Kubernetes object"
        problems.append(node.place.problem(path or "document", message))
        return
    items = node.pairs["items"].value if "items" in node.pairs else None
    if not _text(node, "kind").endswith("List") or not isinstance(items, Items):
        yield from _object(node, path, problems)
        return
    for index, one in enumerate(items.values):
        yield from _flat(one, join(path, f"items[{index}]"), problems)


def _object(node: Table, path: str, problems: list[Problem]) -> Iterator[dict[str, Any]]:
    metadata = node.pairs["metadata"].value if "metadata" in node.pairs else None
    named = isinstance(metadata, Table) and _text(metadata, "name")
    given = {"apiVersion": _text(node, "apiVersion"), "kind": _text(node, "kind"), "metadata.name": named}
    missing = [join(path, what) for what, there in given.items() if not there]
    problems += (node.place.problem(what, "missing; expected a Kubernetes object") for what in missing)
    value = _value(node, path, problems)
    if not missing:
        yield value


def _text(node: Table, key: str) -> str:
    """Give the text under a key, or nothing where it holds something else."""
    value = node.pairs[key].value if key in node.pairs else None
    return value.text if isinstance(value, Scalar) and isinstance(scalar(value), str) else ""


def _value(node: Node, path: str, problems: list[Problem]) -> Any:
    match node:
        case Table():
            return _mapping(node, path, problems)
        case Items(values=values):
            return [_value(one, f"{path}[{index}]", problems) for index, one in enumerate(values)]
        case Scalar(plain=True, text=text, place=place) if _NOT_IN_JSON.fullmatch(text):
            problems.append(place.problem(path, f"got {text}; expected a number that JSON can hold"))
            return None
        case Scalar():
            return scalar(node)


def _mapping(node: Table, path: str, problems: list[Problem]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for written, pair in node.pairs.items():
        name, where = _key(pair.key), join(path, written)
        if name is None:
            problems.append(pair.key.place.problem(where, "not text; expected a key in quotes"))
        elif name in whole:
            problems.append(
                pair.key.place.problem(where, f"kubectl reads it as {name}, given twice; expected once")
            )
        else:
            whole[name] = _value(pair.value, where, problems)
    return whole


def _key(key: Scalar) -> str | None:
    """Read a key as kubectl does, `on` as "true" and 017 as "15"; null and 1.10 have no reading to rely on."""
    match scalar(key):
        case bool() as word:
            return str(word).lower()
        case int() | str() as name:
            return str(name)
        case _:
            return None


def scalar(node: Scalar) -> Any:
    """Read one scalar: text in quotes is text, and a plain one what go-yaml v2 takes it for."""
    if not node.plain:
        return node.text
    if is_null(node):
        return None
    if node.text in TRUE or node.text in FALSE:
        return node.text in TRUE
    return _number(node.text) if node.text[0] in "+-.0123456789" else node.text


def _number(text: str) -> int | float | str:
    """Read `1_000`, `017`, `0x1F` and `.5`; what overflows is text, and a whole float an integer, as in JSON."""
    digits = text.replace("_", "") if text[0] != "." or _DOTTED.fullmatch(text) else text
    if _INTEGER.fullmatch(digits) and len(digits) < 70:
        whole = int(_OCTAL.sub(r"\g<1>0o", digits), 0)
        if -(2**63) <= whole < 2**64:
            return whole if whole < 2**63 else float(whole)
    if not _FLOAT.fullmatch(digits) or math.isinf(value := float(digits)):
        return text
    return int(Decimal(repr(value))) if value.is_integer() and abs(value) < 2**63 else value
