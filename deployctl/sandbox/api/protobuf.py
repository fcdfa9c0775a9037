"""Reads an object that was sent as protobuf, as kubectl does when it creates some kinds.

The numbers of the fields are in numbers.json, written by tests/sandbox/write_numbers.py.
https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

from deployctl.sandbox.objects.fields import fields_of, is_struct

Json = dict[str, Any]
Value = int | bytes

MAGIC = b"k8s\0"
NEGATIVE = 1 << 63
VARINT, EIGHT, LENGTH, FOUR = 0, 1, 2, 5


def read(data: bytes) -> Json:
    """Read an object with its kind; ValueError where it is none."""
    if not data.startswith(MAGIC):
        raise ValueError("no object of Kubernetes in protobuf")
    envelope = {number: value for number, value in _parts(data[len(MAGIC) :]) if isinstance(value, bytes)}
    meta = {number: value for number, value in _parts(envelope[1]) if isinstance(value, bytes)}
    version, kind = meta[1].decode(), meta[2].decode()
    if not is_struct(kind):
        raise ValueError(f"no kind {kind} in version {version}")
    return {"apiVersion": version, "kind": kind, **_message(kind, kind, envelope[2])}


@cache
def _numbers(message: str) -> dict[int, str]:
    return {int(one.partition("=")[0]): one.partition("=")[2] for one in _every()[message].split()}


@cache
def _every() -> dict[str, str]:
    text = resources.files("deployctl.sandbox.api").joinpath("numbers.json").read_text("utf-8")
    every: dict[str, str] = json.loads(text)
    return every


def _parts(data: bytes) -> Iterator[tuple[int, Value]]:
    """Give each field with its number: a number, or the bytes of a text or message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        match key & 7:
            case 0:
                value, at = _varint(data, at)
                yield key >> 3, value
            case 2:
                size, at = _varint(data, at)
                yield key >> 3, data[at : at + size]
                at += size
            case other:
                at += {EIGHT: 8, FOUR: 4}[other]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _message(message: str, owner: str, data: bytes) -> Json:
    """Read a message, its fields of the kinds that they have in the struct that JSON shows them in."""
    whole: Json = {}
    names, kinds = _numbers(message), fields_of(owner)
    for number, value in _parts(data):
        name = names.get(number, "")
        if name.startswith(":"):
            whole |= _message(name[1:], owner, _bytes(value))
        elif name:
            _put(whole, name, kinds[name].kind.removeprefix("*"), value)
    return whole


def _put(whole: Json, name: str, kind: str, value: Value) -> None:
    if kind.startswith("map[string]"):
        entry = dict(_parts(_bytes(value)))
        inner = _value(kind[11:], entry.get(2, b""))
        whole.setdefault(name, {})[_bytes(entry.get(1, b"")).decode()] = inner
    elif kind.startswith("[]") and kind != "[]byte":
        whole.setdefault(name, []).append(_value(kind[2:], value))
    else:
        whole[name] = _value(kind, value)


def _value(kind: str, value: Value) -> Any:
    kind = kind.removeprefix("*")
    match kind:
        case "string":
            return _bytes(value).decode()
        case "bool":
            return bool(value)
        case "[]byte":
            return base64.b64encode(_bytes(value)).decode()
        case "Quantity":
            return _bytes(dict(_parts(_bytes(value))).get(1, b"0")).decode()
        case "IntOrString":
            return _either(dict(_parts(_bytes(value))))
        case "Time" | "MicroTime":
            return _time(kind, dict(_parts(_bytes(value))))
        case "FieldsV1" | "RawExtension":
            return json.loads(_bytes(dict(_parts(_bytes(value))).get(1, b"{}")))
    if isinstance(value, int):
        return value - (NEGATIVE << 1) if value >= NEGATIVE else value
    return _message(kind, kind, value)


def _either(parts: dict[int, Value]) -> int | str:
    if parts.get(1):
        return _bytes(parts.get(3, b"")).decode()
    return int(_value("int64", parts.get(2, 0)))


def _time(kind: str, parts: dict[int, Value]) -> str | None:
    seconds, nanos = int(parts.get(1, 0)), int(parts.get(2, 0))
    if not seconds:
        return None
    form = "%Y-%m-%dT%H:%M:%SZ" if kind == "Time" else "%Y-%m-%dT%H:%M:%S.%fZ"
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC) + dt.timedelta(microseconds=nanos // 1000)
    return moment.strftime(form)


def _bytes(value: Value) -> bytes:
    if isinstance(value, bytes):
        return value
    raise ValueError("a number where a message was expected")
