"""Run a release, from the lock to the record: begun, resumed, turned round or rolled back."""

from __future__ import annotations

import getpass
import os
import socket
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from deployctl import plugins
from deployctl.autoscaling import due
from deployctl.autoscaling.through import companion, put_back
from deployctl.cluster import patches
from deployctl.cluster.api import Api, Request, Stale, Unreachable
from deployctl.cluster.ordinal_patches import writer_of
from deployctl.cluster.view import Names, View
from deployctl.consumers import Consumers
from deployctl.errors import Conflict, DeployctlError, UsageError
from deployctl.flags.moving import Mover
from deployctl.gates.stage import Stages
from deployctl.lock import Lock
from deployctl.memory import HELD_SECONDS, LABEL, Memory, Settings, annotation, load
from deployctl.observe import replica_set
from deployctl.prepare import Found, Prepared, selector_of, template_of
from deployctl.record import Entry, Flagged, Kept, Record, Word, now
from deployctl.rollout import PATIENCE_SECONDS, TICK_SECONDS, Orders, Result, Rollout, Story, raised
from deployctl.rounds import Census
from deployctl.spec import App, Drain, Flags, Gates, canonical
from deployctl.template import bare, digest, images, lingers
from deployctl.traffic.service import ServiceTraffic
from deployctl.workload import HASH, resource_of, stateful
from strategies.blue_green import BlueGreen
from strategies.model import Observed, Outcome, Phase, Strategy
from strategies.ordinal import Ordinal
from strategies.steps import SPREAD_SECONDS

Json = dict[str, Any]
TRIES = 8
ROLLBACK = "rollback"  # the strategy of a way back that began at rest
ROLLED_BACK = "rolledBack"
BACK = BlueGreen(keep_old_seconds=0)


def holder() -> str:
    """Name this process: who, where, and which."""
    return f"{_user()}@{socket.gethostname()}/{os.getpid()}"


def _user() -> str:
    """Name the user; a container may run as a number that nobody has given a name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a run needs to know; `memory` is in the cluster already where `taken_over`."""

    names: Names
    deployment: Json
    strategy: Strategy
    gates: Gates
    memory: Memory
    stable: Json
    preview: Json
    spec: Json | None = None
    digest: str = ""
    drain: Drain = field(default_factory=Drain)
    flags: Flags | None = None
    taken_over: bool = False
    toward: Outcome = Outcome.PROMOTED

    @property
    def rollback(self) -> bool:
        return self.memory.strategy == ROLLBACK

    @property
    def swapped(self) -> bool:
        """Whether this is a way back that goes as a release does: what it goes to is the preview."""
        return self.rollback and self.toward is Outcome.PROMOTED

    @property
    def aim(self) -> Json:
        """The template that this is for: the one on trial, or of a rollback the one it goes to."""
        return self.stable if self.rollback and not self.swapped else self.preview

    def ended(self, result: Result) -> str:
        """Name how the run ended: `promoted`, `aborted`, `rolledBack`, `degraded`, or `waiting` for a person."""
        if result.outcome is None:
            return "waiting"
        return ROLLED_BACK if self.rollback and result.outcome is self.toward else result.outcome.value


def fresh(ready: Prepared, app: App, *, content: str) -> Plan:
    """Plan a release that has not begun; `content` is the digest of its spec and manifests."""
    memory = _memory(ready.names, ready.deployment, Phase.TRYING, ready.stable, ready.preview)
    memory = msgspec.structs.replace(
        memory,
        strategy=app.spec.strategy.kind,
        preview_service=app.preview_service,
        consumes=app.spec.consumes,
    )
    plan = Plan(
        ready.names,
        ready.deployment,
        app.spec.walk,
        app.spec.gates,
        memory,
        ready.stable,
        ready.preview,
    )
    return replace(plan, spec=canonical(app), digest=content, drain=app.spec.drain, flags=app.spec.flags)


def in_flight(there: Found, app: App | None, template: Json | None) -> Plan:
    """Plan to go on with the release that another process began; `template` is what the record has of it.

    Without the app's spec there are no gates to ask, which is enough for the way back.
    """
    memory = there.memory
    if memory is None:
        raise UsageError(
            f"no release of {there.names.app} is in flight", advice=f"deployctl status {there.names.app}"
        )
    stable = template_of(there.replica_sets, memory.stable)
    preview = _preview(there, memory, template, back=app is None)
    gates = app.spec.gates if app else Gates()
    plan = Plan(there.names, there.deployment, _strategy(there, memory, app), gates, memory, stable, preview)
    gone = memory.phase == Phase.RETURNING.value
    drain = app.spec.drain if app else plan.drain
    toward = Outcome.ABORTED if gone and plan.rollback else plan.toward
    flags = app.spec.flags if app else None
    return replace(plan, taken_over=True, toward=toward, drain=drain, flags=flags)


