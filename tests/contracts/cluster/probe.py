"""What a probe holds: raw calls, kubectl and time on one cluster, and what it has seen there."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode

from tests.contracts.cluster.normal import normal, spoken, written

Json = dict[str, Any]
Found = TypeVar("Found")

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
TELLING = ("Warning", "Retry-After", "Location", "Allow")
GROUPS = {
    "deployments": "/apis/apps/v1",
    "replicasets": "/apis/apps/v1",
    "statefulsets": "/apis/apps/v1",
    "controllerrevisions": "/apis/apps/v1",
    "endpointslices": "/apis/discovery.k8s.io/v1",
    "leases": "/apis/coordination.k8s.io/v1",
    "horizontalpodautoscalers": "/apis/autoscaling/v2",
    "poddisruptionbudgets": "/apis/policy/v1",
}


class Stream(Protocol):
    """An open watch: the lines that have come so far."""

    lines: list[str]
    ended: bool

    def close(self) -> None: ...


class Backend(Protocol):
    """One cluster over its wire."""

    name: str

    def exchange(
        self, method: str, target: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]: ...

    def stream(self, target: str) -> Stream: ...

    def kubectl(self, args: Sequence[str], given: str | None) -> tuple[int, str, str]: ...

    def pass_time(self, seconds: float) -> None: ...

    def moment(self) -> float:
        """Tell the cluster's time in seconds."""
        ...


@dataclass(frozen=True)
class Reply:
    """One answer, and the call that it answers."""

    asked: str
    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        try:
            return json.loads(self.raw)
        except ValueError:
            return self.raw.decode(errors="replace")

    def __getitem__(self, where: str) -> Any:
        """Give what is at `spec.strategy`; None where there is nothing."""
        return dig(self.body, where)


@dataclass
class Probe:
    """A cluster, a namespace of its own in it, and what was seen so far."""

    backend: Backend
    namespace: str
    seen: list[str] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)

    def path(self, resource: str, *rest: str) -> str:
        return "/".join((GROUPS.get(resource, "/api/v1"), "namespaces", self.namespace, resource, *rest))

    def send(
        self, method: str, path: str, body: Any = None, media: str = "application/json", accept: str = "", /, **query: Any
    ) -> Reply:  # fmt: skip
        """Send one call; a body of bytes goes out as it is."""
        target = f"{path}?{urlencode(query)}" if query else path
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = {"Accept": accept or "application/json", "User-Agent": "probe"}
        sent = {**headers, "Content-Type": media} if content is not None else headers
        return Reply(f"{method} {target}", *self.backend.exchange(method, target, content, sent))

    def as_nobody(self, path: str) -> Reply:
        """Read with a credential that nobody has."""
        headers = {"Accept": "application/json", "Authorization": "Bearer nobody"}
        return Reply(f"GET {path}", *self.backend.exchange("GET", path, None, headers))

    def get(self, resource: str, *rest: str, **query: Any) -> Reply:
        return self.send("GET", self.path(resource, *rest), **query)

    def post(self, resource: str, body: Any, *rest: str, **query: Any) -> Reply:
        return self.send("POST", self.path(resource, *rest), body, **query)

    def put(self, resource: str, body: Any, **query: Any) -> Reply:
        return self.send("PUT", self.path(resource, body["metadata"]["name"]), body, **query)

    def patch(
        self, resource: str, name: str, change: Any, media: str = MERGE, /, sub: str = "", **query: Any
    ) -> Reply:
        """Patch; a list of operations is a JSON patch."""
        kind = JSON_PATCH if isinstance(change, list) else media
        return self.send("PATCH", self.path(resource, name, *filter(None, [sub])), change, kind, **query)

    def delete(self, resource: str, *rest: str, body: Any = None, **query: Any) -> Reply:
        return self.send("DELETE", self.path(resource, *rest), body, **query)

    def make(self, resource: str, body: Any, **query: Any) -> Json:
        """Create what a probe stands on; a refusal ends the probe."""
        reply = self.post(resource, body, **query)
        assert reply.status == 201, f"{reply.asked}: {reply.status} {reply.body}"
        made: Json = reply.body
        return made

    def items(self, resource: str, labels: str = "") -> list[Json]:
        query = {"labelSelector": labels} if labels else {}
        found: list[Json] = self.get(resource, **query)["items"]
        return found

    def watch(self, path: str, /, **query: Any) -> Stream:
        """Open a watch; it is closed when the probe ends."""
        opened = self.backend.stream(f"{path}?{urlencode({'watch': 'true', **query})}")
        self.streams.append(opened)
        return opened

    def kubectl(self, *args: str, given: str | None = None) -> tuple[int, str, str]:
        """Run kubectl in the namespace; give exit code, standard output and standard error."""
        return self.backend.kubectl(["-n", self.namespace, *args], given)

    def until(self, condition: Callable[[], Found], what: str, seconds: float = 40.0) -> Found:
        """Let time pass until a condition holds, and give it."""
        end = self.backend.moment() + seconds
        while not (found := condition()):
            if self.backend.moment() > end:
                raise AssertionError(f"waited {seconds:g} s for {what}")
            self.backend.pass_time(0.1)
        return found

    def pass_time(self, seconds: float) -> None:
        self.backend.pass_time(seconds)

    def see(self, reply: Reply, *picked: str) -> Reply:
        """Write down an answer: all of its body, or what is at these places."""
        heads = {name: reply.headers[name.lower()] for name in TELLING if name.lower() in reply.headers}
        media = reply.headers.get("content-type", "")
        shown = {**heads, **({} if media == "application/json" else {"Content-Type": media})}
        self._write(f"{reply.asked} -> {reply.status}", shown, prefix="  # ")
        self._write("", {one: reply[one] for one in picked} if picked else reply.body)
        return reply

    def note(self, what: str, value: Any) -> None:
        """Write down a fact."""
        self._write(f"{what}:", value)

    def run(self, *args: str, given: str | None = None) -> str:
        """Run kubectl and write down what it said; give its standard output."""
        code, out, err = self.kubectl(*args, given=given)
        self._write(f"$ kubectl {' '.join(args)} -> {code}", spoken(out))
        if err:
            self._write("  standard error:", spoken(err))
        return out

    def _write(self, head: str, value: Any, prefix: str = "  ") -> None:
        lines = written(normal(value, self.namespace)).splitlines() if value not in ("", None, {}) else []
        if value is None:
            lines = ["null"]
        whole = [normal(head, self.namespace)] if head else []
        self.seen += [*whole, *(f"{prefix}{line}".rstrip() for line in lines)]


def dig(body: Any, where: str) -> Any:
    """Give what is at `spec.containers.0.name`; a step may hold escaped dots: `annotations.a\\.b`."""
    for step in where.replace("\\.", "\0").split("."):
        key = step.replace("\0", ".")
        if isinstance(body, list):
            body = body[int(key)] if key.isdigit() and int(key) < len(body) else None
        else:
            body = body.get(key) if isinstance(body, dict) else None
    return body
