"""Questions that are asked before traffic moves on: one file a gate.

A gate is a frozen dataclass of its options, named by an entry point of the group `deployctl.gates`, with
`measure(asked: Asked) -> Measurement`: one measurement, its answer and its evidence. It raises nothing that
it can answer with UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from deployctl.errors import DeployctlError
from strategies.analysis import Measurement

Json = dict[str, Any]


def no_secrets(name: str, key: str) -> bytes:
    """Refuse a Secret where there is no cluster to read it from."""
    raise DeployctlError(f"{key} of the Secret {name} cannot be read here")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a gate may look at: the pods on trial, and a way to reach them through the API server.

    pods: the raw pods
    service: the first listed Service, whose targetPort is the port unless a gate names one
    proxy: (pod, port, scheme, path, timeout in seconds) -> (status, body); raises DeployctlError without an answer
    secret: (name, key) -> a value of a Secret in the app's namespace; raises DeployctlError where it cannot be read
    """

    pods: tuple[Json, ...]
    service: Json
    proxy: Callable[[str, int, str, str, float], tuple[int, bytes]]
    timeout_seconds: float = 5.0
    secret: Callable[[str, str], bytes] = no_secrets


class Gate(Protocol):
    def measure(self, asked: Asked) -> Measurement: ...