def finished_by_itself(there: Found) -> bool:
    """Say whether a release was left to Kubernetes to finish, and its old side is gone by now."""
    memory = there.memory
    if memory is None or memory.wrote is None or memory.phase != Phase.PROMOTING.value:
        return False
    owner = replica_set(there.replica_sets, memory.stable)
    left = owner["spec"].get("replicas", 0) if owner and not stateful(there.deployment) else 0
    return memory.wrote.paused and memory.wrote.min_ready_seconds < HELD_SECONDS and not left


def as_finished(there: Found) -> Found:
    """Give an app whose release has ended by itself as it is once that is finished: nothing of ours, at rest."""
    if there.memory is None:
        return there
    own = msgspec.to_builtins(there.memory.own)
    rest = {**there.deployment, "spec": {**there.deployment["spec"], **own}}
    return replace(there, deployment=rest, services=tuple(map(_wide, there.services)), memory=None)


def _wide(service: Json) -> Json:
    """Give a Service as it selects once nothing of ours narrows it."""
    selector = service["spec"].get("selector") or {}
    kept = {key: value for key, value in selector.items() if key not in {HASH, LABEL}}
    return {**service, "spec": {**service["spec"], "selector": kept}}


def forget_copies(api: Api, there: Found) -> tuple[str, ...]:
    """Take our annotation off ReplicaSets and Services where nothing is in flight: its writer died right before that.

    So is the autoscaler put back where a release that is over holds it, and what is due of it done, which is told.
    It stands in nobody's way, so no command fails for it: the next one takes off what this one cannot.
    """
    done = due.carry_out(api, there.names)
    if there.memory is not None:
        return done
    for request in patches.forget_copies(there.replica_sets, there.services):
        with suppress(Stale, Unreachable):
            api.send(request)
    put_back(api, there.names)
    return done


def _strategy(there: Found, memory: Memory, app: App | None) -> Strategy:
    """Take the spec's options where they are of the strategy that began; else its defaults.

    The way back is the same for all, so without the app's spec a strategy that is not installed here will do.
    """
    if app and app.spec.strategy.kind == memory.strategy:
        return app.spec.walk
    if stateful(there.deployment):
        return Ordinal()
    missing = memory.strategy not in plugins.names(plugins.STRATEGIES)
    if memory.strategy == ROLLBACK or (app is None and missing):
        return BACK
    chosen: Strategy = plugins.find(plugins.STRATEGIES, memory.strategy)()
    return chosen


def _memory(names: Names, deployment: Json, phase: Phase, stable: Json, preview: Json) -> Memory:
    return Memory(
        id=uuid.uuid4().hex[:12],
        app=names.app,
        strategy="blueGreen",
        phase=phase.value,
        stable=digest(stable),
        preview=digest(preview),
        own=Settings.of(deployment),
        services=names.services,
        replicas=deployment["spec"].get("replicas", 1),
        by=holder(),
        at=now(),
    )


def _preview(there: Found, memory: Memory, template: Json | None, *, back: bool) -> Json:
    """Find the template on trial: the record's, the Deployment's or a ReplicaSet's, whichever has the digest.

    The way `back` writes it nowhere: there the live one will do where it is gone.
    """
    live = there.deployment["spec"]["template"]
    for one in (template, live):
        if one and digest(one) == memory.preview:
            return bare(one)
    if back and replica_set(there.replica_sets, memory.preview) is None:
        return bare(live)
    return template_of(there.replica_sets, memory.preview)


def back_at_rest(there: Found, target: Json, why: str) -> Plan:
    """Plan the way back to an earlier template when nothing is in flight.

    One patch brings the earlier pods back and retires today's as they come. Where today's pods would drop
    requests at that, for they have no preStop or are published until they end, and all of them serve, it is a blue-green release without gates.
    """
    current = there.deployment["spec"]["template"]
    ranked = stateful(
        there.deployment
    )  # taken out of the endpoints one after the other, whatever they do then
    published = any(one["spec"].get("publishNotReadyAddresses") for one in there.services)
    lasting = lingers(current, SPREAD_SECONDS) and not published
    graceful = ranked or lasting or not _healthy(there.deployment)
    if graceful:
        memory = _memory(there.names, there.deployment, Phase.RETURNING, target, current)
    else:
        memory = _memory(there.names, there.deployment, Phase.TRYING, current, target)
    memory = msgspec.structs.replace(memory, why=why, strategy=ROLLBACK)
    stable, preview = (target, current) if graceful else (current, target)
    strategy = Ordinal() if ranked else BACK
    plan = Plan(there.names, there.deployment, strategy, Gates(), memory, stable, preview)
    return replace(plan, toward=Outcome.ABORTED if graceful else Outcome.PROMOTED)


