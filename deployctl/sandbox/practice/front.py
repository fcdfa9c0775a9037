"""Each port of a Service as a port of the loopback that balances new connections over the ready endpoints.

It does what kube-proxy does: it hears of a change some time after the API, an established connection stays
with its pod, where no endpoint is ready those serve that are about to end, and where there is none a connection
is refused. One thing differs: it accepts before it asks a pod, so one that is gone resets where a node refuses.
"""

from __future__ import annotations

import random
import selectors
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from deployctl.sandbox.practice.splice import Loop, join, reset
from deployctl.sandbox.store import Event, Store

Json = dict[str, Any]
Where = tuple[str, str, int]  # a Service's namespace and name, and its port
Backend = tuple[str, int]  # a pod's uid and port
Address = Callable[[str, int], int | None]  # a pod's uid and port to a port on the loopback
PROPAGATION_SECONDS = 0.05
BACKLOG = 1024
OF_SERVICE = "kubernetes.io/service-name"


@dataclass
class Entrance:
    """One port of a Service: it keeps its number while nobody listens there."""

    loop: Loop
    address: Address
    chance: random.Random
    backends: list[Backend] = field(default_factory=list)
    is_open: bool = True
    _listener: socket.socket | None = None

    def __post_init__(self) -> None:
        self._place = _bound(0)
        self.port: int = self._place.getsockname()[1]

    def publish(self, backends: list[Backend]) -> None:
        """Balance over these from now on; what is in the backlog still goes to the ones before."""
        if self._listener:
            self._accept()
        self.backends = backends
        if backends and self._listener is None and self.is_open:
            self._listener = _bound(self.port)
            self._listener.listen(BACKLOG)
            self.loop.wait_for(self._listener, selectors.EVENT_READ, self._accept)
        elif not backends:
            self._refuse()

    def close(self) -> None:
        self.is_open = False
        self._refuse()
        self._place.close()

    def _refuse(self) -> None:
        if self._listener:
            self.loop.wait_for(self._listener, 0, self._accept)
            self._listener.close()
            self._listener = None

    def _accept(self) -> None:
        while self._listener:
            try:
                client, _ = self._listener.accept()
            except OSError:  # nobody waits any more
                return
            client.setblocking(False)
            self._hand_over(client)

    def _hand_over(self, client: socket.socket) -> None:
        port = self.address(*self.chance.choice(self.backends))
        if port is None:
            reset(client)
        else:
            join(self.loop, client, port)


def _bound(port: int) -> socket.socket:
    """Take a port of the loopback that a second socket of ours may share, as long as only one listens."""
    sock = socket.socket()
    shared = socket.SO_REUSEADDR if sys.platform == "linux" else socket.SO_REUSEPORT
    sock.setsockopt(socket.SOL_SOCKET, shared, 1)
    sock.bind(("127.0.0.1", port))
    sock.setblocking(False)
    return sock


class Front:
    """The entrances of every Service in a store."""

    def __init__(
        self, store: Store, address: Address, propagation_seconds: float = PROPAGATION_SECONDS
    ) -> None:
        self.propagation_seconds = propagation_seconds
        self._store, self._address = store, address
        self._loop = Loop()
        self._chance = random.Random(store.seed)  # noqa: S311 - which pod is asked is no secret
        self._entrances: dict[Where, Entrance] = {}
        self._lock = threading.Lock()
        store.listeners.append(self._heard)
        for service in store.list("services"):
            self._look(service["metadata"]["namespace"], service["metadata"]["name"])

    def addresses(self) -> dict[Where, str]:
        """Say where each port of each Service is found."""
        with self._lock:
            return {where: f"127.0.0.1:{entrance.port}" for where, entrance in self._entrances.items()}

    def close(self) -> None:
        self._store.listeners.remove(self._heard)
        with self._lock:
            for entrance in self._entrances.values():
                self._loop.call(entrance.close)
        self._loop.close()

    def _heard(self, event: Event) -> None:
        if event.resource == "services":
            self._look(event.namespace, event.name)
        elif event.resource == "endpointslices":
            name = (event.object["metadata"].get("labels") or {}).get(OF_SERVICE)
            if name:
                self._look(event.namespace, name)

    def _look(self, namespace: str, name: str) -> None:
        """See how a Service stands now; connections will go by it after the delay."""
        service = self._store.get("services", namespace, name)
        slices = [one for one in self._store.list("endpointslices", namespace) if _belongs(one, name)]
        wanted = {port["port"]: port for port in _ports(service)}
        with self._lock:
            for where in [one for one in self._entrances if one[:2] == (namespace, name)]:
                if where[2] not in wanted:
                    self._loop.call(self._entrances.pop(where).close)
            for number, port in wanted.items():
                entrance = self._entrance((namespace, name, number))
                self._publish(entrance, backends(slices, port.get("name", "")))

    def _entrance(self, where: Where) -> Entrance:
        if where not in self._entrances:
            self._entrances[where] = Entrance(self._loop, self._address, self._chance)
        return self._entrances[where]

    def _publish(self, entrance: Entrance, found: list[Backend]) -> None:
        self._loop.call(lambda: entrance.publish(found), self.propagation_seconds)


def _ports(service: Json | None) -> Iterator[Json]:
    """Give the TCP ports of a Service that has an address of its own."""
    spec: Json = service["spec"] if service else {}
    if spec.get("clusterIP") == "None" or spec.get("type") == "ExternalName":
        return
    for port in spec.get("ports") or []:
        if port.get("protocol", "TCP") == "TCP":
            yield port


def _belongs(one: Json, name: str) -> bool:
    return bool((one["metadata"].get("labels") or {}).get(OF_SERVICE) == name)


def backends(slices: list[Json], port_name: str) -> list[Backend]:
    """Give the endpoints that get new connections: the ready ones, else those that end and still serve.

    https://kubernetes.io/docs/reference/networking/virtual-ips/#traffic-to-terminating-endpoints
    """
    all_of_them = list(_endpoints(slices, port_name))
    ready = [backend for backend, state in all_of_them if state.get("ready") is not False]
    return ready or [one for one, state in all_of_them if state.get("serving") and state.get("terminating")]


def _endpoints(slices: list[Json], port_name: str) -> Iterator[tuple[Backend, Json]]:
    for one in slices:
        numbers = [port["port"] for port in one.get("ports") or [] if (port.get("name") or "") == port_name]
        for endpoint in one.get("endpoints") or []:
            for number in numbers:
                yield (endpoint["targetRef"]["uid"], number), endpoint.get("conditions") or {}
