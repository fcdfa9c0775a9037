"""The sandbox's API server: answers each call as kube-apiserver 1.35 does."""

from __future__ import annotations

from typing import Any

from deployctl.sandbox.api import deleting, discovery, reading, refusals, reviews, subresources, writing
from deployctl.sandbox.api.routing import Target, known, target
from deployctl.sandbox.api.sent import Write
from deployctl.sandbox.api.subresources import Later
from deployctl.sandbox.api.watching import Watch
from deployctl.sandbox.calls import Answer, Call, Refused
from deployctl.sandbox.cluster import Cluster, Runtime

Json = dict[str, Any]

ADMIN = "kubernetes-admin"
ON_LISTS = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
ON_OBJECTS = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "POST": "create"}
TRUE = frozenset({"1", "true", "True", "t", "T", "TRUE"})


class ApiServer:
    """The API of one cluster.

    `denied` holds pairs of a verb and a resource (`("get", "pods/log")`) that nobody may; the administrator may
    all the rest, others nothing.
    """

    def __init__(self, cluster: Cluster, runtime: Runtime | None = None) -> None:
        self.cluster, self.runtime = cluster, runtime
        self.denied: set[tuple[str, str]] = set()

    def call(self, call: Call) -> Answer | Watch:
        """Answer one call."""
        with self.cluster.lock:
            try:
                answered = self._answered(call)
            except Refused as no:
                return no.answer()
        return answered.answer() if isinstance(answered, Later) else answered

    def allows(self, user: str, verb: str, whole: str) -> bool:
        """Say whether a user may do something to a resource, or a subresource (`pods/log`)."""
        return user == ADMIN and (verb, whole) not in self.denied

    def _answered(self, call: Call) -> Answer | Watch | Later:
        at = target(call.path) if call.path.startswith(("/api/", "/apis/")) else None
        if at is None:
            return discovery.answer(call) or self._nowhere(call)
        verb = verb_of(call, at)
        if not at.resource.name.startswith("selfsubject") and not self.allows(call.user, verb, at.whole):
            raise forbidden(call.user, verb, at)
        return self._served(call, at, verb)

    def _nowhere(self, call: Call) -> Answer:
        if known(call.path) and call.path.rstrip("/").count("/") > (
            2 if call.path.startswith("/api/") else 3
        ):
            raise refusals.generic(404)
        return Answer(404, "404 page not found\n", {"Content-Type": "text/plain; charset=utf-8"})

    def _served(self, call: Call, at: Target, verb: str) -> Answer | Watch | Later:
        if at.resource.name.startswith("selfsubject"):
            return reviews.answer(self, call, at)
        if at.sub and at.sub != "status":
            return subresources.answer(self, call, at, verb)
        if call.method != "GET":
            return _written(self.cluster, call, at, verb)
        if verb == "watch":
            return Watch(self.cluster, at, call)
        store = self.cluster.store
        return reading.list_of(store, at, call) if verb == "list" else reading.get(store, at, call)


def _written(cluster: Cluster, call: Call, at: Target, verb: str) -> Answer:
    match verb:
        case "create" if not at.name:
            return writing.create(Write(cluster, at, call))
        case "update":
            return writing.replace(Write(cluster, at, call))
        case "patch":
            return writing.patch(Write(cluster, at, call))
        case "delete" if not at.sub:
            return deleting.delete(cluster, at, call)
        case "deletecollection":
            return deleting.delete_all(cluster, at, call)
        case _:
            raise refusals.generic(405)


def verb_of(call: Call, at: Target) -> str:
    """Name what a call does, as rules name it; 405 where nothing is served for its method."""
    if call.method == "GET" and not at.sub and call.query.get("watch") in TRUE:
        return "watch"
    verb = (ON_OBJECTS if at.name else ON_LISTS).get(call.method)
    everywhere = at.resource.namespaced and not at.namespace
    if verb is None or (everywhere and call.method != "GET"):
        raise refusals.generic(405)
    if not at.sub and verb not in at.resource.verbs:
        raise refusals.generic(405)
    return verb


def forbidden(user: str, verb: str, at: Target) -> Refused:
    where = f'in the namespace "{at.namespace}"' if at.namespace else "at the cluster scope"
    why = f'User "{user}" cannot {verb} resource "{at.whole}" in API group "{at.resource.group}" {where}'
    return refusals.forbidden(at.resource, at.name, why)
