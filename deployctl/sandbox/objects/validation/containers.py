"""Containers: images, ports, environment, mounts, probes, hooks and resources."""

from __future__ import annotations

from typing import Any

from deployctl.sandbox.objects.amounts import amount
from deployctl.sandbox.objects.validation.probes import alive
from deployctl.sandbox.objects.validation.syntax import (
    dns_label,
    env_name,
    label_key,
    port_name,
    port_number,
)
from deployctl.sandbox.objects.validation.words import (
    NOT_NEGATIVE,
    Causes,
    absent,
    duplicate,
    each,
    forbidden,
    invalid,
    required,
    unsupported,
)

Json = dict[str, Any]

PROTOCOLS = ("SCTP", "TCP", "UDP")
PULLS = ("Always", "IfNotPresent", "Never")
TOLD_IN = ("File", "FallbackToLogsOnError")
SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
STANDARD = ("cpu", "memory", "ephemeral-storage")
ONLY_SIDECARS = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")


def containers(spec: Json, volumes: set[str], field: str) -> Causes:
    """Check the containers of a pod."""
    listed = spec.get("containers") or []
    if not listed:
        yield required(field)
    seen: set[str] = set()
    for at, one in enumerate(listed):
        there = f"{field}[{at}]"
        yield from _container(one, volumes, there)
        if one.get("name", "") in seen:
            yield duplicate(f"{there}.name", one.get("name", ""))
        seen.add(one.get("name", ""))
        yield from alive(one, spec.get("terminationGracePeriodSeconds"), there)
    yield from _host_ports(listed, field)


def init_containers(spec: Json, volumes: set[str], field: str) -> Causes:
    """Check the init containers of a pod; those that stay may have probes and hooks."""
    seen = {one.get("name", "") for one in spec.get("containers") or []}
    for at, one in enumerate(spec.get("initContainers") or []):
        there = f"{field}[{at}]"
        yield from _container(one, volumes, there)
        if one.get("name", "") in seen:
            yield duplicate(f"{there}.name", one["name"])
        seen.add(one.get("name", ""))
        if one.get("restartPolicy") == "Always":
            yield from alive(one, spec.get("terminationGracePeriodSeconds"), there)
            continue
        told = "may not be set for init containers without restartPolicy=Always"
        yield from (forbidden(f"{there}.{key}", told) for key in ONLY_SIDECARS if key in one)


def _container(one: Json, volumes: set[str], field: str) -> Causes:
    name = one.get("name", "")
    if not name:
        yield required(f"{field}.name")
    else:
        yield from each(f"{field}.name", name, dns_label(name))
    if not one.get("image"):
        yield required(f"{field}.image")
    told_in = one.get("terminationMessagePolicy", "")
    if told_in not in TOLD_IN:
        yield unsupported(f"{field}.terminationMessagePolicy", told_in, TOLD_IN)
    yield from _ports(one.get("ports") or [], f"{field}.ports")
    yield from _env(one.get("env") or [], f"{field}.env")
    yield from _mounts(one.get("volumeMounts") or [], volumes, f"{field}.volumeMounts")
    if one.get("imagePullPolicy") not in PULLS:
        yield unsupported(f"{field}.imagePullPolicy", one.get("imagePullPolicy", ""), PULLS)
    yield from _resources(one.get("resources") or {}, f"{field}.resources")


def _ports(ports: list[Json], field: str) -> Causes:
    seen: set[str] = set()
    for at, one in enumerate(ports):
        there, name = f"{field}[{at}]", one.get("name", "")
        if name:
            wrong = port_name(name)
            yield from each(f"{there}.name", name, wrong)
            if not wrong and name in seen:
                yield duplicate(f"{there}.name", name)
            seen.add(name)
        if not one.get("containerPort"):
            yield required(f"{there}.containerPort")
        for key in ("containerPort", "hostPort"):
            yield from each(f"{there}.{key}", one.get(key), port_number(one[key]) if one.get(key) else ())
        if one.get("protocol") not in PROTOCOLS:
            yield unsupported(f"{there}.protocol", one.get("protocol", ""), PROTOCOLS)


def _host_ports(listed: list[Json], field: str) -> Causes:
    seen: set[tuple[Any, ...]] = set()
    for at, one in enumerate(listed):
        for index, taken in enumerate(one.get("ports") or []):
            key = (taken.get("protocol"), taken.get("hostIP", ""), taken.get("hostPort"))
            if taken.get("hostPort") and key in seen:
                told = f"{taken['protocol']}/{taken.get('hostIP', '')}/{taken['hostPort']}"
                yield duplicate(f"{field}[{at}].ports[{index}].hostPort", told)
            seen.add(key)


def _env(env: list[Json], field: str) -> Causes:
    for at, one in enumerate(env):
        there, name = f"{field}[{at}]", one.get("name", "")
        if not name:
            yield required(f"{there}.name")
        yield from each(f"{there}.name", name, env_name(name))
        if "valueFrom" in one:
            yield from _source(one, f"{there}.valueFrom")


def _source(one: Json, field: str) -> Causes:
    found = [key for key in SOURCES if key in one["valueFrom"]]
    if not found:
        listed = ", ".join(f"`{key}`" for key in SOURCES[:-1])
        yield invalid(field, "", f"must specify one of: {listed} or `{SOURCES[-1]}`")
    elif one.get("value"):
        yield invalid(field, "", "may not be specified when `value` is not empty")
    elif len(found) > 1:
        yield invalid(field, "", "may not have more than one field specified at a time")


def _mounts(mounts: list[Json], volumes: set[str], field: str) -> Causes:
    seen: set[str] = set()
    for at, one in enumerate(mounts):
        there, path = f"{field}[{at}]", one.get("mountPath", "")
        if not one.get("name"):
            yield required(f"{there}.name")
        if one.get("name", "") not in volumes:
            yield absent(f"{there}.name", one.get("name", ""))
        if not path:
            yield required(f"{there}.mountPath")
        if path in seen:
            yield invalid(f"{there}.mountPath", path, "must be unique")
        seen.add(path)


def _resources(one: Json, field: str) -> Causes:
    limits, requests = one.get("limits") or {}, one.get("requests") or {}
    for key, value in limits.items():
        yield from _resource(key, value, f"{field}.limits[{key}]")
    for key, value in requests.items():
        yield from _resource(key, value, f"{field}.requests[{key}]")
        overcommitted = "/" not in key
        if key not in limits and not overcommitted:
            yield required(f"{field}.limits", "Limit must be set for non overcommitable resources")
        elif key in limits and not overcommitted and amount(value) != amount(limits[key]):
            yield invalid(f"{field}.requests", value, f"must be equal to {key} limit of {limits[key]}")
        elif key in limits and amount(value) > amount(limits[key]):
            told = f"must be less than or equal to {key} limit of {limits[key]}"
            yield invalid(f"{field}.requests", value, told)


def _resource(key: str, value: str, field: str) -> Causes:
    yield from each(field, key, label_key(key))
    if "/" not in key and key not in STANDARD and not key.startswith("hugepages-"):
        yield invalid(field, key, "must be a standard resource type or fully qualified")
        yield invalid(field, key, "must be a standard resource for containers")
    if amount(value) < 0:
        yield invalid(field, value, NOT_NEGATIVE)
