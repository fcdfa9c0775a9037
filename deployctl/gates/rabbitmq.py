"""The rabbitmq gate asks the management API for the health of its nodes and the depth of its queues."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar
from urllib.parse import quote

from msgspec import Meta

from deployctl.errors import DeployctlError
from deployctl.gates import Asked
from deployctl.gates.credential import Credential, FilePath
from deployctl.gates.deadline import Deadline, within
from deployctl.gates.findings import Finding, failed, folded, judged, passed, shown, unknown
from deployctl.gates.hosts import resolved
from deployctl.gates.peers import Login, NotNegative, Peer, Port, Share, Tls, Word, context
from strategies.analysis import Measurement

if TYPE_CHECKING:
    import httpx

PORT, TLS_PORT = 15672, 15671
MOST_BYTES = 8 * 2**20

Json = dict[str, Any]


@dataclass(frozen=True)
class Queue:
    """A queue, and what may be in it.

    name: of the queue
    vhost: its virtual host
    ready: how many messages may wait
    unacknowledged: how many may be with consumers
    consumers: at least so many consumers
    age: how old the oldest waiting message may be; needs messages with a timestamp, and is not held unless it is given
    growth: how many messages more may wait each second; not held unless it is given
    """

    name: Word
    vhost: Word = "/"
    ready: NotNegative = 1000
    unacknowledged: NotNegative = 1000
    consumers: NotNegative = 1
    age_seconds: float | None = None
    growth: Annotated[float, Meta(ge=0)] | None = None

    @property
    def path(self) -> str:
        return f"/queues/{quote(self.vhost, safe='')}/{quote(self.name, safe='')}"


@dataclass(frozen=True)
class Rabbitmq:
    """Ask RabbitMQ's management API whether its nodes and queues can bear a new revision now.

    nodes: nodes by their own addresses, never the balancer's; what only a node itself can tell is asked of each
    user: asked as this user
    password: where its password is
    tls: verify the server's certificate and name, or go without TLS (off)
    ca: file of the certificate authority; the system's unless it is given
    size: how many nodes must run; as many as are listed unless it is given
    quorum: hold that no node is critical, that is that no queue loses its majority with it
    listener: a port that each node must listen at for clients
    memory: the share of its memory limit that a node may use; at the limit all publishers are blocked
    disk: how many times the limit of free disk must be free
    sockets: the share of its sockets that a node may use
    more: how many connections the new revision opens beside today's: its pool times its most pods
    queues: queues that are looked into
    """

    RIGHTS: ClassVar = (
        "rabbitmqctl set_user_tags deployctl monitoring",
        "rabbitmqctl set_permissions -p VHOST deployctl '^$' '^$' '.*' for the virtual host of each queue",
    )
    UNKNOWNS: ClassVar = (
        "a node that cannot be asked, a wrong password, no answer in time",
        "a queue whose numbers are not there yet",
        "an oldest message without a timestamp, where `age` is given",
    )

    nodes: Annotated[tuple[Peer, ...], Meta(min_length=1)]
    user: Word
    password: Credential
    tls: Tls = "verify"
    ca: FilePath | None = None
    size: Annotated[int, Meta(ge=1)] | None = None
    quorum: bool = True
    listener: Port | None = 5672
    memory: Share = 0.8
    disk: Annotated[float, Meta(ge=1)] = 1.5
    sockets: Share = 0.8
    more: NotNegative = 0
    queues: tuple[Queue, ...] = ()

    def measure(self, asked: Asked) -> Measurement:
        """Ask each node, and the first that answers for what all know; every check that says no is told."""
        return within(asked.timeout_seconds, lambda deadline: self._asked(asked, deadline))

    def _asked(self, asked: Asked, deadline: Deadline) -> Measurement:
        login = Login(self.user, self.password.reveal(asked), self.tls, self.ca, asked.hosts)
        pages = [Pages(one, login, deadline) for one in self.nodes]
        findings = [found for one in pages for found in self._node(one)]
        answering = next((one for one in pages if one.answered), None)
        if answering:
            findings += self._all(answering)
        return folded("", findings, total=f"{len(pages)} nodes, {len(self.queues)} queues")

    def _node(self, page: Pages) -> Iterator[Finding]:
        """Ask a node what it alone knows."""
        try:
            if self.quorum:
                yield page.check("quorum", "/health/checks/node-is-quorum-critical")
            if self.listener:
                yield page.check("listener", f"/health/checks/port-listener/{self.listener}")
            yield page.check("alarms", "/health/checks/alarms")
        except DeployctlError as error:
            yield unknown("node", str(error))

    def _all(self, page: Pages) -> Iterator[Finding]:
        """Ask any node what all know."""
        try:
            yield from self._cluster(page.get("/nodes"))
        except DeployctlError as error:
            yield unknown("cluster", str(error))
        except (LookupError, TypeError, ValueError):
            yield unknown("cluster", f"{page.called}: its nodes do not say how they are")
        for one in self.queues:
            try:
                said = page.get(one.path, f"queue {one.name}")
            except Missing as error:
                yield failed("queue", f"{error}, expected one")
            except DeployctlError as error:
                yield unknown("queue", str(error))
            else:
                yield from (found.of(one.name) for found in _queue(one, said))

    def _cluster(self, nodes: list[Json]) -> Iterator[Finding]:
        running = [one for one in nodes if one.get("running")]
        size = self.size or len(self.nodes)
        down = "".join(f", {one['name']} is down" for one in nodes if not one.get("running"))
        yield judged(
            "size", f"{len(running)} of {size} nodes run{down}", fine=len(running) >= size, expected=f"{size}"
        )
        for one in running:
            yield from (found.of(one["name"]) for found in self._room(one))

    def _room(self, node: Json) -> Iterator[Finding]:
        apart = node.get("partitions") or []
        yield judged(
            "partitions", f"it is apart from {', '.join(apart) or 'none'}", fine=not apart, expected="none"
        )
        used, most = int(node["mem_used"]), int(node["mem_limit"])
        text = f"{shown(used)} of {shown(most)} memory used"
        yield judged("memory", text, fine=used <= self.memory * most, expected=f"at most {self.memory:.0%}")
        free, least = int(node["disk_free"]), int(node["disk_free_limit"])
        text = f"{shown(free)} of disk free"
        yield judged("disk", text, fine=free >= self.disk * least, expected=f"{self.disk:g} x {shown(least)}")
        used, most = int(node["sockets_used"]) + self.more, int(node["sockets_total"])
        text = f"{used} of {most} sockets" + (f" with {self.more} more" if self.more else "")
        yield judged(
            "sockets", text, fine=used <= self.sockets * most, expected=f"at most {self.sockets:.0%}"
        )


class Missing(DeployctlError):
    """The management API knows no such thing."""


class Pages:
    """The pages of one node's management API."""

    def __init__(self, node: Peer, login: Login, deadline: Deadline) -> None:
        port = node.port or (TLS_PORT if login.tls == "verify" else PORT)
        self.called = node.called(port)
        self.answered = False
        self._host, self._port, self._login, self._deadline = node.host, port, login, deadline

    def check(self, name: str, path: str) -> Finding:
        """Ask a health check: 200 is well, and 503 is not and says why."""
        status, said = self._ask(path)
        if status in {200, 503} and isinstance(said, dict):
            self.answered = True
            reason = str(said.get("reason") or "it is well")
            return (passed if status == 200 else failed)(name, f"{self.called}: {reason}")
        raise self._refused(status, said)

    def get(self, path: str, what: str = "") -> Any:
        """Ask for a page; raise DeployctlError where there is none."""
        status, said = self._ask(path)
        if status == 404:
            raise Missing(f"there is no {what or path}")
        if status != 200:
            raise self._refused(status, said)
        return said

    def _refused(self, status: int, said: Any) -> DeployctlError:
        reason = said.get("reason") or said.get("error") if isinstance(said, dict) else ""
        return DeployctlError(self._login.password.scrub(f"{self.called}: {status} {reason or ''}".rstrip()))

    def _ask(self, path: str) -> tuple[int, Any]:
        import httpx

        self._deadline.at = self.called
        try:
            status, body = self._fetched(path)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            words = self._login.password.scrub(str(error) or type(error).__name__)
            raise DeployctlError(f"{self.called}: {words}") from None
        try:
            said = json.loads(body)
        except ValueError:
            raise DeployctlError(f"{self.called}: {status} and no JSON: it is no management API") from None
        return status, said

    def _fetched(self, path: str) -> tuple[int, bytes]:
        """Fetch from the address that was checked, under the name that the certificate has."""
        import httpx

        secure = self._login.tls == "verify"
        address = resolved(self._host, self._port, self._login.hosts)[0]
        where = f"[{address}]" if ":" in address else address
        url = f"http{'s' * secure}://{where}:{self._port}/api{path}"
        with httpx.Client(verify=context(self._login.ca) if secure else False, trust_env=False) as client:
            request = client.build_request(
                "GET",
                url,
                headers={"Host": f"{self._host}:{self._port}"},
                timeout=self._deadline.left(),
                extensions={"sni_hostname": self._host},
            )
            login = (self._login.user, self._login.password.plain)
            answer = client.send(request, auth=login, stream=True, follow_redirects=False)
            return answer.status_code, self._body(answer)

    def _body(self, answer: httpx.Response) -> bytes:
        """Read an answer of a bounded length in a bounded time."""
        body = b""
        try:
            for part in answer.iter_bytes():
                self._deadline.left()
                body += part
                if len(body) > MOST_BYTES:
                    raise DeployctlError(f"{self.called}: an answer of more than {shown(MOST_BYTES)}")
        finally:
            answer.close()
        return body


