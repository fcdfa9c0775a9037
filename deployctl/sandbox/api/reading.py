"""Reads of the API server: one object, a list of them page by page, and the forms they are shown in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployctl.sandbox.api import refusals
from deployctl.sandbox.api.accepting import Form, form
from deployctl.sandbox.api.paging import exact, limit, page, parsed_version
from deployctl.sandbox.api.routing import Target
from deployctl.sandbox.api.selecting import selector
from deployctl.sandbox.calls import Answer, Call
from deployctl.sandbox.resources import Resource
from deployctl.sandbox.store import Store
from deployctl.sandbox.tables.table import table

Json = dict[str, Any]

MATCHES = frozenset({"", "Exact", "NotOlderThan"})
TYPED = frozenset({"kind", "apiVersion"})
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def get(store: Store, at: Target, call: Call) -> Answer:
    """Answer with one object."""
    _check_version(store, call.query)
    return shown(store, at.resource, held(store, at), call)


def held(store: Store, at: Target) -> Json:
    """Give the object that a path names; 404 where there is none."""
    found = store.get(at.resource.name, at.namespace, at.name)
    if found is None:
        raise refusals.not_found(at.resource, at.name)
    return found


def shown(store: Store, resource: Resource, one: Json, call: Call, code: int = 200) -> Answer:
    """Answer with an object in the form that the client accepts."""
    match form(call.accept):
        case "table":
            return Answer(code, tabled(store, resource, [one], call.query, one["metadata"]))
        case "metadata":
            return Answer(code, partial(one))
        case _:
            return Answer(code, one)


def list_of(store: Store, at: Target, call: Call) -> Answer:
    """Answer with a list, or with a page of it."""
    _check(call.query)
    limit(call.query)
    _check_version(store, call.query)
    wanted = selector(at.resource, call.query.get("labelSelector", ""), call.query.get("fieldSelector", ""))
    if call.query.get("limit", "0") != "0" or "continue" in call.query or exact(call.query):
        items, meta = page(store, at, wanted, call.query)
    else:
        every = store.list(at.resource.name, at.namespace)
        items = [one for one in every if wanted(one)] if wanted else every
        meta = {"resourceVersion": str(store.version)}
    wanted_form = form(call.accept, streamed=True)
    if wanted_form == "table":
        return Answer(200, tabled(store, at.resource, items, call.query, meta))
    return Answer(200, _listed(at.resource, items, meta, wanted_form))


def _listed(resource: Resource, items: list[Json], meta: Json, wanted: Form) -> Json:
    if wanted == "metadata":
        typed = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1"}
        return {**typed, "metadata": meta, "items": [partial(one) for one in items]}
    untyped = [{key: value for key, value in one.items() if key not in TYPED} for one in items]
    return {
        "kind": f"{resource.kind}List",
        "apiVersion": resource.api_version,
        "metadata": meta,
        "items": untyped,
    }


def _check(query: Mapping[str, str]) -> None:
    """Refuse options of a list that do not go together."""
    match, version = query.get("resourceVersionMatch", ""), query.get("resourceVersion", "")
    if match and not version:
        why = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
        raise refusals.invalid(
            "ListOptions", "meta.k8s.io", "", [("FieldValueForbidden", why, "resourceVersionMatch")]
        )
    if match not in MATCHES:
        raise refusals.invalid("ListOptions", "meta.k8s.io", "", [unmatched(match)])
    if "sendInitialEvents" in query:
        why = "Forbidden: sendInitialEvents is forbidden for list"
        raise refusals.invalid(
            "ListOptions", "meta.k8s.io", "", [("FieldValueForbidden", why, "sendInitialEvents")]
        )


def unmatched(match: str) -> tuple[str, str, str]:
    why = f'Unsupported value: "{match}": supported values: "Exact", "NotOlderThan", ""'
    return "FieldValueNotSupported", why, "resourceVersionMatch"


def _check_version(store: Store, query: Mapping[str, str]) -> None:
    """Refuse a version that nothing has yet."""
    version = parsed_version(query.get("resourceVersion") or "0")
    if version > store.version:
        raise refusals.too_new(version, store.version)


def partial(one: Json) -> Json:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": one["metadata"]}


def tabled(store: Store, resource: Resource, items: list[Json], query: Mapping[str, str], meta: Json) -> Json:
    """Give a Table as `kubectl get` prints it, its rows with as much of the object as was asked for."""
    made = table(resource.name, items, store.clock(), wide=True)
    known = {key: meta[key] for key in ("resourceVersion", "continue", "remainingItemCount") if key in meta}
    rows = [
        {**row, "object": _included(one, query.get("includeObject", ""))}
        for row, one in zip(made["rows"], items, strict=True)
    ]
    return {**made, "metadata": known, "rows": rows}


def _included(one: Json, asked: str) -> Json | None:
    match asked:
        case "None":
            return None
        case "Object":
            return one
        case "" | "Metadata":
            return partial(one)
        case _:
            raise refusals.bad_request(f'unrecognized includeObject value: "{asked}"')
