"""What goes wrong between a client and the API server, by plan: this fault befalls that call.

A plan is data: the third PATCH of a Deployment is applied and its answer lost, every watch is two seconds late.
The same plan and the same calls give the same faults. `Faults.around` stands around every call of the wire, and
of a rehearsal in virtual time alike.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from deployctl.sandbox.calls import Answer, Call, Refused
from deployctl.sandbox.cluster import Cluster

Json = dict[str, Any]
Kind = Literal[
    "dropBefore",  # the call does not arrive
    "dropAfter",  # it is carried out, and its answer does not arrive
    "timeout",  # nothing arrives for `seconds`, and then the connection is gone; nothing was carried out
    "conflict",  # 409, without being carried out
    "gone",  # 410: the version is too old
    "tooMany",  # 429 with Retry-After: `seconds`
    "error",  # 500
    "unavailable",  # 503
    "expired",  # 401: the credential is no longer taken
    "denied",  # 403
    "stale",  # a read shows the cluster as it was `seconds` ago
    "slowWatch",  # a watch brings everything `seconds` late
    "truncated",  # a watch breaks off in the middle of a line
    "killBefore",  # the client's process dies before the call
    "killAfter",  # it dies when the call was carried out
]


class NoAnswer(Exception):
    """The connection breaks after so many seconds, without a byte."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__(f"no answer in {seconds:g}s")
        self.seconds = seconds


class Killed(BaseException):
    """The client's process dies here; only a rehearsal, where both share one process, can do that."""


class Stream(Protocol):
    """A watch, as the wire and a rehearsal read it. One that is `torn` breaks off in the next line."""

    ended: bool
    torn: bool

    @property
    def due(self) -> float: ...

    def take(self) -> list[Json]: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. What is left empty matches everything; a watch is of method WATCH."""

    kind: Kind
    call: int = 0  # the number of the matching call that it befalls, from 1; 0: every one
    method: str = ""
    resource: str = ""
    name: str = ""
    agent: str = ""  # how the client's User-Agent begins
    seconds: float = 1.0

    def matches(self, call: Call) -> bool:
        """Say whether a call is one of those that this fault is about."""
        method = "WATCH" if _watches(call) else call.method
        resource, name = _about(call.path)
        wanted = ((self.method, method), (self.resource, resource), (self.name, name))
        return call.agent.startswith(self.agent) and all(one in ("", other) for one, other in wanted)


def _watches(call: Call) -> bool:
    return call.method == "GET" and call.query.get("watch") in {"1", "true"}


def _about(path: str) -> tuple[str, str]:
    """Read the resource and the name: of `/apis/apps/v1/namespaces/x/deployments/wallet` the last two."""
    whole, _, rest = path.partition("/namespaces/")
    parts = rest.split("/")[1:] if rest else whole.split("/")[-1:]
    return parts[0] if parts else "namespaces", parts[1] if len(parts) > 1 else ""


REFUSALS: dict[str, tuple[int, str, str]] = {
    "conflict": (
        409,
        "Conflict",
        "Operation cannot be fulfilled: the object has been modified; please apply your changes to the latest version and try again",
    ),
    "gone": (410, "Expired", "too old resource version"),
    "tooMany": (
        429,
        "TooManyRequests",
        "The server has received too many requests and has asked us to try again later",
    ),
    "error": (500, "InternalError", "Internal error occurred: a fault of the plan"),
    "unavailable": (503, "ServiceUnavailable", "the server is currently unable to handle the request"),
    "expired": (401, "Unauthorized", "Unauthorized"),
    "denied": (403, "Forbidden", "forbidden by a fault of the plan"),
}


class Faults:
    """A plan, and how many calls of each of its faults there have been."""

    def __init__(self, cluster: Cluster, plan: Iterable[Fault] = ()) -> None:
        self.cluster, self.plan = cluster, list(plan)
        self.befell: list[tuple[Fault, Call]] = []
        self._seen: Counter[Fault] = Counter()

    def around(self, call: Call, go: Callable[[], Any]) -> Any:
        """Carry out a call, or what the plan makes of it; raise Refused, NoAnswer or Killed."""
        fault = self._next(call)
        if fault is None:
            return go()
        self.befell.append((fault, call))
        if fault.kind in REFUSALS:
            raise _refusal(fault)
        return self._broken(fault, go)

    def _next(self, call: Call) -> Fault | None:
        """Count the call, and give the first fault that befalls it."""
        about = [one for one in self.plan if one.matches(call)]
        self._seen.update(about)
        return next((one for one in about if one.call in (0, self._seen[one])), None)

    def _broken(self, fault: Fault, go: Callable[[], Any]) -> Any:
        match fault.kind:
            case "dropBefore":
                raise NoAnswer
            case "timeout":
                raise NoAnswer(fault.seconds)
            case "killBefore":
                raise Killed
            case "dropAfter":
                go()
                raise NoAnswer
            case "killAfter":
                go()
                raise Killed
            case "stale":
                return self._stale(fault.seconds, go)
        answer = go()
        if isinstance(answer, Answer):
            return answer
        return Late(answer, self.cluster.clock, fault.seconds) if fault.kind == "slowWatch" else Torn(answer)

    def _stale(self, seconds: float, go: Callable[[], Any]) -> Any:
        with self.cluster.lock, self.cluster.store.as_of(self.cluster.clock() - seconds):
            return go()


def _refusal(fault: Fault) -> Refused:
    code, reason, message = REFUSALS[fault.kind]
    again = {"Retry-After": f"{max(1, round(fault.seconds))}"} if fault.kind == "tooMany" else {}
    return Refused(code, reason, message, headers=again)


class Late:
    """A watch that brings everything so many seconds late."""

    torn = False

    def __init__(self, watch: Stream, clock: Callable[[], float], seconds: float) -> None:
        self._watch, self._clock, self._seconds = watch, clock, seconds
        self._held: deque[tuple[float, Json]] = deque()

    @property
    def ended(self) -> bool:
        return self._watch.ended and not self._held

    @property
    def due(self) -> float:
        return min(self._watch.due, self._held[0][0] if self._held else float("inf"))

    def take(self) -> list[Json]:
        now, taken = self._clock(), []
        self._held.extend((now + self._seconds, one) for one in self._watch.take())
        while self._held and self._held[0][0] <= now:
            taken.append(self._held.popleft()[1])
        return taken

    def close(self) -> None:
        self._held.clear()
        self._watch.close()


class Torn:
    """A watch that breaks off in the middle of the first line that it brings."""

    torn = True

    def __init__(self, watch: Stream) -> None:
        self._watch = watch

    @property
    def ended(self) -> bool:
        return self._watch.ended

    @property
    def due(self) -> float:
        return self._watch.due

    def take(self) -> list[Json]:
        return self._watch.take()[:1]

    def close(self) -> None:
        self._watch.close()
