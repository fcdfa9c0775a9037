"""Records Events as client-go's recorder does: one object, counted up, for what happens again."""

from __future__ import annotations

from typing import Any, Literal

from deployctl.sandbox.resources import BY_KIND
from deployctl.sandbox.store import Store, fine_stamp, stamp

Json = dict[str, Any]

SIMILAR = 10  # from that many different messages of one reason on, they are told as one
WINDOW_SECONDS = 600.0
COMBINED = "(combined from similar events): "


class Recorder:
    """Writes what one component sees: the Deployment's controller, the kubelet.

    A `modern` one writes as events.k8s.io/v1 does, read as core/v1: the scheduler.
    """

    def __init__(self, store: Store, component: str, host: str = "", *, modern: bool = False) -> None:
        self._store, self._component, self._host, self._modern = store, component, host, modern
        self._known: dict[tuple[str, ...], str] = {}
        self._similar: dict[tuple[str, ...], tuple[float, dict[str, None]]] = {}

    def normal(  # noqa: PLR0913 - an Event has so many words
        self, about: Json, kind: str, reason: str, message: str, *, field: str = "", action: str = ""
    ) -> None:
        self._record("Normal", _involved(about, kind, field), reason, message, action)

    def warning(  # noqa: PLR0913 - an Event has so many words
        self, about: Json, kind: str, reason: str, message: str, *, field: str = "", action: str = ""
    ) -> None:
        self._record("Warning", _involved(about, kind, field), reason, message, action)

    def _record(
        self, weight: Literal["Normal", "Warning"], about: Json, reason: str, message: str, action: str
    ) -> None:
        alike = (about["uid"], weight, reason, about.get("fieldPath", ""))
        same: tuple[str, ...] = (*alike, message)
        if self._many(alike, message):
            same, message = alike, COMBINED + message
        namespace = about.get("namespace") or "default"
        where = self._store.get("namespaces", "", namespace)
        if where is None or "deletionTimestamp" in where["metadata"]:
            return  # nothing new may be written there
        held = self._store.get("events", namespace, self._known.get(same, ""))
        if held is not None:
            self._store.update("events", {**held, **self._again(held), "message": message})
            return
        told = {"reason": reason, "message": message, "type": weight}
        if action:
            told["action"] = action
        created = self._store.create("events", {**self._first(about), **told})
        self._known[same] = created["metadata"]["name"]

    def _many(self, alike: tuple[str, ...], message: str) -> bool:
        """Say whether so many different messages came of late that this one is told with others."""
        now = self._store.clock()
        last, messages = self._similar.get(alike, (now, {}))
        if now - last > WINDOW_SECONDS:
            messages = {}
        messages[message] = None
        self._similar[alike] = (now, messages)
        if len(messages) < SIMILAR:
            return False
        messages.pop(next(iter(messages)))
        return True

    def _again(self, held: Json) -> Json:
        now = self._store.clock()
        if not self._modern:
            return {"count": held["count"] + 1, "lastTimestamp": stamp(now)}
        count = (held.get("series") or {"count": 1})["count"] + 1
        return {"series": {"count": count, "lastObservedTime": fine_stamp(now)}}

    def _first(self, about: Json) -> Json:
        now = self._store.clock()
        name = f"{about['name']}.{self._store.chance.getrandbits(64):016x}"
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": about.get("namespace") or "default"},
            "involvedObject": about,
            "reportingComponent": self._component,
            "reportingInstance": self._host,
        }
        if self._modern:
            times = {"eventTime": fine_stamp(now), "firstTimestamp": None, "lastTimestamp": None}
            return {**event, **times, "source": {}, "reportingInstance": f"{self._component}-sandbox"}
        source = {"component": self._component, **({"host": self._host} if self._host else {})}
        times = {"eventTime": None, "firstTimestamp": stamp(now), "lastTimestamp": stamp(now)}
        return {**event, **times, "source": source, "count": 1}


def _involved(about: Json, kind: str, field: str) -> Json:
    """Refer to the object that an Event is about."""
    meta = about["metadata"]
    involved = {
        "kind": kind,
        "namespace": meta.get("namespace"),
        "name": meta["name"],
        "uid": meta["uid"],
        "apiVersion": BY_KIND[kind].api_version,
        "resourceVersion": meta.get("resourceVersion"),
        "fieldPath": field,
    }
    return {key: value for key, value in involved.items() if value}
