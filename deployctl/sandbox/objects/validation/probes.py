"""Probes and hooks of containers."""

from __future__ import annotations

from typing import Any

from deployctl.sandbox.objects.validation.syntax import header, port
from deployctl.sandbox.objects.validation.words import (
    Causes,
    each,
    forbidden,
    invalid,
    not_negative,
    required,
    unsupported,
)

Json = dict[str, Any]

HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
COUNTS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")


def alive(one: Json, grace: int | None, field: str) -> Causes:
    """Check the hooks and the probes."""
    for key in ("postStart", "preStop"):
        hook = (one.get("lifecycle") or {}).get(key)
        if hook is not None:
            yield from _handler(hook, grace, f"{field}.lifecycle.{key}")
    for key in ("livenessProbe", "readinessProbe", "startupProbe"):
        if key in one:
            yield from _probe(one[key], key, grace, f"{field}.{key}")


def _probe(one: Json, kind: str, grace: int | None, field: str) -> Causes:
    yield from _handler(one, grace, field)
    for key in COUNTS:
        yield from not_negative(one.get(key), f"{field}.{key}")
    own = one.get("terminationGracePeriodSeconds")
    if own is not None and own <= 0:
        yield invalid(f"{field}.terminationGracePeriodSeconds", own, "must be greater than 0")
    if kind != "readinessProbe" and one.get("successThreshold") != 1:
        yield invalid(f"{field}.successThreshold", one.get("successThreshold", 0), "must be 1")
    if kind == "readinessProbe" and own is not None:
        told = "must not be set for readinessProbes"
        yield invalid(f"{field}.terminationGracePeriodSeconds", own, told)


def _handler(one: Json, grace: int | None, field: str) -> Causes:
    found = [key for key in HANDLERS if key in one]
    if not found:
        yield required(field, "must specify a handler type")
        return
    yield from _acts(found[0], one[found[0]], grace, f"{field}.{found[0]}")
    yield from (forbidden(f"{field}.{key}", "may not specify more than 1 handler type") for key in found[1:])


def _acts(kind: str, one: Json, grace: int | None, field: str) -> Causes:
    match kind:
        case "exec":
            if not one.get("command"):
                yield required(f"{field}.command")
        case "httpGet":
            yield from each(f"{field}.port", one["port"], port(one["port"]))
            if one.get("scheme") not in {"HTTP", "HTTPS"}:
                yield unsupported(f"{field}.scheme", one.get("scheme", ""), ["HTTP", "HTTPS"])
            for name in (sent.get("name", "") for sent in one.get("httpHeaders") or []):
                yield from each(f"{field}.httpHeaders", name, header(name))
        case "tcpSocket" | "grpc":
            yield from each(f"{field}.port", one["port"], port(one["port"]))
        case "sleep":
            seconds = one.get("seconds", 0)
            if grace is not None and not 0 <= seconds <= grace:
                told = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
                yield invalid(field, seconds, told)
