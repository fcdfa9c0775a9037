"""May we? Every verb that a release needs, asked before anything is touched.

One SelfSubjectRulesReview answers for all of them; where it says no or is incomplete, one
SelfSubjectAccessReview a verb has the last word.
https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deployctl.cluster.api import Api
from deployctl.cluster.paths import AUTHORIZATION
from deployctl.errors import Forbidden
from deployctl.workload import DEPLOYMENT, RESOURCES, REVISIONS, STATEFUL_SET

Json = dict[str, Any]

READ = ("get", "list", "watch")
NEEDED: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("apps", "deployments", (*READ, "patch")),
    ("apps", "replicasets", ("list", "watch", "patch")),
    ("", "pods", (*READ, "patch", "create")),
    ("", "pods/proxy", ("get",)),
    ("", "pods/log", ("get",)),
    ("", "services", (*READ, "patch")),
    ("discovery.k8s.io", "endpointslices", ("list", "watch")),
    ("", "configmaps", (*READ, "create", "patch")),
    ("coordination.k8s.io", "leases", ("get", "create", "update")),
)
Rights = tuple[tuple[str, str, tuple[str, ...]], ...]
PREVIEW_SERVICE: Rights = (("", "services", ("create", "delete")),)  # only where a spec has a previewService
DELETE_PODS: Rights = (("", "pods", ("delete",)),)  # for a StatefulSet, and where a spec has shakeOffAfter
TELL_PODS: Rights = (("", "pods/proxy", ("create",)),)  # only where a spec's consumes has pods told
EVENTS: Rights = (
    ("", "events", ("create",)),
)  # only where a spec tells by events; a release goes on without
SCALED: Rights = (
    ("autoscaling", "horizontalpodautoscalers", (*READ, "patch")),
)  # where one scales the workload; a release goes on without


STATEFUL: Rights = (
    ("apps", "statefulsets", (*READ, "patch")),
    ("apps", "controllerrevisions", ("list", "watch", "patch")),
    *DELETE_PODS,
)


def rights(kind: str) -> Rights:
    """Give what a release of a workload of this kind needs."""
    others = tuple(one for one in NEEDED if one[1] not in (RESOURCES[DEPLOYMENT], REVISIONS[DEPLOYMENT]))
    return (*others, *STATEFUL) if kind == STATEFUL_SET else NEEDED


Verb = tuple[str, str, str]  # group, resource, verb


def check(api: Api, namespace: str, needed: Rights = NEEDED) -> None:
    """Raise Forbidden, naming every verb that is missing."""
    lacking = missing(api, namespace, needed)
    if lacking:
        verbs = ", ".join(f"{verb} {resource}" for _, resource, verb in lacking)
        raise Forbidden(
            f"not allowed in namespace {namespace}: {verbs}",
            advice="docs/rbac.md has the Role that is needed",
        )


def missing(api: Api, namespace: str, needed: Rights = NEEDED) -> tuple[Verb, ...]:
    """Give every verb that is not allowed."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    rules = api.post(f"{AUTHORIZATION}/selfsubjectrulesreviews", review)["status"]["resourceRules"] or []
    unsaid = (one for one in each(needed) if not _allows(rules, *one))
    return tuple(one for one in unsaid if not _asked(api, namespace, *one))


def each(needed: Rights) -> Iterator[Verb]:
    """Give one verb of one resource after the other."""
    return ((group, resource, verb) for group, resource, verbs in needed for verb in verbs)


def _allows(rules: list[Json], group: str, resource: str, verb: str) -> bool:
    """Say whether a rule without resource names allows it."""
    return any(
        _has(rule.get("verbs"), verb)
        and _has(rule.get("apiGroups"), group)
        and _has(rule.get("resources"), resource)
        for rule in rules
        if not rule.get("resourceNames")
    )


def _has(listed: list[str] | None, one: str) -> bool:
    return bool(listed) and (one in (listed or ()) or "*" in (listed or ()))


def _asked(api: Api, namespace: str, group: str, resource: str, verb: str) -> bool:
    whole, _, sub = resource.partition("/")
    attributes = {"namespace": namespace, "group": group, "resource": whole, "subresource": sub, "verb": verb}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = api.post(f"{AUTHORIZATION}/selfsubjectaccessreviews", review)
    return bool(answer["status"].get("allowed"))
