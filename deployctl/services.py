"""Which Services a release can work with: the listed ones by what they are, and the preview's by its name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deployctl.cluster.api import Api, ApiError, Denied, Stale
from deployctl.errors import UsageError
from deployctl.memory import Memory, Settings
from deployctl.observe import made
from deployctl.traffic.service import ServiceTraffic

Json = dict[str, Any]
MOST_ENDPOINTS = 100  # in one EndpointSlice, unless the controller manager is told otherwise


def kind_of(service: Json) -> str:
    return str(service["spec"].get("type") or "ClusterIP")


def usable(service: Json) -> None:
    """Raise for a listed Service that has no endpoints to move."""
    if kind_of(service) == "ExternalName":
        raise UsageError(
            f"Service {service['metadata']['name']} is an ExternalName: a name in DNS, without endpoints to move",
            advice="take it out of spec.workload.services, and list the Service that selects the pods",
        )


def kept_out(service: Json, strategy: str) -> None:
    """Raise where rolling cannot keep traffic from pods that go: on its way back no selector tells them apart."""
    if strategy == "rolling" and _published(service) and service["spec"].get("clusterIP") != "None":
        raise UsageError(
            f"Service {service['metadata']['name']} has publishNotReadyAddresses, so it sends requests to pods until "
            "they are gone: a rolling release would lose some on its way back",
            advice="take publishNotReadyAddresses off, or use strategy.blueGreen",
        )


def _published(service: Json) -> bool:
    return bool(service["spec"].get("publishNotReadyAddresses"))


def borrowed(service: Json, labels: Json, app: str) -> None:
    """Raise where the name of the preview Service is taken by one that cannot show this app's preview."""
    name, selector = service["metadata"]["name"], service["spec"].get("selector") or {}
    external = kind_of(service) == "ExternalName"
    selects = selector and all(labels.get(key) == value for key, value in selector.items())
    if made(service, app) or (selects and not external):
        return
    written = ",".join(f"{key}={value}" for key, value in selector.items()) or "nothing"
    what = "is an ExternalName" if external else f"selects {written}, which no pod of this app has"
    raise UsageError(
        f"previewService {name} is taken: Service {name} {what}",
        advice="choose another name for strategy.blueGreen.previewService, or delete that Service",
    )


def makeable(api: Api, app: str, name: str, like: Json, owner: Json) -> None:
    """Try to make the preview Service as a server dry run: name, ports, quota and admission answer now."""
    trial = Memory("", app, "", "", "", "", Settings.of(owner), (), 0, preview_service=name)
    try:
        api.send(ServiceTraffic().create("trial", like, owner, trial).dry())
    except Stale:
        return  # somebody has made it just now; the release sees what it is
    except (ApiError, Denied) as error:
        raise UsageError(
            f"previewService {name} is refused: {error}",
            advice="mend its name, or make room for one Service more: the quota or the policy says no",
        ) from error


def warnings(services: tuple[Json, ...], replicas: int) -> Iterator[str]:
    """Say what a release can do less well with these Services."""
    if replicas > MOST_ENDPOINTS:
        slices = -(-replicas // MOST_ENDPOINTS)
        yield (
            f"{replicas} pods are {slices} EndpointSlices for each Service: a shift is not atomic over "
            f"{MOST_ENDPOINTS} endpoints; for some milliseconds both revisions serve, never none"
        )
    for one in services:
        name = one["metadata"]["name"]
        if _published(one):
            yield (
                f"Service {name} has publishNotReadyAddresses: Kubernetes sends requests to its pods before they "
                "are ready and while they go; a release waits for old pods to end before it takes the pin off"
            )
        if one["spec"].get("sessionAffinity") == "ClientIP":
            yield (
                f"Service {name} keeps a client on its pod (sessionAffinity: ClientIP) "
                "until that pod leaves the endpoints; a share of pods is then not a share of clients"
            )