def _healthy(deployment: Json) -> bool:
    ready: int = deployment.get("status", {}).get("readyReplicas", 0)
    return ready >= int(deployment["spec"].get("replicas", 1))


@dataclass(frozen=True, slots=True)
class Means:
    """What a run is made with: how it watches, who keeps its lock, how gates are asked, what time it is."""

    view: Callable[[Api, Names, str], View] = View
    lock: Callable[[Api, str, str, str], Lock] = Lock
    stages: Callable[[Callable[[], None]], Stages] = Stages
    census: Callable[..., Census] = Census
    consumers: Callable[..., Consumers] = Consumers
    clock: Callable[[], float] = time.monotonic
    tick_seconds: float = TICK_SECONDS


REAL = Means()


@dataclass
class Run:
    """One run under the lock; `last` is the last thing it saw, for whoever must say what stands."""

    api: Api
    plan: Plan
    story: Story
    orders: Orders
    waiting: Callable[[str, float], None] | None = None
    force: bool = False
    last: Observed | None = None
    writes: dict[str, int] = field(default_factory=dict)
    said: tuple[str, ...] = ()
    ran: dict[str, tuple[str, ...]] = field(default_factory=dict)
    word: Word | None = None  # of the person who runs this
    means: Means = REAL
    _told: set[str] = field(default_factory=set)
    _mover: Mover | None = None
    _rollout: Rollout | None = None

    def until_promoted(self) -> None:
        """Go on as `--wait promoted` does from the start."""
        self.orders = replace(self.orders, until_promoted=True)
        if self._rollout:
            self._rollout.orders = self.orders

    def run(self) -> Result:
        """Take the lock, write the record, release, write down how it ended."""
        names = self.plan.names
        lock = self.means.lock(self.api, names.namespace, names.app, holder())
        lock.take(self.waiting, force=self.force)
        try:
            return self._recorded(lock)
        finally:
            lock.release()

    def _recorded(self, lock: Lock) -> Result:
        record = Record(self.api, self.plan.names.namespace, self.plan.names.app)
        entry = self._entry()
        back = self.force or self.plan.memory.phase == Phase.RETURNING.value
        self._write_down(lambda: record.begin(entry, self.plan.spec, self.plan.preview), needed=not back)
        self._mover = self._moves(record, entry)
        view = self.means.view(self.api, self.plan.names, selector_of(self.plan.deployment)).start()
        result: Result | None = None
        try:
            result = self._released(view, lock)
        finally:
            view.stop()
            entry = self._seen(entry, result)
            if result is None:  # somebody took over, or stops us: what was witnessed is not lost
                self._write_down(lambda: record.witnessed(entry), needed=False)
        if result.outcome and not result.armed:
            done = msgspec.structs.replace(entry, ended=now(), outcome=self.plan.ended(result))
            self._write_down(lambda: record.end(done), needed=False)
        else:
            self._write_down(lambda: record.note(entry), needed=False)
        return result

    def _moves(self, record: Record, entry: Entry) -> Mover | None:
        """Make what moves the flags, with what the release has set so far; the way back does without knowing that."""
        flags = self.plan.flags
        if flags is None or not (flags.moves.keys or flags.expect):
            return None
        try:
            kept = record.read()
        except DeployctlError:
            kept = Kept()
        of = _moved_by(kept, entry, back=self.plan.rollback)

        def keep(moved: tuple[Flagged, ...]) -> None:
            record.flagged(of.id if of else entry.id, moved)

        made = {one.key: one for one in of.flags} if of else {}
        reason = f"deployctl, release {entry.id} of {self.plan.names.app}"
        return Mover(self.plan.names.app, flags, keep, holder(), reason, made, known=of is not None)

    def _write_down(self, write: Callable[[], Json], *, needed: bool) -> None:
        """Write the record. The way back needs none, and what is done is done: there a broken one is only told."""
        try:
            write()
        except DeployctlError as error:
            if needed:
                raise
            self._tell_once(f"the record could not be written: {error}")

    def _tell_once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self.story.note(text)

    def _entry(self) -> Entry:
        """Write the run down; of a rollback the revision that is left counts as the one on trial."""
        memory = self.plan.memory
        stable, preview = self._sides(memory.stable, memory.preview)
        return Entry(
            id=memory.id,
            strategy=memory.strategy,
            stable=stable,
            preview=preview,
            by=memory.by,
            started=memory.at,
            images=images(self.plan.aim),
            words=(self.word,) if self.word else (),
            digest=self.plan.digest,
        )

    def _sides(self, stable: str, preview: str) -> tuple[str, str]:
        return (preview, stable) if self.plan.swapped else (stable, preview)

    def _seen(self, entry: Entry, result: Result | None) -> Entry:
        """Write down what was seen: what the gates said, how it ended, what really ran."""
        stable, preview = (
            (one.revision for one in (self.last.stable, self.last.preview)) if self.last else ("", "")
        )
        stable, preview = self._sides(stable, preview)
        return msgspec.structs.replace(
            entry,
            gates=(*self.said, *(result.flags if result else ())),
            reason=result.reason if result else "",
            image_ids=self.ran,
            stable_hash=stable,
            preview_hash=preview,
        )

    def _released(self, view: View, lock: Lock) -> Result:
        memory = self._taken_over(view, lock) if self.plan.taken_over else self.plan.memory
        self._rollout = rollout = Rollout(
            api=self.api,
            view=view,
            strategy=self.plan.strategy,
            memory=memory,
            stable=self.plan.stable,
            preview=self.plan.preview,
            gates=self.plan.gates,
            lock=lock,
            story=self.story,
            orders=self.orders,
            drain=self.plan.drain,
            scaling=companion(self.api, view, memory, self.story.note),
            flags=self.plan.flags,
            mover=self._mover,
            from_rest=self.plan.rollback,
            known=memory if self.plan.taken_over else None,
            clock=self.means.clock,
            stages=self.means.stages,
            census=self.means.census,
            consumers=self.means.consumers,
            tick_seconds=self.means.tick_seconds,
        )
        try:
            return rollout.run()
        finally:
            self.writes, self.said, self.ran = (
                rollout.writes,
                rollout.said(),
                rollout.ran(digest(self.plan.aim)),
            )
            self.last = rollout.observe(rollout.look())

    def _taken_over(self, view: View, lock: Lock) -> Memory:
        """Raise the fence, and mark every Service, which has none: a write of another process that is still on its way is lost."""
        memory = self._take_over(view, lock)
        for name in self.plan.names.services:
            self._mark(view, lock, name, memory)
        return memory

    def _mark(self, view: View, lock: Lock, name: str, memory: Memory) -> None:
        for _ in range(TRIES):
            lock.confirm()
            service = next(one for one in view.look().services if one["metadata"]["name"] == name)
            answer = self._tried(view, ServiceTraffic().mark(service, memory.dump()))
            if answer:
                return view.absorb("services", answer)
        raise Conflict(f"Service {name} changes faster than it can be taken over", advice="try again")

    def _take_over(self, view: View, lock: Lock) -> Memory:
        """Raise the fence, and with force turn round, in one write: whoever wrote before can write no more."""
        for _ in range(TRIES):
            lock.confirm()
            look = view.look()
            held = look.memory
            if held is None or held.id != self.plan.memory.id:
                app = self.plan.names.app
                raise Conflict(f"the release of {app} ended meanwhile", advice=f"deployctl status {app}")
            memory = self._raised(held)
            request = writer_of(look, held, self.plan.stable, self.plan.preview).remember(memory)
            answer = self._tried(view, request)
            if answer:
                view.absorb(resource_of(answer), answer)
                return load(annotation(answer)) or memory
        raise Conflict(
            f"{self.plan.names.deployment} changes faster than it can be taken over", advice="try again"
        )

    def _tried(self, view: View, request: Request) -> Json | None:
        """Send a write; where it lost a race or had no answer, look at its object anew after a moment."""
        try:
            return self.api.send(request)
        except Stale:
            view.reread(request)
        except Unreachable as error:
            view.signal.wait(max(PATIENCE_SECONDS, error.retry_after_seconds))
            view.reread(request)
        return None

    def _raised(self, held: Memory) -> Memory:
        memory = raised(held, holder())
        if not self.force:
            return memory
        return msgspec.structs.replace(memory, phase=Phase.RETURNING.value, why=self.plan.memory.why)


def _moved_by(kept: Kept, entry: Entry, *, back: bool) -> Entry | None:
    """Find the release whose flags these are: this one, or of a rollback the one that brought what is left."""
    same = next((one for one in kept.releases if one.id == entry.id), None)
    if not back or (same and same.flags):
        return same
    brought = (one for one in kept.releases if one.id != entry.id and one.preview == entry.preview)
    found = next((one for one in brought if one.strategy != ROLLBACK), None)
    return found and msgspec.structs.replace(found, flags=tuple(one for one in found.flags if not one.back))


def turning(api: Api, there: Found, template: Json | None, heard: Story, why: str) -> Run:
    """Make the run that takes a release over at once and goes back, telling why."""
    plan = in_flight(there, None, template)
    plan = replace(plan, memory=msgspec.structs.replace(plan.memory, why=why))
    return Run(api, plan, heard, Orders(), force=True)
