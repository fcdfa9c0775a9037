"""A release in virtual time: the real loop on a cluster whose clock jumps from one event to the next.

Hours pass in milliseconds, nothing runs beside anything else, and the same seed and plan give the same run.
Only what waits or listens is of this module: the clock, the transport, the watches, the asking of gates.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from deployctl.cluster.api import Api, Request, Unreachable, failure
from deployctl.cluster.view import Names, View
from deployctl.cluster.watch import Collection, Signal
from deployctl.consumers import Consumers
from deployctl.errors import DeployctlError
from deployctl.gates import Asked
from deployctl.gates.stage import Asking, Stages
from deployctl.lock import Lock
from deployctl.releases import Means
from deployctl.repeated import Repeated
from deployctl.rounds import Census
from deployctl.sandbox.api.apiserver import ApiServer
from deployctl.sandbox.calls import Answer, Call, Refused
from deployctl.sandbox.cluster import Cluster
from deployctl.sandbox.controllers import employ_all
from deployctl.sandbox.faults import Fault, Faults, Killed, NoAnswer, Stream
from deployctl.sandbox.pods.imagined import Imagined
from deployctl.spec import Gate
from strategies.model import Question

Json = dict[str, Any]
BEGAN = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC).timestamp()
TICK_SECONDS = 60.0  # how often a countdown is told
REACTION_SECONDS = 0.01  # from a piece of news to the turn of the loop that acts on it
SHORTEST_SECONDS = 0.001  # a rounding error of a wait would never pass
NEVER = 1e9  # a lease is renewed by a thread, and here is none
ROUND_TRIP_SECONDS = 0.004  # what a call takes; without it a hundred of them would be one moment


class Rehearsal:
    """One cluster in virtual time; `now` is in seconds since 1970."""

    def __init__(self, seed: int = 0, faults: Iterable[Fault] = ()) -> None:
        self.now = BEGAN
        self.cluster = Cluster(lambda: self.now, seed)
        self.runtime = Imagined(lambda: self.now)
        employ_all(self.cluster, self.runtime)
        self.server = ApiServer(self.cluster, self.runtime)
        self.faults = Faults(self.cluster, faults)
        self.meanwhile: list[tuple[float, Callable[[], None]]] = []  # what others do, and when

    def at(self, seconds: float, do: Callable[[], None]) -> None:
        """Let something happen in so many seconds."""
        self.meanwhile.append((self.now + seconds, do))
        self.meanwhile.sort(key=lambda one: one[0])

    def pass_time(self, seconds: float, enough: Callable[[], bool] = lambda: False) -> None:
        """Let time pass, event by event, until it is `enough` or over."""
        end = self.now + seconds
        while not enough():
            due = min(self._due(), end)
            self.now = max(self.now, due)
            self._happen()
            if due >= end:
                return

    def _due(self) -> float:
        due = self.cluster.run()
        planned = self.meanwhile[0][0] if self.meanwhile else math.inf
        return min(planned, math.inf if due is None else due)

    def _happen(self) -> None:
        while self.meanwhile and self.meanwhile[0][0] <= self.now:
            self.meanwhile.pop(0)[1]()
        self.cluster.run()

    def api(self, namespace: str = "default", user: str = "kubernetes-admin") -> Near:
        """Give a client, whose process is called deployctl."""
        return Near(self, namespace, user)

    def apply(self, *objects: Json) -> None:
        """Create objects as `kubectl create` does."""
        for one in objects:
            self.api(one["metadata"].get("namespace", "default")).create(one)

    def means(self) -> Means:
        """Give what a run of a release is made with here."""
        return Means(
            view=self._view,
            lock=self._lock,
            stages=lambda wake: Timed(self, wake),
            census=partial(Counting, self),
            consumers=partial(Hearing, self),
            clock=lambda: self.now,
            tick_seconds=TICK_SECONDS,
        )

    def _view(self, api: Api, names: Names, selector: str) -> View:
        return Looking(self, api, names, selector)

    def _lock(self, api: Api, namespace: str, app: str, holder: str) -> Lock:
        return Lock(
            api, namespace, app, holder, clock=lambda: self.now, sleep=self.pass_time, renew_seconds=NEVER
        )


class Near(Api):
    """The client of one process: its calls go straight to the API server, through the faults."""

    def __init__(self, world: Rehearsal, namespace: str, user: str) -> None:
        self.world, self.namespace, self.user = world, namespace, user
        self.host = self.context = self.authority = "rehearsal"
        self.sleep = world.pass_time
        self.dead = False

    def now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.world.now, dt.UTC)

    def send(self, request: Request) -> Json:
        answer = self._called(request)
        if answer.status >= 400:
            raise failure(request, answer.status, _bytes(answer.body), answer.headers)
        return answer.body  # type: ignore[no-any-return]

    def raw(self, request: Request, timeout_seconds: float) -> tuple[int, bytes]:
        del timeout_seconds
        answer = self._called(request)
        return answer.status, _bytes(answer.body)

    def watch(self, request: Request) -> Stream:
        """Open a watch that is read by `take`."""
        answer = self._called(request)
        if isinstance(answer, Answer):
            raise failure(request, answer.status, _bytes(answer.body), answer.headers)
        opened: Stream = answer
        return opened

    def create(self, one: Json) -> Json:
        from deployctl.sandbox.resources import BY_KIND

        kind = BY_KIND[one["kind"]]
        root = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
        space = f"/namespaces/{self.namespace}" if kind.namespaced else ""
        return self.send(Request("POST", f"{root}{space}/{kind.name}", one))

    def _called(self, request: Request) -> Any:
        """Send a call and let its time pass; no answer is Unreachable, as on the wire. A dead process sends none."""
        if self.dead:
            raise Killed
        self.world.pass_time(ROUND_TRIP_SECONDS)
        call = Call(
            request.method,
            request.path,
            dict(request.query),
            request.body,
            request.content_type,
            user=self.user,
            agent="deployctl",
        )
        try:
            return self.world.faults.around(call, lambda: self.world.server.call(call))
        except Refused as no:
            return no.answer()
        except NoAnswer as lost:
            self.world.pass_time(lost.seconds)
            raise Unreachable(f"{self.host} does not answer {request.method} {request.path}") from lost
        except Killed:
            self.dead = True
            raise


def _bytes(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


class Followed(Collection):
    """A collection that takes its events when it is asked to, in the loop's own thread."""

    near: Near
    _stream_open: Stream | None = None

    def start(self) -> Collection:
        self._list()
        return self

    def pull(self) -> None:
        """Take what the watch has brought; list again where it was lost for good."""
        stream = self._stream_open
        if stream is None or stream.ended:
            stream = self._stream_open = self._opened()
        for event in stream.take() if stream else ():
            if stream and stream.torn:
                self._stream_open = None
                return
            if not self._take(event):
                self._stream_open = None
                self._list()
                return

    def quiet(self, now: float) -> bool:
        """Say whether its watch has nothing to bring but what changes from now on."""
        stream = self._stream_open
        return stream is not None and not stream.ended and now < stream.due

    def _opened(self) -> Stream | None:
        query = {
            **self._query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self.since,
            "timeoutSeconds": "300",
        }
        try:
            return self.near.watch(Request("GET", self._path, query=query))
        except DeployctlError:
            return None


