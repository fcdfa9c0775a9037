"""The memcached gate asks every server itself what its counters say, and how warm the cache is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated, ClassVar

from msgspec import Meta

from deployctl.errors import DeployctlError
from deployctl.gates import Asked
from deployctl.gates.deadline import Deadline, within
from deployctl.gates.findings import Finding, folded, judged, shown, unknown
from deployctl.gates.peers import NotNegative, Peer, Share, dial
from deployctl.gates.warmth import Warmth, warmth
from strategies.analysis import Measurement

PORT = 11211
MOST_LINES = 1000
NEEDED = (
    "pid", "uptime", "bytes", "limit_maxbytes", "curr_connections", "max_connections", "evictions", "get_hits", "get_misses",
    "listen_disabled_num", "accepting_conns",
)  # fmt: skip

Stats = dict[str, str]


@dataclass(frozen=True, slots=True)
class Watched:
    """What one server said at the beginning of the window and at its end."""

    name: str
    before: Stats
    after: Stats

    def number(self, field: str) -> int:
        return int(self.after[field])

    def grew(self, field: str) -> int:
        return int(self.after[field]) - int(self.before[field])


@dataclass(frozen=True)
class Memcached:
    """Ask every memcached server whether it can bear a new revision now.

    servers: every server by its own address, in the order of the app's own list
    memory: the share of the memory that may be used; a cache that is full for good is at 1
    window: how long counters are watched
    evictions: how many items may be evicted in a second of the window
    clients: the share of the connections that may be open
    more: how many connections the new revision opens beside today's: its pool times its most pods
    hits: how warm the cache must be; not measured unless it is given
    """

    RIGHTS: ClassVar = ("none; a way to the port, whose text protocol is asked for `stats`",)
    UNKNOWNS: ClassVar = (
        "a server that cannot be asked, or asks for a login (SASL); no answer in time",
        "fewer look-ups in the window than `hits.lookups`",
        "a server that was started anew in the window",
    )

    servers: Annotated[tuple[Peer, ...], Meta(min_length=1)]
    memory: Share = 0.9
    window_seconds: float = 2.0
    evictions: Annotated[float, Meta(ge=0)] = 10.0
    clients: Share = 0.8
    more: NotNegative = 0
    hits: Warmth | None = None

    def measure(self, asked: Asked) -> Measurement:
        """Ask every server twice, a window apart; every check that says no is told, and of which server."""
        return within(asked.timeout_seconds, lambda deadline: self._asked(asked, deadline))

    def _asked(self, asked: Asked, deadline: Deadline) -> Measurement:
        silent: list[Finding] = []
        before = {one: said for one in self.servers if (said := _stats(one, asked.hosts, deadline, silent))}
        if before:
            deadline.pause(self.window_seconds)
        after = {one: said for one in before if (said := _stats(one, asked.hosts, deadline, silent))}
        watched = [Watched(one.called(PORT), before[one], said) for one, said in after.items()]
        findings = [finding.of(one.name) for one in watched for finding in self._judged(one)]
        if self.hits and watched:
            hits, misses = (sum(one.grew(f"get_{what}") for one in watched) for what in ("hits", "misses"))
            findings.append(warmth(self.hits, hits, misses, self.window_seconds))
        return folded("", [*silent, *findings], total=f"{len(watched)} servers")

    def _judged(self, one: Watched) -> Iterator[Finding]:
        if one.after["pid"] != one.before["pid"] or one.grew("uptime") < 0:
            yield unknown("server", "it was started anew in the window")
            return
        used, most = one.number("bytes"), one.number("limit_maxbytes")
        text = f"{shown(used)} of {shown(most)} used"
        yield judged("memory", text, fine=used <= self.memory * most, expected=f"at most {self.memory:.0%}")
        rate = one.grew("evictions") / self.window_seconds
        text = f"{rate:.1f} items evicted a second"
        yield judged("evictions", text, fine=rate <= self.evictions, expected=f"at most {self.evictions:g}")
        yield from self._clients(one)

    def _clients(self, one: Watched) -> Iterator[Finding]:
        used, most = one.number("curr_connections") + self.more, one.number("max_connections")
        text = f"{used} of {most} connections" + (f" with {self.more} more" if self.more else "")
        yield judged(
            "clients", text, fine=used <= self.clients * most, expected=f"at most {self.clients:.0%}"
        )
        refused = one.grew("listen_disabled_num") + int(one.after["accepting_conns"] != "1")
        text = f"it stopped taking connections {refused} times in {self.window_seconds:g}s"
        yield judged("rejected", text, fine=refused == 0, expected="never")


def _stats(one: Peer, hosts: tuple[str, ...], deadline: Deadline, silent: list[Finding]) -> Stats:
    """Read the counters of a server; one that cannot be asked is told."""
    try:
        said = dict(_told(one, hosts, deadline))
    except DeployctlError as error:
        silent.append(unknown("server", str(error)))
        return {}
    if missing := [name for name in NEEDED if name not in said]:
        silent.append(unknown("server", f"{one.called(PORT)} does not tell its {missing[0]}"))
        return {}
    return said


def _told(one: Peer, hosts: tuple[str, ...], deadline: Deadline) -> Iterator[tuple[str, str]]:
    """Ask for `STAT name value` lines, which END ends."""
    called = one.called(PORT)
    with (
        closing(dial(called, (one.host, one.port or PORT), hosts, deadline)) as line,
        line.makefile("rwb") as stream,
    ):
        try:
            stream.write(b"stats\r\n")
            stream.flush()
            for _ in range(MOST_LINES):
                words = stream.readline(4096).decode(errors="replace").split()
                if words[:1] != ["STAT"] or len(words) < 3:
                    break
                yield words[1], words[2]
        except OSError as error:
            raise DeployctlError(f"{called}: {error.strerror or error}") from None
    if words != ["END"]:
        raise DeployctlError(f"{called}: it does not speak memcached, or asks for a login")
