"""What a client may do, as it can ask: SelfSubjectAccessReview and SelfSubjectRulesReview."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deployctl.sandbox.api import refusals
from deployctl.sandbox.api.routing import Target
from deployctl.sandbox.api.sent import Write
from deployctl.sandbox.calls import Answer, Call
from deployctl.sandbox.objects.ownership import managed
from deployctl.sandbox.resources import RESOURCES, Resource
from deployctl.sandbox.store import stamp

if TYPE_CHECKING:
    from deployctl.sandbox.api.apiserver import ApiServer

Json = dict[str, Any]

SUBRESOURCE_VERBS = {
    "status": ("get", "patch", "update"),
    "scale": ("get", "patch", "update"),
    "log": ("get",),
    "proxy": ("create", "delete", "get", "patch", "update"),
    "eviction": ("create",),
}
ALL_RULES: Json = {
    "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    "incomplete": False,
}


def answer(server: ApiServer, call: Call, at: Target) -> Answer:
    """Answer a POST of a review; there is nothing else to do with one."""
    if call.method != "POST" or at.name:
        raise refusals.generic(405)
    write = Write(server.cluster, at, call)
    review = write.sent()
    if at.resource.kind == "SelfSubjectAccessReview":
        _check_one(review["spec"])
        told = {"allowed": _allowed(server, call.user, review["spec"])}
        meta = {**review["metadata"], "managedFields": _owned(write, review)}
        return write.answer({**review, "metadata": meta, "status": told}, 201)
    if not review["spec"].get("namespace"):
        raise refusals.bad_request("no namespace on request")
    return write.answer({**review, "metadata": {}, "spec": {}, "status": _rules(server, call.user)}, 201)


def _owned(write: Write, review: Json) -> list[Json]:
    at = stamp(write.store.clock())
    return managed(None, review, write.manager, write.resource.api_version, at)


def _check_one(spec: Json) -> None:
    """Refuse a question about nothing, or about two things."""
    if ("resourceAttributes" in spec) != ("nonResourceAttributes" in spec):
        return
    field = "spec.resourceAttributes"
    value = "null" if "resourceAttributes" not in spec else "{}"
    why = f"Invalid value: {value}: exactly one of nonResourceAttributes or resourceAttributes must be specified"
    raise refusals.invalid("", "authorization.k8s.io", "", [("FieldValueInvalid", why, field)])


def _allowed(server: ApiServer, user: str, spec: Json) -> bool:
    asked = spec.get("resourceAttributes") or {}
    if not asked:
        return server.allows(user, "", "")
    sub = asked.get("subresource") or ""
    whole = asked.get("resource", "") + (f"/{sub}" if sub else "")
    return server.allows(user, asked.get("verb", ""), whole)


def _rules(server: ApiServer, user: str) -> Json:
    """Give every rule in one, unless something is denied: then one rule a resource."""
    if server.allows(user, "", "") and not server.denied:
        return ALL_RULES
    rules = [rule for one in RESOURCES for rule in _each(server, user, one)]
    paths = ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/readyz", "/openapi/*", "/version"]
    others = [{"verbs": ["get"], "nonResourceURLs": paths}]
    return {"resourceRules": rules, "nonResourceRules": others, "incomplete": False}


def _each(server: ApiServer, user: str, resource: Resource) -> list[Json]:
    every = {resource.name: resource.verbs}
    every |= {f"{resource.name}/{sub}": SUBRESOURCE_VERBS[sub] for sub in resource.subresources}
    rules = []
    for whole, verbs in every.items():
        mine = whole.startswith("selfsubject")
        left = [verb for verb in verbs if mine or server.allows(user, verb, whole)]
        if left:
            rules.append({"verbs": left, "apiGroups": [resource.group], "resources": [whole]})
    return rules
