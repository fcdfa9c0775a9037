"""The last words of a container that crashed: what its own log says of why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deployctl.cluster.api import Api, Request
from deployctl.cluster.paths import path
from deployctl.errors import DeployctlError
from deployctl.foreign import printable
from deployctl.observe import Snapshot, pods_of, replica_set

Json = dict[str, Any]
LINES = 5
MOST_BYTES = 4096
MOST_COLUMNS = 300
PATIENCE_SECONDS = 2.0  # nobody waits long for a log before turning round


def last_words(api: Api, look: Snapshot, template: str) -> tuple[str, ...]:
    """Tell the last lines of the first container of a revision that crashed; nothing where none did."""
    pod, status = next(_crashed(look, template), (None, {}))
    if pod is None:
        return ()
    lines = _tail(api, pod, status)
    where = f"{pod['metadata']['name']}: {status['name']}"
    return (f"{where} crashed; its log ends:", *(f"  {line}" for line in lines)) if lines else ()


def _crashed(look: Snapshot, template: str) -> Iterator[tuple[Json, Json]]:
    owner = replica_set(look.replica_sets, template)
    for pod in pods_of(owner, look) if owner else ():
        yield from ((pod, one) for one in _containers(pod) if _ended(one))


def _containers(pod: Json) -> list[Json]:
    status = pod.get("status", {})
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _ended(status: Json) -> bool:
    """Say whether a container ended badly, now or before its last restart."""
    ends = (status.get("state") or {}).get("terminated"), (status.get("lastState") or {}).get("terminated")
    return any(end and end.get("exitCode") for end in ends)


def _tail(api: Api, pod: Json, status: Json) -> list[str]:
    meta = pod["metadata"]
    before = "terminated" not in (status.get("state") or {})
    query = {
        "container": status["name"],
        "previous": str(before).lower(),
        "tailLines": str(LINES),
        "limitBytes": str(MOST_BYTES),
    }
    where = path(meta["namespace"], "pods", meta["name"], "log")
    try:
        code, text = api.raw(Request("GET", where, query=query), PATIENCE_SECONDS)
    except DeployctlError:
        return []
    lines = printable(text.decode(errors="replace")).splitlines() if code == 200 else []
    return [line[:MOST_COLUMNS] for line in lines if line.strip()][-LINES:]
