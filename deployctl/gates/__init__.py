"""Questions that are asked before traffic moves on: one file a gate.

A gate is a frozen dataclass of its options, named by an entry point of the group `deployctl.gates`, with
`measure(asked: Asked) -> Measurement`: one measurement, its answer and its evidence. It raises nothing that
it can answer with UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from strategies.analysis import Measurement

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a gate may look at: the pods on trial, and a way to reach them through the API server.

    pods: the raw pods
    service: the first listed Service, whose targetPort is the port unless a gate names one
    proxy: (pod, port, scheme, path, timeout in seconds) -> (status, body); raises DeployctlError without an answer
    """

    pods: tuple[Json, ...]
    service: Json
    proxy: Callable[[str, int, str, str, float], tuple[int, bytes]]
    timeout_seconds: float = 5.0


class Gate(Protocol):
    def measure(self, asked: Asked) -> Measurement: ...
