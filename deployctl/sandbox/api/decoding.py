"""From the body of a call to an object of a resource: its kind, its unknown fields, and who hears of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deployctl.sandbox.api import refusals
from deployctl.sandbox.api.twice import Twice
from deployctl.sandbox.calls import Refused
from deployctl.sandbox.objects import fields
from deployctl.sandbox.objects.defaulting import defaulted
from deployctl.sandbox.resources import RESOURCES, Resource

Json = dict[str, Any]

OTHERS = frozenset({"Secret", "ServiceAccount", "Endpoints", "PersistentVolumeClaim", "LimitRange"})
STRUCT = (
    'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
)
SHOWN_BYTES = 30
KINDS = {(one.api_version, one.kind) for one in RESOURCES} | {("autoscaling/v1", "Scale")}


def read(resource: Resource, body: Any, query: Mapping[str, str]) -> tuple[Json, list[str]]:
    """Read what was sent as an object of a resource, with its defaults; give it, and the warnings about it."""
    check_kind(resource.kind, resource.api_version, body)
    twice = body.texts if isinstance(body, Twice) else ()
    body = _sent(dict(body))
    unknown = [*twice, *fields.unknown(resource.kind, body)]
    one = defaulted(resource.name, body)
    if unknown and _wish(query) == "Strict":
        kind, told = resource.kind, _strictly(unknown)
        raise refusals.bad_request(
            f'{kind} in version "{resource.version}" cannot be handled as a {kind}: {told}'
        )
    return one, _warnings(unknown, query)


def read_patched(
    resource: Resource, patched: Json, query: Mapping[str, str], patch: Any
) -> tuple[Json, list[str]]:
    """Read an object after a patch; what is wrong with it is told of the `patch`: its map, or None for the whole."""
    patched = _sent(patched)
    unknown = fields.unknown(resource.kind, patched)
    try:
        one = defaulted(resource.name, patched)
    except Refused as wrong:
        raise _bad_patch(patched, patch, str(wrong.__cause__)) from wrong
    if unknown and _wish(query) == "Strict":
        raise _bad_patch(patched, patch, _strictly(unknown))
    return one, _warnings(unknown, query)


def _strictly(unknown: list[str]) -> str:
    return f"strict decoding error: {', '.join(unknown)}"


def _sent(body: Json) -> Json:
    """Leave out who owns which field: that is for the server to say."""
    meta = body.get("metadata")
    if not isinstance(meta, dict) or "managedFields" not in meta:
        return body
    return {**body, "metadata": {key: value for key, value in meta.items() if key != "managedFields"}}


def _bad_patch(patched: Json, patch: Any, why: str) -> Refused:
    shown = json.dumps(patched, separators=(",", ":"), sort_keys=True) if patch is None else go(patch)
    message = f"Invalid value: {json.dumps(shown, ensure_ascii=False)}: {why}"
    return refusals.invalid("", "", "", [("FieldValueInvalid", message, "patch")])


def go(value: Any) -> str:
    """Write a value as Go's %+v does: map[a:1 b:[x y]]."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{go(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(go, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return "<nil>" if value is None else str(value)


def _wish(query: Mapping[str, str]) -> str:
    return query.get("fieldValidation") or "Warn"


def _warnings(unknown: list[str], query: Mapping[str, str]) -> list[str]:
    return unknown if _wish(query) == "Warn" else []


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A body that is no JSON, as it came."""

    raw: bytes
    why: str


def _unread(body: Any) -> str:
    """Say why a body is no object, and show its beginning."""
    if body is None:
        return "unexpected end of JSON input (<empty>)"
    if isinstance(body, Unreadable):
        return f"{body.why} ({_summary(body.raw)})"
    raw = json.dumps(body, separators=(",", ":")).encode()
    go_type = fields.WORDS.get(type(body), "number")
    return f"json: cannot unmarshal {go_type} into Go value of type {STRUCT} ({_summary(raw)})"


def _summary(raw: bytes) -> str:
    more = " ..." if len(raw) > SHOWN_BYTES else ""
    head = raw[:SHOWN_BYTES]
    return (head.decode(errors="replace") if raw.startswith(b"{") else head.hex()) + more


def check_kind(kind: str, api_version: str, body: Any) -> None:
    """Refuse what is no object, or one of another kind."""
    if not isinstance(body, dict):
        raise refusals.bad_request(
            f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; "
            f"json parse error: {_unread(body)}"
        )
    sent, version = body.get("kind") or kind, body.get("apiVersion") or api_version
    if (sent, version) == (kind, api_version):
        return
    short = version.rpartition("/")[2]
    if (version, sent) not in KINDS and not (version == "v1" and sent in OTHERS):
        raise refusals.bad_request(
            f'{sent} in version "{short}" cannot be handled as a {kind}: '
            f'no kind "{sent}" is registered for version "{version}" in scheme "pkg/runtime/scheme.go:111"'
        )
    if version != api_version and sent not in OTHERS:
        raise refusals.bad_request(
            f"the API version in the data ({version}) does not match the expected API version ({api_version})"
        )
    raise refusals.bad_request(
        f'{sent} in version "{short}" cannot be handled as a {kind}: '
        f"converting (v1.{sent}) to (core.{kind}): unknown conversion"
    )
