"""Runs deployctl's commands in virtual time: the bodies of the command line, on a cluster whose clock jumps.

What a command would take from the machine comes from the stage instead: the cluster, the time, who runs it. A process
that is killed ends at that call and leaves what it wrote; every process has a name and a number of its own.
"""

from __future__ import annotations

import datetime as dt
import io
import random
import threading
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from deployctl import lock, record, releases
from deployctl.cli import releasing, session, steering
from deployctl.cli.flags import Flags
from deployctl.errors import DeployctlError, LockLost
from deployctl.flags import moving
from deployctl.flags.moving import RETRY_SECONDS, Mover
from deployctl.lock import LEASE_SECONDS, RENEW_SECONDS, Lock, holder_of
from deployctl.sandbox.calls import Answer, Call, Refused
from deployctl.sandbox.faults import Fault, Faults, Killed
from deployctl.sandbox.pods.imagined import Imagined
from deployctl.sandbox.rehearsal import NEVER, Near, Rehearsal
from deployctl.sandbox.store import Event, fine_stamp

Json = dict[str, Any]
NAMESPACE = "igaming"
WORKLOADS = frozenset({"deployments", "statefulsets"})
MOST_CALLS = 2000  # of one command: then it goes round in circles
CRASHED = 70  # the exit code of a command that broke with what is no error of ours
KILLED = 137
FLAGS = Flags(None, None, None, None, "15s", "table", quiet=False, verbose=True, color="never", no_input=True)


class Endless(BaseException):
    """A command has sent so many calls that it will never end."""


@dataclass(eq=False)
class Process:
    """One run of one command: its words and its exit code, and what it may still write."""

    number: int
    command: str
    calls: list[Call] = field(default_factory=list)
    writes: int = 0  # to anything, that changed something
    began: bool = False  # whether it has written to the workload
    code: int | None = None
    words: io.StringIO = field(default_factory=io.StringIO)
    asked_lock_at: float = float("-inf")  # when it last saw that the Lease is its own
    broke: str = ""

    @property
    def name(self) -> str:
        return f"ann@desk/{self.number}"

    @property
    def dead(self) -> bool:
        return self.code is not None


class Weather(Faults):
    """The faults of a plan, and what the stage wants to know of every call."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.world.cluster)
        self.stage = stage

    def around(self, call: Call, go: Callable[[], Any]) -> Any:
        process = self.stage.now_on
        self.stage.called(process, call)
        if self.stage.mute and "/proxy" in call.path and not self.stage.heard_out(call.path):
            raise Refused(503, "ServiceUnavailable", "error trying to reach service: nobody answers")
        answer = super().around(call, lambda: self.stage.carried_out(process, call, go))
        self.stage.answered(process, call, answer)
        return answer


class Stage:
    """A cluster, and the processes that have acted on it."""

    def __init__(self, seed: int, runtime: type[Imagined] = Imagined) -> None:
        with patch("deployctl.sandbox.rehearsal.Imagined", runtime):
            self.world = Rehearsal(seed)
        self.chance = random.Random(seed)
        self.processes: list[Process] = []
        self.nobody = Process(0, "nobody")
        self.now_on = self.nobody
        self.writing: Process | None = None  # whose write is being carried out
        self.mute = False  # whether no pod can be asked anything
        self.heard_out: Callable[[str], bool] = lambda _path: False  # whom one can ask all the same
        self.skew_seconds = 0.0  # of the wall clock that commands read
        self.before_call: Callable[[Process, Call], None] = lambda _process, _call: None
        self.heard: list[Callable[[Process, Call, Any], None]] = []
        self.weather = self.world.faults = Weather(self)
        self.world.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        self.api = self.world.api(NAMESPACE)
        self.world.cluster.store.listeners.append(self._written)

    def wall(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.world.now + self.skew_seconds, dt.UTC)

    def called(self, process: Process, call: Call) -> None:
        """Count a call before it arrives."""
        process.calls.append(call)
        if len(process.calls) > MOST_CALLS:
            raise Endless
        self.before_call(process, call)

    def carried_out(self, process: Process, call: Call, go: Callable[[], Any]) -> Any:
        self.writing = process if call.method != "GET" else None
        try:
            return go()
        finally:
            self.writing = None

    def answered(self, process: Process, call: Call, answer: Any) -> None:
        lease = call.method == "GET" and "/leases/" in call.path and isinstance(answer, Answer)
        if lease and holder_of(answer.body) == process.name:
            process.asked_lock_at = self.world.now
        for one in self.heard:
            one(process, call, answer)

    def _written(self, event: Event) -> None:
        if self.writing:
            self.writing.writes += 1
            self.writing.began |= event.resource in WORKLOADS

    def run(self, command: str, body: Callable[[], int]) -> Process:
        """Run a command to its end, however it ends."""
        process = Process(100 + len(self.processes), command)
        self.processes.append(process)
        before, self.now_on = self.now_on, process
        try:
            with redirect_stdout(process.words), redirect_stderr(process.words):
                self.play(process, body)
        finally:
            self.now_on = before
        return process

    def play(self, process: Process, body: Callable[[], int]) -> None:
        """Carry a command's body out, and note its exit code as the program's own door would give it."""
        try:
            process.code = body()
        except Killed:
            process.code = KILLED
        except DeployctlError as error:
            process.words.write(f"error: {error}\n{error.advice}\n")
            process.code = error.exit_code
        except (Endless, Exception):
            process.broke = traceback.format_exc()
            process.code = CRASHED

    def get(self, resource: str, name: str) -> Json | None:
        return self.world.cluster.store.get(resource, NAMESPACE, name)

    def update(self, resource: str, one: Json) -> None:
        """Write as somebody whose calls are not of interest."""
        with self.world.cluster.lock:
            self.world.cluster.store.update(resource, one)

    def remove(self, resource: str, name: str) -> None:
        with self.world.cluster.lock:
            self.world.cluster.store.remove(resource, NAMESPACE, name)

    def client(self, _target: object) -> Near:
        return self.world.api(NAMESPACE)

    def sleep(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    def lock(self, api: Near, namespace: str, app: str, holder: str) -> Lock:
        return Beating(self, api, namespace, app, holder)


class Beating(Lock):
    """A lock whose Lease is renewed as time passes, for as long as its process lives; that costs no call here."""

    def __init__(self, stage: Stage, api: Near, namespace: str, app: str, holder: str) -> None:
        world = stage.world
        super().__init__(
            api,
            namespace,
            app,
            holder,
            clock=lambda: world.now,
            sleep=world.pass_time,
            renew_seconds=NEVER,
        )
        self._stage, self._near = stage, api

    def take(self, wait: Callable[[str, float], None] | None = None, *, force: bool = False) -> None:
        super().take(wait, force=force)
        self._stage.world.at(RENEW_SECONDS, self._beat)

    def _beat(self) -> None:
        lease = self._stage.get("leases", self._name)
        if self._stop.is_set() or self._near.dead or lease is None:
            return
        if holder_of(lease) != self.holder:
            self.lost = LockLost(f"{holder_of(lease) or 'somebody'} took the lock")
            return
        renewed = fine_stamp(self._stage.wall().timestamp())
        self._stage.update("leases", {**lease, "spec": {**lease["spec"], "renewTime": renewed}})
        self._stage.world.at(RENEW_SECONDS, self._beat)


def steal(stage: Stage, app: str) -> None:
    """Let somebody else's name stand in the Lease, as a process does that takes it by force."""
    lease = stage.get("leases", f"deployctl-{app}")
    if lease is None:
        return
    now = fine_stamp(stage.wall().timestamp())
    spec = {"holderIdentity": "bob@elsewhere/1", "leaseDurationSeconds": LEASE_SECONDS, "renewTime": now}
    stage.update("leases", {**lease, "spec": {**spec, "acquireTime": now}})


