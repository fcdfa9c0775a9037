"""Publishes which pods a Service selects, and which of them are ready, as EndpointSlices."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from deployctl.sandbox.controllers.kin import Kin, reference
from deployctl.sandbox.controllers.pods import FINAL, is_leaving, is_ready, node_of, phase
from deployctl.sandbox.controllers.selecting import holds, labels_of
from deployctl.sandbox.store import Event, Store

Json = dict[str, Any]
Key = tuple[str, str]

SERVICE = "kubernetes.io/service-name"
MANAGED = "endpointslice.kubernetes.io/managed-by"
HEADLESS = "service.kubernetes.io/headless"
OURS = "endpointslice-controller.k8s.io"
MOST = 100  # endpoints in a slice


class EndpointSlices:
    """The controller: keeps the slices of one Service."""

    name = "endpointslice"

    def __init__(self, store: Store, kin: Kin) -> None:
        self._store, self._kin = store, kin

    def concerns(self, event: Event) -> Iterable[Key]:
        """Look at the Service itself, and at every one that a pod comes to, leaves, or is ready for."""
        if event.resource == "services":
            return ((event.namespace, event.name),)
        if event.resource == "endpointslices":
            owner = labels_of(event.object).get(SERVICE)
            return ((event.namespace, owner),) if owner else ()
        if event.resource != "pods" or (event.change == "MODIFIED" and not _matters(event)):
            return ()
        shown = [labels_of(one) for one in (event.object, event.before) if one]
        services = self._store.list("services", event.namespace)
        return [
            (event.namespace, one["metadata"]["name"])
            for one in services
            if any(holds(one["spec"].get("selector") or {"": ""}, labels) for labels in shown)
        ]

    def reconcile(self, namespace: str, name: str) -> None:
        service = self._store.get("services", namespace, name)
        if service is None or not service["spec"].get("selector"):
            return
        held = [one for one in self._kin.controlled("endpointslices", service) if _is_ours(one)]
        wanted = self._wanted(service)
        kept, spare = self._kept(service, held, wanted)
        fresh = self._fresh(service, wanted)
        if not kept and not fresh:
            fresh = [_slice(service, None, None)]
        for one in spare:  # a slice to delete and one to create are one update
            if fresh:
                self._write(one, fresh.pop(0))
            else:
                self._store.remove("endpointslices", namespace, one["metadata"]["name"])
        for new in fresh:
            self._store.create("endpointslices", new)

    def _wanted(self, service: Json) -> dict[str, dict[str, Json]]:
        """Give the endpoints by the ports that their pods have, and by address."""
        wanted: dict[str, dict[str, Json]] = {}
        for pod in self._store.list("pods", service["metadata"]["namespace"]):
            address = pod.get("status", {}).get("podIP")
            if address and phase(pod) not in FINAL and holds(service["spec"]["selector"], labels_of(pod)):
                ports = json.dumps(_ports(service, pod))
                wanted.setdefault(ports, {})[address] = _endpoint(service, pod)
        return wanted

    def _kept(
        self, service: Json, held: list[Json], wanted: dict[str, dict[str, Json]]
    ) -> tuple[int, list[Json]]:
        """Update the slices that keep an endpoint, and fill them; give their number and the slices left over."""
        kept, spare = [], []
        for one in held:
            left = wanted.get(json.dumps(one["ports"] or []), {})
            stay = [each for each in one["endpoints"] or () if _same(each, left)]
            if stay:
                kept.append((one, [left.pop(each["addresses"][0]) for each in stay]))
            else:
                spare.append(one)
        for one, endpoints in sorted(kept, key=lambda pair: -len(pair[1])):
            left = wanted.get(json.dumps(one["ports"] or []), {})
            changed = endpoints != one["endpoints"]
            if changed or len(left) <= MOST - len(endpoints):
                while left and len(endpoints) < MOST:
                    endpoints.append(left.pop(next(iter(left))))
            self._write(one, _slice(service, one["ports"], endpoints))
        return len(kept), spare

    def _fresh(self, service: Json, wanted: dict[str, dict[str, Json]]) -> list[Json]:
        made = []
        for ports, left in wanted.items():
            rest = list(left.values())
            made += [
                _slice(service, json.loads(ports), rest[at : at + MOST]) for at in range(0, len(rest), MOST)
            ]
        return made

    def _write(self, held: Json, new: Json) -> None:
        meta = {**held["metadata"], "labels": new["metadata"]["labels"]}
        self._store.update("endpointslices", {**new, "metadata": meta})


def _is_ours(one: Json) -> bool:
    return labels_of(one).get(MANAGED) == OURS


def _matters(event: Event) -> bool:
    """Say whether a change of a pod changes an endpoint."""
    before, after = event.before or {}, event.object
    return _shown(before) != _shown(after)


def _shown(pod: Json) -> tuple[Any, ...]:
    address = pod.get("status", {}).get("podIP")
    final = phase(pod) in FINAL
    return labels_of(pod), address, is_ready(pod), is_leaving(pod), node_of(pod), final


def _same(endpoint: Json, left: dict[str, Json]) -> bool:
    """Say whether an endpoint's address still is the one of the same pod."""
    wanted = left.get(endpoint["addresses"][0])
    return wanted is not None and wanted["targetRef"] == endpoint.get("targetRef")


def _endpoint(service: Json, pod: Json) -> Json:
    serving, leaving, meta = is_ready(pod), is_leaving(pod), pod["metadata"]
    ready = bool(service["spec"].get("publishNotReadyAddresses")) or (serving and not leaving)
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready, "serving": serving, "terminating": leaving},
        "targetRef": {
            "kind": "Pod",
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": meta["uid"],
        },
        "nodeName": node_of(pod),
    }


def _ports(service: Json, pod: Json) -> list[Json]:
    found = []
    for one in service["spec"].get("ports") or ():
        number = port_of(pod, one.get("targetPort", one["port"]), one.get("protocol", "TCP"))
        if number is not None:
            extra = {"appProtocol": one["appProtocol"]} if "appProtocol" in one else {}
            shown = {"name": one.get("name", ""), "protocol": one.get("protocol", "TCP"), "port": number}
            found.append({**shown, **extra})
    return found


def port_of(pod: Json, target: int | str, protocol: str = "TCP") -> int | None:
    """Give the number of a pod's port, which a Service may call by its name."""
    if isinstance(target, int):
        return target
    for container in pod["spec"]["containers"]:
        for port in container.get("ports") or ():
            if port.get("name") == target and port.get("protocol", "TCP") == protocol:
                return int(port["containerPort"])
    return None


def _slice(service: Json, ports: list[Json] | None, endpoints: list[Json] | None) -> Json:
    meta, spec = service["metadata"], service["spec"]
    labels = dict(labels_of(service))
    if spec.get("clusterIP") == "None":
        labels[HEADLESS] = ""
    labels |= {SERVICE: meta["name"], MANAGED: OURS}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": f"{meta['name']}-",
            "namespace": meta["namespace"],
            "labels": labels,
            "ownerReferences": [reference(service, "Service")],
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": ports,
    }
