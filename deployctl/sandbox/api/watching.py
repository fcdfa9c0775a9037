"""Watches of the API server: what changes of a list, as it changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployctl.sandbox.api import refusals
from deployctl.sandbox.api.accepting import form
from deployctl.sandbox.api.paging import not_a_version
from deployctl.sandbox.api.reading import partial, tabled
from deployctl.sandbox.api.routing import Target
from deployctl.sandbox.api.selecting import selector
from deployctl.sandbox.calls import Call, Refused
from deployctl.sandbox.cluster import Cluster
from deployctl.sandbox.store import Event, Gone

Json = dict[str, Any]

BOOKMARK_SECONDS = 60.0  # between bookmarks, and at the end
LAST_BOOKMARK_SECONDS = 2.0  # before the end
LASTING_SECONDS = 2700.0  # where the client names no end: 30 to 60 minutes
TEMPLATE: Json = {"metadata": {}, "spec": {"containers": None}}
NOTHING: dict[str, Json] = {  # what a bookmark shows beside its version: the fields that are never left out
    "namespaces": {"spec": {}, "status": {}},
    "nodes": {"spec": {}, "status": {"daemonEndpoints": {"kubeletEndpoint": {"Port": 0}}, "nodeInfo": None}},
    "pods": {"spec": {"containers": None}, "status": {}},
    "services": {"spec": {}, "status": {"loadBalancer": {}}},
    "deployments": {"spec": {"selector": None, "template": TEMPLATE, "strategy": {}}, "status": {}},
    "replicasets": {"spec": {"selector": None, "template": TEMPLATE}, "status": {"replicas": 0}},
    "statefulsets": {
        "spec": {"selector": None, "template": TEMPLATE, "serviceName": "", "updateStrategy": {}},
        "status": {"replicas": 0, "availableReplicas": 0},
    },
    "controllerrevisions": {"data": None, "revision": 0},
    "endpointslices": {"addressType": "", "endpoints": None, "ports": None},
    "leases": {"spec": {}},
}


class Watch:
    """One watch. `take` gives what happened since the last time, until it has `ended`.

    `due` is the moment at which there may be something to take though nothing has changed.
    """

    torn = False  # a whole stream; the faults have one that breaks off

    def __init__(self, cluster: Cluster, at: Target, call: Call) -> None:
        check(call.query)
        self.cluster, self.resource, self.namespace, self.query = (
            cluster,
            at.resource,
            at.namespace,
            call.query,
        )
        fields = f"metadata.name={at.name}" if at.name else call.query.get("fieldSelector", "")
        self._wanted = selector(at.resource, call.query.get("labelSelector", ""), fields)
        self._form = form(call.accept, streamed=True)
        self._columns_told = False
        self.bookmarks = call.query.get("allowWatchBookmarks") in {"true", "1"}
        now = cluster.clock()
        self.end = now + float(call.query.get("timeoutSeconds") or LASTING_SECONDS)
        self._next_bookmark = self._bookmark_after(now)
        self.ended = False
        self._waiting = self._begin(call.query)

    @property
    def due(self) -> float:
        return min(self.end, self._next_bookmark)

    def close(self) -> None:
        self.ended = True

    def take(self) -> list[Json]:
        """Give the events since the last time, in order."""
        with self.cluster.lock:
            if self.ended:
                return []
            taken, self._waiting = [*self._waiting, *self._news()], []
            now = self.cluster.clock()
            if now >= self._next_bookmark:
                self._next_bookmark = self._bookmark_after(now)
                taken.append(self._bookmark())
            self.ended = self.ended or now >= self.end
            return taken

    def _begin(self, query: Mapping[str, str]) -> list[Json]:
        """Give what the client sees first, and set the version to go on from."""
        store, asked = self.cluster.store, query.get("resourceVersion", "")
        initial = query.get("sendInitialEvents")
        version = _read(asked or "0")
        if initial in {"true", "1"} or (initial is None and version == 0):
            self.version = store.version
            every = store.list(self.resource.name, self.namespace)
            first = [self._shown("ADDED", one) for one in every if not self._wanted or self._wanted(one)]
            done = {"k8s.io/initial-events-end": "true"}
            return [*first, self._bookmark(done)] if initial and self.bookmarks else first
        self.version = version or store.version
        return []

    def _bookmark_after(self, now: float) -> float:
        if not self.bookmarks or now >= self.end - LAST_BOOKMARK_SECONDS:
            return float("inf")
        return min(now + BOOKMARK_SECONDS, self.end - LAST_BOOKMARK_SECONDS)

    def _news(self) -> list[Json]:
        store = self.cluster.store
        if store.version <= self.version:
            return []
        try:
            events = store.since(self.version, self.resource.name)
        except Gone:
            self.ended = True
            return [self._too_old()]
        self.version = store.version
        told = (self._told(one) for one in events if self.namespace in {"", one.namespace})
        return [one for one in told if one]

    def _told(self, event: Event) -> Json | None:
        """Tell a change as this client sees it: what comes into its selection is new, what leaves it is gone."""
        wanted = self._wanted
        if wanted is None:
            return self._shown(event.change, event.object)
        now = event.change != "DELETED" and wanted(event.object)
        before = event.before is not None and wanted(event.before)
        if now:
            return self._shown("MODIFIED" if before else "ADDED", event.object)
        return self._shown("DELETED", _last(event)) if before else None

    def _shown(self, change: str, one: Json) -> Json:
        if self._form == "table":
            return {"type": change, "object": self._row(one)}
        return {"type": change, "object": partial(one) if self._form == "metadata" else one}

    def _row(self, one: Json) -> Json:
        """Give a Table of one row; only the first one names the columns."""
        version = {"resourceVersion": one["metadata"]["resourceVersion"]}
        made = tabled(self.cluster.store, self.resource, [one], self.query, version)
        if self._columns_told:
            made = {**made, "columnDefinitions": None}
        self._columns_told = True
        return made

    def _bookmark(self, annotations: Json | None = None) -> Json:
        meta: Json = {"resourceVersion": str(self.version)}
        meta |= {"annotations": annotations} if annotations else {}
        if self._form == "metadata":
            return {"type": "BOOKMARK", "object": partial({"metadata": meta})}
        empty = {"kind": self.resource.kind, "apiVersion": self.resource.api_version, "metadata": meta}
        whole = {**empty, **NOTHING.get(self.resource.name, {})}
        if self._form == "table":
            return {"type": "BOOKMARK", "object": _bare_table(whole)}
        return {"type": "BOOKMARK", "object": whole}

    def _too_old(self) -> Json:
        oldest = self.cluster.store.forgotten
        no = refusals.expired(f"too old resource version: {self.version} ({oldest})")
        return {"type": "ERROR", "object": no.answer().body}


def _read(version: str) -> int:
    if not version.isdigit():
        raise Refused(500, "", not_a_version(version))
    return int(version)


def _last(event: Event) -> Json:
    """Give an object as it was before it left, with the version of its leaving."""
    before = event.before or event.object
    version = event.object["metadata"]["resourceVersion"]
    return {**before, "metadata": {**before["metadata"], "resourceVersion": version}}


def _bare_table(one: Json) -> Json:
    meta = {"resourceVersion": one["metadata"]["resourceVersion"]}
    table = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "columnDefinitions": None}
    return {**table, "rows": [{"cells": [], "object": partial(one)}]}


def check(query: Mapping[str, str]) -> None:
    """Refuse options of a watch that do not go together."""
    match = query.get("resourceVersionMatch", "")
    if "sendInitialEvents" in query and match != "NotOlderThan":
        _forbid("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
    if match and "sendInitialEvents" not in query:
        _forbid("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")


def _forbid(why: str) -> None:
    cause = ("FieldValueForbidden", f"Forbidden: {why}", "resourceVersionMatch")
    raise refusals.invalid("ListOptions", "meta.k8s.io", "", [cause])
