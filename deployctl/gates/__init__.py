"""Questions that are asked before traffic moves on: one file a gate.

A gate is a frozen dataclass of its options, named by an entry point of the group `deployctl.gates`, with
`measure(asked: Asked) -> Measurement`: one measurement, its answer and its evidence. It raises nothing that
it can answer with UNKNOWN.

What it may say of itself, for `gate explain` and for the plan:

    pod_wise   a property: whether it asks pod after pod, each with the gate's whole time
    RIGHTS     a tuple of words: what it needs to be allowed, in the cluster and elsewhere
    UNKNOWNS   a tuple of words: what it takes for no answer
    EXTRA      the name of the extra that brings its driver, where it needs one
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn, Protocol

from deployctl.errors import DeployctlError
from strategies.analysis import Measurement

Json = dict[str, Any]


class Page(NamedTuple):
    """An answer over HTTP; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Cluster(Protocol):
    """The API of the cluster, for gates that ask it; paths as `/api/v1/...`. Raises DeployctlError."""

    def get(self, path: str) -> Json: ...

    def post(self, path: str, body: Json) -> Json: ...

    def delete(self, path: str) -> None: ...

    def patch(self, path: str, patch: list[Json]) -> Json: ...


@dataclass(frozen=True, slots=True)
class About:
    """What is being released, of which workload; `stable` and `preview` are the hashes of the two revisions."""

    app: str = ""
    namespace: str = ""
    stable: str = ""
    preview: str = ""
    kind: str = "Deployment"
    workload: str = ""


class Metrics(Protocol):
    """Where Prometheus is, for gates that name none; `token` is a Credential."""

    @property
    def url(self) -> str: ...

    @property
    def token(self) -> Any: ...

    @property
    def ca(self) -> str | None: ...


class Flags(Protocol):
    """Where feature flags are: `provider.options` is a deployctl.flags.Provider."""

    @property
    def provider(self) -> Any: ...

    @property
    def context(self) -> Any: ...


def no_secrets(name: str, key: str) -> bytes:
    """Refuse a Secret where there is no cluster to read it from."""
    raise DeployctlError(f"{key} of the Secret {name} cannot be read here")


def no_pages(pod: str, *_: object) -> NoReturn:
    """Refuse a page with its headers where there is no way to ask for them."""
    raise DeployctlError(f"{pod}: headers cannot be read here")


def no_tunnel(pod: str, port: int) -> NoReturn:
    """Refuse a connection to a pod where there is no way to it."""
    raise DeployctlError(f"there is no way to port {port} of {pod} here")


class NoCluster:
    """Refuses every call where there is no cluster."""

    def get(self, path: str) -> Json:
        raise DeployctlError(f"{path} cannot be read here")

    def post(self, path: str, body: Json) -> Json:
        del body
        raise DeployctlError(f"{path} cannot be written here")

    def delete(self, path: str) -> None:
        raise DeployctlError(f"{path} cannot be deleted here")

    def patch(self, path: str, patch: list[Json]) -> Json:
        del patch
        raise DeployctlError(f"{path} cannot be written here")


NO_CLUSTER = NoCluster()


@dataclass(frozen=True, slots=True)
class Asked:
    """What a gate may look at: the pods on trial, and the ways to reach them and what the spec allows besides.

    pods: the raw pods
    service: the first listed Service, whose targetPort is the port unless a gate names one
    proxy: (pod, port, scheme, path, timeout in seconds) -> (status, body); raises DeployctlError without an answer
    secret: (name, key) -> a value of a Secret in the app's namespace; raises DeployctlError where it cannot be read
    page: as proxy, with the headers
    tunnel: (pod, port) -> a context with the loopback address (host, port) that leads there
    cluster: the API
    about: what is released
    hosts: that gates may ask besides loopback, as `deployctl.gates.hosts` reads them
    metrics: the Prometheus of gates that name none
    flags: where feature flags are, where the spec says so
    """

    pods: tuple[Json, ...]
    service: Json
    proxy: Callable[[str, int, str, str, float], tuple[int, bytes]]
    timeout_seconds: float = 5.0
    secret: Callable[[str, str], bytes] = no_secrets
    page: Callable[[str, int, str, str, float], Page] = no_pages
    tunnel: Callable[[str, int], AbstractContextManager[tuple[str, int]]] = no_tunnel
    cluster: Cluster = NO_CLUSTER
    about: About = About()
    hosts: tuple[str, ...] = ()
    metrics: Metrics | None = None
    flags: Flags | None = None


class Gate(Protocol):
    def measure(self, asked: Asked) -> Measurement: ...
