"""The sandbox's cluster: a machine without a clock or a wire of its own.

Calls go in and answers come out; time is whatever `clock` says, and controllers act when `run` is called.
The same seed and the same calls at the same times give the same cluster.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from deployctl.sandbox.store import Event, Store

Json = dict[str, Any]
Key = tuple[str, str]  # namespace ("" where there is none) and name
LATENCY_SECONDS = (0.002, 0.02)  # between a change and the controllers that act on it


class Controller(Protocol):
    """Brings what is nearer to what is wanted, one object at a time."""

    name: str

    def concerns(self, event: Event) -> Iterable[Key]:
        """Name the objects to look at because of a change."""
        ...

    def reconcile(self, namespace: str, name: str) -> float | None:
        """Look at one object (it may be gone) and write; give the seconds until it wants another look."""
        ...


class Runtime(Protocol):
    """Runs the containers of pods: as processes here, in the imagination of a test."""

    changed: Callable[[str], None]  # called with a pod's uid when a container ended or a probe was answered

    def start(self, pod: Json) -> None:
        """Start every container of a pod, or the ones that have ended."""
        ...

    def stop(self, pod: Json, grace_seconds: float) -> None:
        """Tell the pod's containers to end (preStop, SIGTERM), and kill them after the grace; do not wait."""
        ...

    def running(self, pod: Json) -> bool: ...

    def exit_code(self, pod: Json) -> int | None:
        """Tell how the container last ended; None while it runs or where it never ran."""
        ...

    def due(self, pod: Json) -> float | None:
        """Give the seconds for which the pod answers as it does, `inf` for ever; None where nobody knows."""
        ...

    def probe(self, pod: Json, container: Json, probe: Json) -> str | None:
        """Begin to ask a probe's question, or tell what was wrong with the last one; None until it is answered.

        "" is a pass; else in the words of a kubelet: `HTTP probe failed with statuscode: 503`.
        """
        ...

    def ask(
        self, pod: Json, port: int, path: str, scheme: str, timeout_seconds: float
    ) -> tuple[int, bytes, str] | None:
        """Ask a pod over HTTP: status, body and content type; None where nothing answers."""
        ...

    def tell(
        self, pod: Json, port: int, path: str, body: Json, timeout_seconds: float
    ) -> tuple[int, bytes, str] | None:
        """Post JSON to a pod: status, body and content type; None where nothing answers."""
        ...

    def log(self, pod: Json, *, previous: bool = False) -> str: ...


@dataclass
class Cluster:
    """One cluster. Every call and every `run` holds `lock`; `changed` is notified after each change."""

    clock: Callable[[], float]
    seed: int = 0
    latency_seconds: tuple[float, float] = LATENCY_SECONDS
    paused: set[str] = field(default_factory=set)  # names of controllers that do not act

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.store = Store(self.clock, self.seed)
        self.store.listeners.append(self._heard)
        self.controllers: dict[str, Controller] = {}
        self._agenda: list[tuple[float, int, str, Key]] = []
        self._due: dict[tuple[str, Key], float] = {}
        self._order = itertools.count()

    def employ(self, controller: Controller) -> None:
        """Let a controller act from now on."""
        self.controllers[controller.name] = controller

    def look_at(self, controller: str, key: Key, after_seconds: float) -> None:
        """Have a controller look at an object in so many seconds, or earlier where that is planned already."""
        at = self.clock() + after_seconds
        if at < self._due.get((controller, key), float("inf")):
            self._due[controller, key] = at
            heapq.heappush(self._agenda, (at, next(self._order), controller, key))

    def run(self) -> float | None:
        """Let every controller do what is due; give the moment of what is due next, None where nothing is."""
        with self.lock:
            held: list[tuple[str, Key]] = []
            while self._agenda and self._agenda[0][0] <= self.clock():
                at, _, controller, key = heapq.heappop(self._agenda)
                if self._due.get((controller, key)) != at:
                    continue  # an earlier look has replaced this one
                del self._due[controller, key]
                if controller in self.paused:
                    held.append((controller, key))
                    continue
                again = self.controllers[controller].reconcile(*key)
                if again is not None:
                    self.look_at(controller, key, again)
            for controller, key in held:
                self.look_at(controller, key, 0.5)
            return self._agenda[0][0] if self._agenda else None

    def _heard(self, event: Event) -> None:
        for name, controller in self.controllers.items():
            for key in controller.concerns(event):
                self.look_at(name, key, self.store.chance.uniform(*self.latency_seconds))
        self.changed.notify_all()
