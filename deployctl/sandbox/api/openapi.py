"""The little of OpenAPI v3 that kubectl asks for: that a PATCH of each kind takes `fieldValidation`."""

from __future__ import annotations

from functools import cache
from typing import Any

from deployctl.sandbox.resources import RESOURCES, Resource

Json = dict[str, Any]

PARAMETERS = [
    {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
    for name in ("dryRun", "fieldManager", "fieldValidation", "force")
]


def _place(resource: Resource) -> str:
    return f"apis/{resource.api_version}" if resource.group else f"api/{resource.api_version}"


@cache
def documents() -> Json:
    """Name the documents, one a group and version."""
    places = dict.fromkeys(_place(one) for one in RESOURCES)
    return {"paths": {place: {"serverRelativeURL": f"/openapi/v3/{place}?hash=SANDBOX"} for place in places}}


@cache
def document(place: str) -> Json | None:
    """Give the document of `api/v1` or `apis/group/version`; None where there is none."""
    mine = [one for one in RESOURCES if _place(one) == place and "patch" in one.verbs]
    if not any(_place(one) == place for one in RESOURCES):
        return None
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.35.4"},
        "paths": {_path(one): {"patch": _patch(one), "parameters": []} for one in mine},
        "components": {},
    }


def _path(resource: Resource) -> str:
    spaced = "namespaces/{namespace}/" if resource.namespaced else ""
    return f"/{_place(resource)}/{spaced}{resource.name}/{{name}}"


def _patch(resource: Resource) -> Json:
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    return {
        "parameters": PARAMETERS,
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": kind,
    }
