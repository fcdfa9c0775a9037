"""What gates may do with the cluster: read, run a Job, read a pod's page with its headers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deployctl.cluster import proxy, secrets, tunnel
from deployctl.cluster.api import JSON_PATCH, Api, Request
from deployctl.cluster.paths import path
from deployctl.gates import About, Asked, Page
from deployctl.memory import FIELD_MANAGER
from deployctl.spec import Flags, Gates

Json = dict[str, Any]


class Asking:
    """The API for gates. A Job that a gate made is deleted with its pods."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def get(self, where: str) -> Json:
        return self._api.get(where)

    def post(self, where: str, body: Json) -> Json:
        return self._api.post(where, body)

    def delete(self, where: str) -> None:
        self._api.send(Request("DELETE", where, {"propagationPolicy": "Background"}))

    def patch(self, where: str, patch: list[Json]) -> Json:
        return self._api.send(Request("PATCH", where, patch, JSON_PATCH, {"fieldManager": FIELD_MANAGER}))


def pages(api: Api, namespace: str) -> Callable[[str, int, str, str, float], Page]:
    """Give what asks a pod for a page with its headers."""

    def ask(pod: str, port: int, scheme: str, page: str, timeout_seconds: float) -> Page:
        name = f"{scheme}:{pod}:{port}" if scheme == "https" else f"{pod}:{port}"
        request = Request("GET", path(namespace, "pods", name, "proxy") + page)
        return Page(*api.whole(request, timeout_seconds))

    return ask


def asked(  # noqa: PLR0913, PLR0917 - one parameter for each part of what may be looked at
    api: Api, about: About, pods: tuple[Json, ...], service: Json, gates: Gates, flags: Flags | None = None
) -> Asked:
    """Give what gates may look at: these pods, and every way there is."""
    there = about.namespace
    return Asked(
        pods,
        service,
        proxy.through(api, there),
        secret=secrets.through(api, there),
        page=pages(api, there),
        tunnel=tunnel.through(api, there),
        cluster=Asking(api),
        about=about,
        hosts=gates.hosts,
        metrics=gates.metrics,
        flags=flags,
    )