def _queue(wanted: Queue, said: Json) -> Iterator[Finding]:
    """Judge one queue. Its numbers are up to five seconds old, as often as RabbitMQ takes them."""
    if "messages_ready" not in said:
        yield unknown("queue", "its numbers are not there yet")
        return
    ready, out, consumers = (
        int(said[one]) for one in ("messages_ready", "messages_unacknowledged", "consumers")
    )
    yield judged(
        "ready", f"{ready} messages wait", fine=ready <= wanted.ready, expected=f"at most {wanted.ready}"
    )
    text = f"{out} messages are not acknowledged"
    yield judged(
        "unacknowledged", text, fine=out <= wanted.unacknowledged, expected=f"at most {wanted.unacknowledged}"
    )
    text = f"{consumers} consumers"
    yield judged(
        "consumers", text, fine=consumers >= wanted.consumers, expected=f"at least {wanted.consumers}"
    )
    if wanted.growth is not None:
        rate = float((said.get("messages_ready_details") or {}).get("rate", 0.0))
        text = f"{rate:.1f} more messages wait each second"
        yield judged("growth", text, fine=rate <= wanted.growth, expected=f"at most {wanted.growth:g}")
    if wanted.age_seconds is not None:
        yield _age(wanted.age_seconds, ready, said)


def _age(most: float, ready: int, said: Json) -> Finding:
    since = said.get("head_message_timestamp")
    if since is None:
        text = f"{ready} messages wait, and the oldest has no timestamp"
        return unknown("age", text) if ready else passed("age", "no message waits")
    age = max(0.0, time.time() - float(since))
    return judged(
        "age", f"the oldest message is {age:.0f}s old", fine=age <= most, expected=f"at most {most:g}s"
    )
