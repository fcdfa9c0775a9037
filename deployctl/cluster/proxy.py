"""A way to a pod's pages through the API server, where no other network leads to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from deployctl.cluster.api import Api, Request
from deployctl.cluster.paths import path

Proxy = Callable[[str, int, str, str, float], tuple[int, bytes]]
Post = Callable[[str, int, str, Mapping[str, Any], float], tuple[int, bytes]]


def through(api: Api, namespace: str) -> Proxy:
    """Give what asks a pod for a page: (pod, port, scheme, page, timeout in seconds) -> (status, body)."""

    def ask(pod: str, port: int, scheme: str, page: str, timeout_seconds: float) -> tuple[int, bytes]:
        name = f"{scheme}:{pod}:{port}" if scheme == "https" else f"{pod}:{port}"
        where = path(namespace, "pods", name, "proxy") + page
        return api.raw(Request("GET", where), timeout_seconds)

    return ask


def posting(api: Api, namespace: str) -> Post:
    """Give what tells a pod something over HTTP: (pod, port, page, JSON, timeout in seconds) -> (status, body)."""

    def post(
        pod: str, port: int, page: str, body: Mapping[str, Any], timeout_seconds: float
    ) -> tuple[int, bytes]:
        where = path(namespace, "pods", f"{pod}:{port}", "proxy") + page
        return api.raw(Request("POST", where, body), timeout_seconds)

    return post