class Looking(View):
    """A view whose watches are read at every step of the clock."""

    def __init__(self, world: Rehearsal, api: Api, names: Names, selector: str) -> None:
        self._world, self._read = world, 0
        super().__init__(api, names, selector)
        self.signal: Signal = Passing(world, self._news)
        for one in self._all.values():
            one._signal = self.signal  # noqa: SLF001

    def _watch(self, resource: str, query: dict[str, str], *, needed: bool = True) -> Collection:
        from deployctl.cluster.paths import path

        made = Followed(self.api, path(self.names.namespace, resource), query, self.signal, needed=needed)
        made.near = self.api  # type: ignore[assignment]
        return made

    def _news(self) -> None:
        """Read every watch, unless nothing has changed since the last time and none has something due."""
        version, now = self._world.cluster.store.version, self._world.now
        followed = [one for one in self._all.values() if isinstance(one, Followed)]
        if version != self._read or not all(one.quiet(now) for one in followed):
            self._read = version
            for one in followed:
                one.pull()


class Passing(Signal):
    """Lets virtual time pass where the real one waits."""

    def __init__(self, world: Rehearsal, news: Callable[[], None]) -> None:
        super().__init__()
        self._world, self._news = world, news
        self._rung = False

    def ring(self) -> None:
        self._rung = True

    def wait(self, seconds: float | None) -> None:
        self._world.pass_time(3600.0 if seconds is None else max(seconds, SHORTEST_SECONDS), self._woken)
        if self._rung:
            self._world.pass_time(REACTION_SECONDS)
            self._news()
        self._rung = False
        if self.failure:
            raise self.failure

    def _woken(self) -> bool:
        self._news()
        return self._rung


class Timed(Stages):
    """Asks gates in the loop's own thread, each when it is due."""

    def __init__(self, world: Rehearsal, wake: Callable[[], None]) -> None:
        super().__init__(wake)
        self._world = world

    def ask(
        self,
        question: Question,
        gates: tuple[Gate, ...],
        pods: Callable[[], Asked],
        deadline_seconds: float | None = None,
        first: Gate | None = None,
    ) -> None:
        del deadline_seconds
        if question in self.asked:
            return
        self.asked[question] = [Asking(gate) for gate in ((first, *gates) if first else gates)]
        for one in self.asked[question]:
            self._world.at(one.gate.initial_delay_seconds, lambda one=one: self._once(one, pods))  # type: ignore[misc]

    def _once(self, asking: Asking, pods: Callable[[], Asked]) -> None:
        if self._stop.is_set():
            return
        self.measure_once(asking, pods)
        if not asking.verdict:
            self._world.at(asking.gate.interval_seconds, lambda: self._once(asking, pods))


class InTurn(Repeated):
    """Asks pods in the loop's own thread."""

    _world: Rehearsal
    _asked = 0

    def begin(self) -> None:
        self.nudge()

    def nudge(self) -> None:
        self._world.at(0.0, partial(self._again, self._asked))

    def _again(self, asked: int) -> None:
        """Ask, unless that was done since this was planned."""
        if self._stop.is_set() or asked != self._asked:
            return
        self._asked += 1
        self.once()
        self._world.at(self.pause_seconds, partial(self._again, self._asked))


class Counting(InTurn, Census):
    """Asks pods for their rounds in the loop's own thread."""

    def __init__(self, world: Rehearsal, *given: Any) -> None:
        super().__init__(*given)
        self._world = world


class Hearing(InTurn, Consumers):
    """Asks pods whether they consume in the loop's own thread."""

    def __init__(self, world: Rehearsal, *given: Any) -> None:
        super().__init__(*given)
        self._world = world
