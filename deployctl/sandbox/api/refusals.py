"""Every no of the API server, in its own words (k8s.io/apimachinery/pkg/api/errors)."""

from __future__ import annotations

from typing import Any

from deployctl.sandbox.calls import Refused
from deployctl.sandbox.resources import Resource

Json = dict[str, Any]

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"
GENERIC = {
    404: ("NotFound", "the server could not find the requested resource"),
    405: ("MethodNotAllowed", "the server does not allow this method on the requested resource"),
    422: ("Invalid", "the server rejected our request due to an error in our request"),
}


def named(resource: Resource, name: str) -> Json:
    """Name an object as the details of a Status do."""
    every = {"name": name, "group": resource.group, "kind": resource.name}
    return {key: value for key, value in every.items() if value}


def not_found(resource: Resource, name: str) -> Refused:
    return Refused(404, "NotFound", f'{resource.qualified} "{name}" not found', named(resource, name))


def exists(resource: Resource, name: str, *, going: bool = False) -> Refused:
    message = f'{resource.qualified} "{name}" already exists'
    return Refused(
        409,
        "AlreadyExists",
        f"object is being deleted: {message}" if going else message,
        named(resource, name),
    )


def conflict(resource: Resource, name: str, why: str = MODIFIED) -> Refused:
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return Refused(409, "Conflict", message, named(resource, name))


def bad_request(message: str) -> Refused:
    return Refused(400, "BadRequest", message)


def forbidden(resource: Resource, name: str, why: str, causes: list[Json] | None = None) -> Refused:
    whom = f'{resource.qualified} "{name}"' if name else resource.qualified
    details = {**named(resource, name), **({"causes": causes} if causes else {})}
    return Refused(403, "Forbidden", f"{whom} is forbidden: {why}", details)


def invalid(kind: str, group: str, name: str, causes: list[tuple[str, str, str]]) -> Refused:
    """Refuse with 422; each cause is its reason, its message and its field."""
    told = [f"{field}: {message}" for _, message, field in causes]
    every = {"name": name, "group": group, "kind": kind}
    details: Json = {key: value for key, value in every.items() if value}
    details["causes"] = [{"reason": a, "message": b, "field": c} for a, b, c in causes]
    whole = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    whom = f"{kind}.{group}" if group else kind
    return Refused(422, "Invalid", f'{whom} "{name}" is invalid: {whole}', details)


def expired(message: str) -> Refused:
    return Refused(410, "Expired", message)


def generic(code: int) -> Refused:
    """Refuse as the router does, before any resource has looked at the call."""
    reason, message = GENERIC[code]
    return Refused(code, reason, message, {})


def method_not_supported(resource: Resource, verb: str) -> Refused:
    message = f'{verb} is not supported on resources of kind "{resource.qualified}"'
    details = {key: value for key, value in named(resource, "").items() if value}
    return Refused(405, "MethodNotAllowed", message, details)


def no_route(code: int, message: str) -> Refused:
    """Refuse as the router does where no route takes or gives the media type."""
    reason = {406: "NotAcceptable", 415: "UnsupportedMediaType"}[code]
    return Refused(code, reason, message, {})


def unsupported(accepted: tuple[str, ...]) -> Refused:
    message = "the body of the request was in an unknown format - accepted media types include: "
    return Refused(415, "UnsupportedMediaType", message + ", ".join(accepted))


def too_new(version: int, current: int) -> Refused:
    """Refuse a version that is not there yet."""
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    return Refused(
        504,
        "Timeout",
        f"Timeout: Too large resource version: {version}, current: {current}",
        {"causes": causes, "retryAfterSeconds": 1},
        {"Retry-After": "1"},
    )


def unavailable(message: str) -> Refused:
    return Refused(503, "ServiceUnavailable", message)
