"""How a probe knows that a Deployment has come to rest, and what it then counts."""

from __future__ import annotations

from typing import Any

from tests.contracts.cluster.normal import normal
from tests.contracts.cluster.probe import Probe

QUIET_SECONDS = 1.2
COMBINED = "(combined from similar events): "


def revision(one: Any) -> str:
    """Tell the R of a pod template: the probes' own name of a revision."""
    spec = one["spec"].get("template", one)["spec"]
    return next((each["value"] for each in spec["containers"][0].get("env", []) if each["name"] == "R"), "1")


def sizes(p: Probe) -> dict[str, int]:
    """Count what each revision's ReplicaSet wants."""
    return {f"r{revision(one)}": one["spec"]["replicas"] for one in p.items("replicasets")}


def pods(p: Probe) -> list[Any]:
    return [one for one in p.items("pods") if "deletionTimestamp" not in one["metadata"]]


def named(p: Probe, wanted: str) -> Any:
    """Give the ReplicaSet of a revision."""
    return next(one for one in p.items("replicasets") if revision(one) == wanted)


def _shape(p: Probe) -> tuple[bool, Any]:
    one = p.get("deployments", "web")
    sets = p.items("replicasets")
    counts = [
        (each["metadata"]["name"], each["spec"]["replicas"], each["status"].get("replicas", 0))
        for each in sets
    ]
    seen = one["metadata.generation"] == one["status.observedGeneration"]
    reached = all(wanted == there for _, wanted, there in counts)
    ready = [(each["status"].get("readyReplicas"), each["status"].get("availableReplicas")) for each in sets]
    return seen and reached, (sorted(counts), ready, one["status"])


def steady(p: Probe, seconds: float = 60.0) -> dict[str, int]:
    """Wait until nothing has moved for a while; give the sizes."""
    before: Any = None
    since = p.backend.moment()

    def quiet() -> bool:
        nonlocal before, since
        done, shape = _shape(p)
        if shape != before:
            before, since = shape, p.backend.moment()
        return done and p.backend.moment() - since >= QUIET_SECONDS

    p.until(quiet, "the Deployment to come to rest", seconds)
    return sizes(p)


def ready(p: Probe, count: int, seconds: float = 60.0) -> None:
    """Wait for so many ready pods, and rest."""

    def enough() -> bool:
        counts = [each["status"].get("readyReplicas", 0) for each in p.items("replicasets")]
        return sum(counts) == count and len(pods(p)) == count

    p.until(enough, f"{count} ready pods", seconds)
    steady(p)


def conditions(one: Any) -> list[Any]:
    """Give the conditions of a status by type, without their moments."""
    found = one["status"].get("conditions") or []
    kept = [{key: value for key, value in each.items() if not key.endswith("Time")} for each in found]
    return sorted(kept, key=lambda each: str(each["type"]))


def events(p: Probe, reason: str) -> list[str]:
    """Give the messages of all events with a reason, each once; many of a kind may have been combined."""
    found = [one["message"].removeprefix(COMBINED) for one in p.items("events") if one["reason"] == reason]
    return sorted({str(normal(one, p.namespace)) for one in found})
