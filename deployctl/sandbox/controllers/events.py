"""Forgets Events an hour after they were last written, as the API server's lease on them does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deployctl.sandbox.store import Event, Store, moment

Json = dict[str, Any]
Key = tuple[str, str]

KEPT_SECONDS = 3600.0


class Events:
    """The controller."""

    name = "events"

    def __init__(self, store: Store) -> None:
        self._store = store

    def concerns(self, event: Event) -> Iterable[Key]:
        is_new = event.resource == "events" and event.change == "ADDED"
        return ((event.namespace, event.name),) if is_new else ()

    def reconcile(self, namespace: str, name: str) -> float | None:
        held = self._store.get("events", namespace, name)
        if held is None:
            return None
        left = _written(held) + KEPT_SECONDS - self._store.clock()
        if left > 0:
            return left
        self._store.remove("events", namespace, name)
        return None


def _written(event: Json) -> float:
    """Give the moment of an Event's last write."""
    series = (event.get("series") or {}).get("lastObservedTime")
    last = series or event.get("lastTimestamp") or event.get("eventTime")
    return moment(last or event["metadata"]["creationTimestamp"])
