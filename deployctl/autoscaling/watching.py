"""Autoscalers as they change: the API tells, and nobody asks again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from deployctl.autoscaling.held import HPAS, SCALED_OBJECTS
from deployctl.cluster.api import Api
from deployctl.cluster.paths import path
from deployctl.cluster.watch import Collection, Signal

Json = dict[str, Any]
LOOK_AGAIN_SECONDS = 30.0  # at what is known already: an event begins though nothing has changed
SYNC_SECONDS = 0.2


@contextmanager
def watched(api: Api) -> Iterator[Callable[[], list[Json]]]:
    """Watch what scales anything in the namespace; what is given waits for a change, and lists all by their names.

    The first call does not wait for a change. Raise Forbidden where HorizontalPodAutoscalers may not be watched.
    """
    signal, known = Signal(), []
    for resource in (HPAS, SCALED_OBJECTS):
        where = path(api.namespace, resource)
        known.append(Collection(api, where, {}, signal, needed=resource == HPAS).start())
    fresh = True

    def changed() -> list[Json]:
        nonlocal fresh
        while fresh and not all(one.synced.is_set() for one in known):
            signal.wait(SYNC_SECONDS)
        if not fresh:
            signal.wait(LOOK_AGAIN_SECONDS)
        fresh = False
        every = (one for each in known for one in each.store.objects.values())
        return sorted(
            (one for one in every if not one["metadata"].get("ownerReferences")),
            key=lambda one: str(one["metadata"]["name"]),
        )

    try:
        yield changed
    finally:
        for one in known:
            one.stop()