class Passing:
    """An event that is waited for in virtual time."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._set = stage, False

    def set(self) -> None:
        self._set = True

    def is_set(self) -> bool:
        return self._set

    def wait(self, seconds: float) -> bool:
        if not self._set:
            self._stage.sleep(seconds)
        return self._set


def _again(stage: Stage) -> Callable[[Mover, Callable[[], None], str], None]:
    """Let a flag be put back once a second as time passes, for as long as its process lives."""

    def again(mover: Mover, work: Callable[[], None], _name: str) -> None:
        process = stage.now_on

        def once() -> None:
            if process.dead or mover._stop.is_set():
                return
            work()
            stage.world.at(RETRY_SECONDS, once)

        stage.world.at(0.0, once)

    return again


def _aside(mover: Mover, work: Callable[[], None]) -> None:
    """Look after the flags at once: nothing runs beside anything else."""
    mover._done(work)


@contextmanager
def on(stage: Stage) -> Iterator[None]:
    """Let every command find the stage where it would find the machine."""

    class Wall(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
            return stage.wall().astimezone(tz)

    clock = SimpleNamespace(datetime=Wall, UTC=dt.UTC)
    chance = SimpleNamespace(uuid4=lambda: uuid.UUID(int=stage.chance.getrandbits(128), version=4))
    desk = SimpleNamespace(gethostname=lambda: "desk")
    ann = SimpleNamespace(getuser=lambda: "ann")
    numbered = SimpleNamespace(getpid=lambda: stage.now_on.number)
    ticking = SimpleNamespace(monotonic=lambda: stage.world.now, sleep=stage.sleep)
    alone = SimpleNamespace(
        Event=lambda: Passing(stage), Lock=threading.Lock, current_thread=lambda: SimpleNamespace(name="")
    )
    patches = [
        patch.object(session, "Api", stage.client),
        patch.object(session, "terminated", nullcontext),
        patch.object(lock, "dt", clock),
        patch.object(record, "dt", clock),
        patch.object(releasing, "dt", clock),
        patch.object(steering, "time", ticking),
        patch.object(moving, "time", ticking),
        patch.object(moving, "threading", alone),
        patch.object(Mover, "_again", _again(stage)),
        patch.object(Mover, "_aside", _aside),
        patch.object(steering, "Lock", stage.lock),
        patch.object(releases, "uuid", chance),
        patch.object(releases, "socket", desk),
        patch.object(releases, "getpass", ann),
        patch.object(releases, "os", numbered),
    ]
    random.seed(0)  # of the waits between the tries of a read
    with _entered(patches), _means(stage):
        yield


@contextmanager
def _entered(patches: list[Any]) -> Iterator[None]:
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in reversed(patches):
            one.stop()


@contextmanager
def _means(stage: Stage) -> Iterator[None]:
    """Make every run with the rehearsal's means: `Run` holds the real ones as its default."""
    means = stage.world.means()
    fields = ("view", "stages", "census", "consumers", "clock", "tick_seconds")
    real = releases.REAL
    before = {name: getattr(real, name) for name in (*fields, "lock")}
    ours = {**{name: getattr(means, name) for name in fields}, "lock": stage.lock}
    for name, one in ours.items():
        object.__setattr__(real, name, one)
    try:
        yield
    finally:
        for name, one in before.items():
            object.__setattr__(real, name, one)


__all__ = ["CRASHED", "FLAGS", "KILLED", "NAMESPACE", "Fault", "Process", "Stage", "on", "steal"]
