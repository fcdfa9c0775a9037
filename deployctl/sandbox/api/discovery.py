"""What the API server says of itself: its version, its health, its groups and resources."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import Any

from deployctl.sandbox.api.accepting import form
from deployctl.sandbox.api.openapi import document, documents
from deployctl.sandbox.api.reviews import SUBRESOURCE_VERBS
from deployctl.sandbox.calls import Answer, Call
from deployctl.sandbox.resources import RESOURCES, Resource

Json = dict[str, Any]

VERSION: Json = {
    "major": "1",
    "minor": "35",
    "emulationMajor": "1",
    "emulationMinor": "35",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "34",
    "gitVersion": "v1.35.4",
    "gitCommit": "",
    "gitTreeState": "",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "gc",
    "platform": "linux/amd64",
}
TEXT = {"Content-Type": "text/plain; charset=utf-8"}
OPENAPI_V2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"  # an empty one: nothing to check
HEALTH = frozenset({"/healthz", "/livez", "/readyz"})
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
KINDS = {  # the kinds of subresources, where they are not those of the resource
    "scale": ("autoscaling", "v1", "Scale"),
    "proxy": ("", "v1", "PodProxyOptions"),
    "eviction": ("policy", "v1", "Eviction"),
}


def answer(call: Call) -> Answer | None:
    """Answer a call that is not about objects; None where it is none of these."""
    path = call.path.rstrip("/") or "/"
    if call.method != "GET":
        return None
    if path in HEALTH:
        return Answer(200, "ok", TEXT)
    if path == "/version":
        return Answer(200, VERSION)
    if path in {"/api", "/apis"}:
        return _groups(call, legacy=path == "/api")
    if path == "/openapi/v2":
        return Answer(200, b"", {"Content-Type": OPENAPI_V2})
    if path.startswith("/openapi/v3"):
        return _openapi(path.removeprefix("/openapi/v3").strip("/"))
    body = _listed().get(path)
    return Answer(200, body) if body else None


def _groups(call: Call, *, legacy: bool) -> Answer:
    if form(call.accept) == "discovery":
        return Answer(200, _aggregated(legacy=legacy), {"Content-Type": AGGREGATED})
    if not legacy:
        return Answer(200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": [*_group_list().values()]})
    cidr = [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:6443"}]
    return Answer(200, {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": cidr})


def _openapi(name: str) -> Answer | None:
    body = document(name) if name else documents()
    return Answer(200, body) if body else None


@cache
def _group_list() -> dict[str, Json]:
    groups: dict[str, Json] = {}
    for one in RESOURCES:
        if one.group and one.group not in groups:
            version = {"groupVersion": one.api_version, "version": one.version}
            groups[one.group] = {"name": one.group, "versions": [version], "preferredVersion": version}
    return groups


@cache
def _listed() -> dict[str, Json]:
    """Give the lists of groups and resources by their paths."""
    lists: dict[str, Json] = {
        f"/apis/{name}": {"kind": "APIGroup", "apiVersion": "v1", **group}
        for name, group in _group_list().items()
    }
    for version in dict.fromkeys(one.api_version for one in RESOURCES):
        path = f"/apis/{version}" if "/" in version else f"/api/{version}"
        mine = sorted((one for one in RESOURCES if one.api_version == version), key=lambda one: one.name)
        known = {"kind": "APIResourceList", **({"apiVersion": "v1"} if "/" in version else {})}
        rows = [row for one in mine for row in _rows(one)]
        lists[path] = {**known, "groupVersion": version, "resources": rows}
    return lists


def _rows(resource: Resource) -> list[Json]:
    row: Json = {
        "name": resource.name,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short:
        row["shortNames"] = list(resource.short)
    if resource.categories:
        row["categories"] = list(resource.categories)
    if "get" in resource.verbs:
        row["storageVersionHash"] = _hash(resource)
    return [row, *(_sub_row(resource, sub) for sub in sorted(resource.subresources))]


def _hash(resource: Resource) -> str:
    """Give the hash of what an object is stored as (k8s.io/apiserver/pkg/endpoints/discovery)."""
    stored = f"{resource.group}/{resource.version}/{resource.kind}"
    return base64.b64encode(hashlib.sha256(stored.encode()).digest()[:8]).decode()


def _sub_row(resource: Resource, sub: str) -> Json:
    row: Json = {"name": f"{resource.name}/{sub}", "singularName": "", "namespaced": resource.namespaced}
    group, version, kind = KINDS.get(sub, ("", "", resource.kind))
    if group:
        row |= {"group": group, "version": version}
    return {**row, "kind": kind, "verbs": list(SUBRESOURCE_VERBS[sub])}


@cache
def _aggregated(*, legacy: bool) -> Json:
    """Give groups, versions and resources in one list, as kubectl asks for them first."""
    groups: dict[tuple[str, str], list[Json]] = {}
    for one in sorted(RESOURCES, key=lambda one: one.name):
        if (one.group == "") is legacy:
            groups.setdefault((one.group, one.version), []).append(_described(one))
    items = [
        {
            "metadata": {"name": group} if group else {},
            "versions": [{"version": version, "resources": rows, "freshness": "Current"}],
        }
        for (group, version), rows in groups.items()
    ]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def _described(resource: Resource) -> Json:
    row: Json = {
        "resource": resource.name,
        "responseKind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    optional = {"shortNames": resource.short, "categories": resource.categories}
    row |= {key: list(value) for key, value in optional.items() if value}
    if resource.subresources:
        row["subresources"] = [_described_sub(resource, sub) for sub in sorted(resource.subresources)]
    return row


def _described_sub(resource: Resource, sub: str) -> Json:
    group, version, kind = KINDS.get(sub, (resource.group, resource.version, resource.kind))
    known = {"group": group, "version": version, "kind": kind}
    return {"subresource": sub, "responseKind": known, "verbs": list(SUBRESOURCE_VERBS[sub])}
