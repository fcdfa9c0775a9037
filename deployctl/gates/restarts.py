"""The restarts gate counts what the new pods' containers died of since they came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from deployctl.gates import Asked
from strategies.analysis import Answer, Measurement

Json = dict[str, Any]
Count = Annotated[int, Meta(ge=0)]


@dataclass(frozen=True)
class Restarts:
    """Count restarts and out-of-memory kills of the pods on trial, from their own status.

    max: how many restarts are tolerated, of all their containers together
    oomKills: how many of the last ends may be for want of memory
    containers: only these, by name
    """

    RIGHTS: ClassVar = ("list pods, which every release needs",)
    UNKNOWNS: ClassVar = ("no pod, a pod whose containers have no status yet",)
    pod_wise: ClassVar = False

    max: Count = 0
    oom_kills: Count = 0
    containers: tuple[str, ...] = ()

    def measure(self, asked: Asked) -> Measurement:
        """Add up; where there is nothing to add there is no answer."""
        if not asked.pods:
            return Measurement(Answer.UNKNOWN, "there is no pod to look at")
        found = [(pod["metadata"]["name"], one) for pod in asked.pods for one in self._of(pod)]
        silent = {pod["metadata"]["name"] for pod in asked.pods} - {name for name, _ in found}
        if silent:
            return Measurement(Answer.UNKNOWN, f"{min(silent)} has no status of {self._named()} yet")
        return self._judged(found, len(asked.pods))

    def _of(self, pod: Json) -> Iterator[Json]:
        for one in pod.get("status", {}).get("containerStatuses") or []:
            if not self.containers or one["name"] in self.containers:
                yield one

    def _judged(self, found: list[tuple[str, Json]], pods: int) -> Measurement:
        count = sum(int(one.get("restartCount", 0)) for _, one in found)
        killed = [f"{name}/{one['name']}" for name, one in found if _out_of_memory(one)]
        if len(killed) > self.oom_kills:
            told = (
                f"{killed[0]} was killed for want of memory, {len(killed)} in all, at most {self.oom_kills}"
            )
            return Measurement(Answer.FAIL, told, count)
        if count > self.max:
            return Measurement(
                Answer.FAIL, f"{_worst(found)}, {count} restarts in all, at most {self.max}", count
            )
        return Measurement(Answer.PASS, f"{count} restarts of {pods} pods, at most {self.max}", count)

    def _named(self) -> str:
        return " and ".join(self.containers) or "its containers"


def _out_of_memory(status: Json) -> bool:
    ends = (status.get(key, {}).get("terminated") or {} for key in ("state", "lastState"))
    return any(one.get("reason") == "OOMKilled" for one in ends)


def _worst(found: list[tuple[str, Json]]) -> str:
    name, one = max(found, key=lambda each: int(each[1].get("restartCount", 0)))
    ended = (one.get("lastState", {}).get("terminated") or {}).get("reason", "")
    return f"{name}/{one['name']} restarted {one['restartCount']} times" + (f" ({ended})" if ended else "")
