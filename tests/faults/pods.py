"""Pods in the imagination, which have rounds open on them and tell when their process ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deployctl.sandbox.pods.imagined import Imagined, Process

Json = dict[str, Any]


class Playing(Imagined):
    """A runtime whose first pods, as many as the stage says, have a round open until a moment."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.until: dict[str, float] = {}  # by the pod's uid: when its last round ends
        self.ending: Callable[[Json, float], None] = lambda _pod, _ends: None
        self.heeded: Callable[[Json], None] = lambda _pod: None

    def tell(
        self, pod: Json, port: int, path: str, body: Json, timeout_seconds: float
    ) -> tuple[int, bytes, str] | None:
        answer = super().tell(pod, port, path, body, timeout_seconds)
        self.heeded(pod)
        return answer

    def employ(self, pod: Json) -> None:
        """Let a pod consume, as one does that was told to at some time before."""
        self._processes[pod["metadata"]["uid"]].consumes = True

    def play(self, pod: Json, seconds: float) -> None:
        """Open a round on a pod for so long."""
        self.until[pod["metadata"]["uid"]] = self._clock() + seconds

    def rounds(self, uid: str) -> int:
        return int(self.until.get(uid, 0.0) > self._clock())

    def stop(self, pod: Json, grace_seconds: float) -> None:
        super().stop(pod, grace_seconds)
        self.ending(pod, self._processes[pod["metadata"]["uid"]].ends)

    def _route(self, uid: str, process: Process, path: str) -> tuple[int, Json]:
        if path == "/internal/rounds":
            return 200, {"open": self.rounds(uid), "oldestSeconds": 0.0}
        return super()._route(uid, process, path)
