"""What is wrong with an object, in the server's words (k8s.io/apimachinery/pkg/util/validation/field)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from deployctl.sandbox.calls import Refused
from deployctl.sandbox.resources import Resource

Json = dict[str, Any]

NOT_NEGATIVE = "must be greater than or equal to 0"


class Cause(NamedTuple):
    """One thing that is wrong: `field` is its path, such as `spec.ports[0].port`."""

    reason: str
    message: str
    field: str


Causes = Iterator[Cause]


def invalid(field: str, value: Any, detail: str) -> Cause:
    return Cause("FieldValueInvalid", f"Invalid value: {shown(value)}: {detail}", field)


def required(field: str, detail: str = "") -> Cause:
    return Cause("FieldValueRequired", f"Required value: {detail}" if detail else "Required value", field)


def duplicate(field: str, value: Any) -> Cause:
    return Cause("FieldValueDuplicate", f"Duplicate value: {shown(value)}", field)


def absent(field: str, value: Any) -> Cause:
    return Cause("FieldValueNotFound", f"Not found: {shown(value)}", field)


def unsupported(field: str, value: Any, supported: Iterable[str]) -> Cause:
    values = ", ".join(f'"{one}"' for one in supported)
    message = f"Unsupported value: {shown(value)}: supported values: {values}"
    return Cause("FieldValueNotSupported", message, field)


def forbidden(field: str, detail: str) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {detail}", field)


def too_long(field: str, most: int) -> Cause:
    return Cause("FieldValueTooLong", f"Too long: may not be more than {most} bytes", field)


def shown(value: Any) -> str:
    """Write a value as the server does: JSON, in which Go escapes the signs of HTML, but not in plain strings."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if isinstance(value, str):
        return text
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def not_negative(value: int | None, field: str) -> Causes:
    if value is not None and value < 0:
        yield invalid(field, value, NOT_NEGATIVE)


def each(field: str, value: Any, messages: Iterable[str]) -> Causes:
    """Give a cause for every message about a value."""
    return (invalid(field, value, message) for message in messages)


def refusal(resource: Resource, name: str, causes: list[Cause]) -> Refused:
    """Refuse an object with all that is wrong with it."""
    told = list(dict.fromkeys(f"{one.field}: {one.message}" for one in causes))
    whole = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    named = {"name": name, "group": resource.group, "kind": resource.kind}
    details: Json = {key: value for key, value in named.items() if value}
    details["causes"] = [one._asdict() for one in causes]
    return Refused(422, "Invalid", f'{kind} "{name}" is invalid: {whole}', details)
