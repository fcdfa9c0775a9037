"""Kinds with little to get wrong: ConfigMaps, Leases and ResourceQuotas."""

from __future__ import annotations

from typing import Any

from deployctl.sandbox.objects.amounts import amount
from deployctl.sandbox.objects.validation.syntax import config_key, label_key
from deployctl.sandbox.objects.validation.words import (
    NOT_NEGATIVE,
    Causes,
    each,
    forbidden,
    invalid,
    too_long,
    unsupported,
)

Json = dict[str, Any]

MOST_BYTES = 1024 * 1024
FAMILIES = ("FQDN", "IPv4", "IPv6")
COUNTED = {
    *("pods", "services", "services.nodeports", "services.loadbalancers", "configmaps", "secrets"),
    *("replicationcontrollers", "resourcequotas", "persistentvolumeclaims"),
}
MEASURED = {
    f"{prefix}{name}"
    for prefix in ("", "requests.", "limits.")
    for name in ("cpu", "memory", "ephemeral-storage")
} | {"requests.storage"}


def config_map(one: Json, before: Json | None) -> Causes:
    """Check a ConfigMap."""
    if before and before.get("immutable"):
        told = "field is immutable when `immutable` is set"
        if not one.get("immutable"):
            yield forbidden("immutable", told)
        yield from (forbidden(key, told) for key in ("data", "binaryData") if one.get(key) != before.get(key))
    data, binary = one.get("data") or {}, one.get("binaryData") or {}
    for key in data:
        yield from each(f"data[{key}]", key, config_key(key))
        if key in binary:
            yield invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
    for key in binary:
        yield from each(f"binaryData[{key}]", key, config_key(key))
    if sum(len(value.encode()) for value in [*data.values(), *binary.values()]) > MOST_BYTES:
        yield too_long("[]", MOST_BYTES)


def lease(one: Json, _before: Json | None) -> Causes:
    """Check a Lease."""
    spec = one.get("spec") or {}
    seconds, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if seconds is not None and seconds <= 0:
        yield invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0")
    if transitions is not None and transitions < 0:
        yield invalid("spec.leaseTransitions", transitions, NOT_NEGATIVE)


def quota(one: Json, _before: Json | None) -> Causes:
    """Check a ResourceQuota."""
    for key, value in ((one.get("spec") or {}).get("hard") or {}).items():
        field = f"spec.hard[{key}]"
        yield from each(field, key, label_key(key))
        if "/" not in key and key not in COUNTED | MEASURED:
            yield invalid(field, key, "must be a standard resource type or fully qualified")
            yield invalid(field, key, "must be a standard resource for quota")
        if amount(value) < 0:
            yield invalid(field, value, NOT_NEGATIVE)
        if (key in COUNTED or key.startswith("count/")) and amount(value) % 1:
            yield invalid(field, value, "must be an integer")


def endpoint_slice(one: Json, _before: Json | None) -> Causes:
    """Check an EndpointSlice."""
    if one.get("addressType", "") not in FAMILIES:
        yield unsupported("addressType", one.get("addressType", ""), FAMILIES)
