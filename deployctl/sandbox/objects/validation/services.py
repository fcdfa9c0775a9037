"""Services."""

from __future__ import annotations

from typing import Any

from deployctl.sandbox.objects.validation.containers import PROTOCOLS
from deployctl.sandbox.objects.validation.metadata import labels
from deployctl.sandbox.objects.validation.syntax import dns_label, port, port_number, subdomain
from deployctl.sandbox.objects.validation.words import (
    Causes,
    duplicate,
    each,
    forbidden,
    invalid,
    required,
    unsupported,
)

Json = dict[str, Any]

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
AFFINITIES = ("ClientIP", "None")
POLICIES = ("Cluster", "Local")
NOT_OUTSIDE = ("clusterIPs", "ipFamilies", "ipFamilyPolicy")


def service(one: Json, before: Json | None) -> Causes:
    """Check a Service."""
    spec = one["spec"]
    kind, ports = spec.get("type", ""), spec.get("ports") or []
    if before:
        yield from _addresses_kept(spec, before["spec"])
    if not ports and not _headless(spec) and kind != "ExternalName":
        yield required("spec.ports")
    yield from _type(spec, kind)
    yield from _ports(ports)
    yield from labels(spec.get("selector"), "spec.selector")
    if spec.get("sessionAffinity") not in AFFINITIES:
        yield unsupported("spec.sessionAffinity", spec.get("sessionAffinity", ""), AFFINITIES)
    if kind not in TYPES:
        yield unsupported("spec.type", kind, TYPES)
    yield from _numbers(ports, kind)
    if spec.get("allocateLoadBalancerNodePorts") is not None and kind != "LoadBalancer":
        yield forbidden(
            "spec.allocateLoadBalancerNodePorts", "may only be used when `type` is 'LoadBalancer'"
        )
    yield from _traffic(spec)


def _headless(spec: Json) -> bool:
    return spec.get("clusterIP") == "None" or spec.get("clusterIPs") == ["None"]


def _addresses_kept(spec: Json, before: Json) -> Causes:
    if "ExternalName" in {spec.get("type"), before.get("type")} or (_headless(spec) and _headless(before)):
        return
    now, then = spec.get("clusterIPs") or [], before.get("clusterIPs") or []
    if then and not now:
        yield invalid("spec.clusterIPs[0]", None, "primary clusterIP can not be unset")
    elif then and spec.get("clusterIP") not in {None, then[0]}:
        yield invalid("spec.clusterIPs[0]", [spec["clusterIP"]], "may not change once set")
    elif then and now[0] != then[0]:
        yield invalid("spec.clusterIPs[0]", now, "may not change once set")


def _type(spec: Json, kind: str) -> Causes:
    if kind in {"LoadBalancer", "NodePort"} and _headless(spec):
        yield invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services")
    if kind != "ExternalName":
        return
    told = "may not be set for ExternalName services"
    yield from (forbidden(f"spec.{key}", told) for key in NOT_OUTSIDE if spec.get(key))
    outside = spec.get("externalName", "").removesuffix(".")
    if outside:
        yield from each("spec.externalName", outside, subdomain(outside))
    else:
        yield required("spec.externalName")


def _ports(ports: list[Json]) -> Causes:
    seen: set[str] = set()
    for at, one in enumerate(ports):
        there, name = f"spec.ports[{at}]", one.get("name", "")
        if len(ports) > 1 and not name:
            yield required(f"{there}.name")
        elif name:
            yield from each(f"{there}.name", name, dns_label(name))
            if name in seen:
                yield duplicate(f"{there}.name", name)
            seen.add(name)
        yield from each(f"{there}.port", one.get("port", 0), port_number(one.get("port", 0)))
        if one.get("protocol") not in PROTOCOLS:
            yield unsupported(f"{there}.protocol", one.get("protocol", ""), PROTOCOLS)
        target = one.get("targetPort", 0)
        yield from each(f"{there}.targetPort", target, port(target))


def _numbers(ports: list[Json], kind: str) -> Causes:
    if kind == "ClusterIP":
        told = "may not be used when `type` is 'ClusterIP'"
        taken = (at for at, one in enumerate(ports) if one.get("nodePort"))
        yield from (forbidden(f"spec.ports[{at}].nodePort", told) for at in taken)
    outside: set[tuple[str, int]] = set()
    inside: set[tuple[str, int]] = set()
    for at, one in enumerate(ports):
        key = (one.get("protocol", ""), one.get("nodePort", 0))
        if key[1] and key in outside:
            yield duplicate(f"spec.ports[{at}].nodePort", key[1])
        outside.add(key)
    for at, one in enumerate(ports):
        key = (one.get("protocol", ""), one.get("port", 0))
        if key in inside:
            yield duplicate(f"spec.ports[{at}]", _internal(*key))
        inside.add(key)


def _internal(protocol: str, number: int) -> Json:
    """Give a port as the server's own type has it."""
    return {
        "Name": "",
        "Protocol": protocol,
        "AppProtocol": None,
        "Port": number,
        "TargetPort": 0,
        "NodePort": 0,
    }


def _traffic(spec: Json) -> Causes:
    outside = spec.get("externalTrafficPolicy")
    if outside and not (spec.get("type") in {"NodePort", "LoadBalancer"} or spec.get("externalIPs")):
        told = "may only be set for externally-accessible services"
        yield invalid("spec.externalTrafficPolicy", outside, told)
    elif outside and outside not in POLICIES:
        yield unsupported("spec.externalTrafficPolicy", outside, POLICIES)
    inside = spec.get("internalTrafficPolicy", "Cluster")
    if inside not in POLICIES:
        yield unsupported("spec.internalTrafficPolicy", inside, POLICIES)
