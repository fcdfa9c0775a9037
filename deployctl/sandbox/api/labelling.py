"""Reads label selectors as the server does, with its words where they cannot be read.

k8s.io/apimachinery/pkg/labels/selector.go: `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from deployctl.sandbox.api.refusals import bad_request

Labels = dict[str, str]
Holds = Callable[[Labels], bool]

TOKEN = re.compile(r"\s*(==|!=|[=!(),<>]|[^\s=!(),<>]+)")
SIGNS = frozenset({"=", "==", "!=", "!", "(", ")", ",", "<", ">"})
OPERATORS = frozenset({"in", "notin", "=", "==", "!=", ">", "<"})
END = ""
NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
NAMED = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
VALUED = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
    "validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


class Unreadable(ValueError):
    """One requirement cannot be read."""


@dataclass
class Tokens:
    """What is left to read."""

    found: list[str]

    def peek(self) -> str:
        return self.found[0] if self.found else END

    def take(self) -> str:
        return self.found.pop(0) if self.found else END


def requirements(text: str) -> list[Holds]:
    """Read a whole selector; 400 where that cannot be done."""
    tokens, read = Tokens(TOKEN.findall(text)), list[Holds]()
    while tokens.peek() != END:
        if tokens.peek() in SIGNS - {"!"}:
            raise bad_request(f"found '{tokens.peek()}', expected: !, identifier, or 'end of string'")
        try:
            read.append(_requirement(tokens))
        except Unreadable as why:
            raise bad_request(f"unable to parse requirement: {why}") from why
        _check_end(tokens)
    return read


def _check_end(tokens: Tokens) -> None:
    sign = tokens.take()
    if sign not in {",", END}:
        raise bad_request(f"found '{sign}', expected: ',' or 'end of string'")
    if sign == "," and (tokens.peek() == END or tokens.peek() in SIGNS - {"!"}):
        raise bad_request(f"found '{tokens.peek()}', expected: identifier after ','")


def _requirement(tokens: Tokens) -> Holds:
    absent = tokens.peek() == "!"
    key = (tokens.take(), tokens.take())[1] if absent else tokens.take()
    if key == END or key in SIGNS:
        raise Unreadable(f"found '{key}', expected: identifier")
    if not NAME.fullmatch(key.rpartition("/")[2]):
        raise Unreadable(f'<nil>: Invalid value: "{key}": {NAMED}')
    if absent:
        return lambda labels: key not in labels
    if tokens.peek() in {",", END}:
        return lambda labels: key in labels
    operator = tokens.take()
    if operator not in OPERATORS:
        raise Unreadable(f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")
    values = _several(tokens) if operator in {"in", "notin"} else [_one(tokens)]
    return _held(key, operator, _checked(key, sorted(set(values)), number=operator in {"<", ">"}))


def _one(tokens: Tokens) -> str:
    if tokens.peek() in {",", END}:
        return ""
    value = tokens.take()
    if value in SIGNS:
        raise Unreadable(f"found '{value}', expected: identifier")
    return value


def _several(tokens: Tokens) -> list[str]:
    """Read values in brackets; an empty place between commas is the empty value."""
    sign = tokens.take()
    if sign != "(":
        raise Unreadable(f"found '{sign}' expected: '('")
    if tokens.peek() == END or (tokens.peek() in SIGNS and tokens.peek() not in {")", ","}):
        raise Unreadable(f"found '{tokens.peek()}', expected: ',', ')' or identifier")
    values, value = list[str](), ""
    while (word := tokens.take()) != ")":
        if word == ",":
            values, value = [*values, value], ""
        elif word == END or word in SIGNS:
            raise Unreadable(f"found '{word}', expected: ',', or identifier")
        elif value:
            raise Unreadable(f"found '{word}', expected: ',' or ')'")
        else:
            value = word
    return [*values, value]


def _checked(key: str, values: list[str], *, number: bool) -> list[str]:
    for at, value in enumerate(values):
        if number and not value.lstrip("+-").isdigit():
            why = "for 'Gt', 'Lt' operators, the value must be an integer"
            raise Unreadable(f'values[{at}]: Invalid value: "{value}": {why}')
        if not VALUE.fullmatch(value):
            raise Unreadable(f'values[{at}][{key}]: Invalid value: "{value}": {VALUED}')
    return values


def _held(key: str, operator: str, values: list[str]) -> Holds:
    match operator:
        case "notin" | "!=":
            return lambda labels: labels.get(key) not in values
        case ">":
            return lambda labels: labels.get(key, "").isdigit() and int(labels[key]) > int(values[0])
        case "<":
            return lambda labels: labels.get(key, "").isdigit() and int(labels[key]) < int(values[0])
        case _:
            return lambda labels: labels.get(key) in values
