"""Whatever command comes next carries out what is due of an autoscaler: a surge that is over, an event that begins.

Nothing of ours runs in the cluster, so somebody has to look; `restore --due` in a CronJob does, and so does whoever
releases, finishes or goes back meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from deployctl.autoscaling import held, obligations
from deployctl.autoscaling.held import HPAS, SCALED_OBJECTS
from deployctl.autoscaling.through import called, scalers_of
from deployctl.cluster.api import Api, NotFound, Request, Stale
from deployctl.cluster.paths import path
from deployctl.cluster.view import Names
from deployctl.errors import DeployctlError

Json = dict[str, Any]


def request_of(api: Api, scaler: Json) -> Request | None:
    """Build the call after which all that is due now is done; None where nothing is."""
    running = scaler.get("status", {}).get("currentReplicas") or _replicas(api, scaler)
    return obligations.carried_out(scaler, running, api.now())


def _replicas(api: Api, scaler: Json) -> int:
    """Count what runs of a ScaledObject's target, which does not say so itself."""
    ref, where = scaler["spec"]["scaleTargetRef"], scaler["metadata"]["namespace"]
    resource = "statefulsets" if ref.get("kind") == "StatefulSet" else "deployments"
    try:
        return int(api.get(path(where, resource, ref["name"]))["spec"].get("replicas", 1))
    except NotFound:
        return 1


def carry_out(api: Api, names: Names) -> tuple[str, ...]:
    """Do what is due of an app, and say what was; it stands in nobody's way, so no command fails for it."""
    done: list[str] = []
    with suppress(DeployctlError, Stale):
        for one in scalers_of(api, names):
            if held.read(one) and (request := request_of(api, one)):
                done += told(one, api.send(request))
    return tuple(done)


def told(before: Json, after: Json) -> Iterator[str]:
    """Say of each hold that it ended, began, or stands at another height."""
    old, new = ({one.holder: one for one in held.holds(each)} for each in (before, after))
    for holder in {**old, **new}:
        if holder not in new:
            yield f"{called(after)}: {holder} is over, as was due"
        elif holder not in old:
            yield f"{called(after)}: held at {new[holder].floor} by {holder}, as was due"
        elif old[holder].floor != new[holder].floor:
            yield f"{called(after)}: {holder} holds {new[holder].floor} now, as was due"


def every(api: Api) -> Iterator[Json]:
    """List what scales anything in the namespace; KEDA's own HorizontalPodAutoscalers stand behind its objects."""
    for resource in (HPAS, SCALED_OBJECTS):
        try:
            found = api.get(path(api.namespace, resource))["items"]
        except NotFound:
            continue
        yield from (one for one in found if not one["metadata"].get("ownerReferences"))
