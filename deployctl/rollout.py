"""The loop: look, decide, do one thing, look again.

It carries out what a strategy decides and remembers nothing but what it has witnessed: the gates' answers and
how long something has been waited for. Killed anywhere, another process goes on from what the cluster shows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import msgspec

from deployctl.autoscaling.through import Scaling
from deployctl.cluster.api import Api, ApiError, Denied, NotFound, Request, Stale, Unreachable
from deployctl.cluster.asking import asked
from deployctl.cluster.logs import last_words
from deployctl.cluster.ordinal_patches import writer_of
from deployctl.cluster.patches import Writer, forget_copies, oldest_ready_seconds
from deployctl.cluster.proxy import Proxy, posting, through
from deployctl.cluster.view import View
from deployctl.consumers import Consumers
from deployctl.errors import Conflict, LockLost, TimedOut
from deployctl.flags.moving import Mover
from deployctl.gates import About, Asked
from deployctl.gates.http import port_of
from deployctl.gates.stage import Stages
from deployctl.lock import Lock
from deployctl.memory import Memory, Settings, adopted, annotation, held, load
from deployctl.observe import (
    Snapshot,
    Witness,
    dark,
    ending,
    image_ids,
    live,
    observe,
    owned_by,
    pods_of,
    replica_set,
    settled,
    side,
    unplaced,
)
from deployctl.others import Others, by
from deployctl.record import Intent, intent_of
from deployctl.rounds import Census
from deployctl.spec import Drain, Flags, Gates
from deployctl.spoken import because
from deployctl.template import digest
from deployctl.workload import RESOURCES, kind_of
from strategies import model
from strategies.flags import share
from strategies.model import (
    Action,
    Admit,
    Arm,
    Ask,
    Begin,
    Detach,
    End,
    Finish,
    Hold,
    Observed,
    Outcome,
    Phase,
    Pin,
    Question,
    Rehold,
    Restore,
    Return,
    Stage,
    Stand,
    Step,
    Strategy,
    Tell,
    Turn,
    Valve,
    Verdict,
    Wait,
    Wish,
)
from strategies.steps import open_rounds

Json = dict[str, Any]
WORKLOADS = frozenset(RESOURCES.values())
TICK_SECONDS = 1.0  # how often a countdown is told anew; costs no call
PATIENCE_SECONDS = 0.2
TRUST_SECONDS = 0.25  # how long the lock counts as ours for the next of several labels, which move no Service
COPY_TRIES = 5  # to take our annotation off what the controller copied it to
MOST_RACES = 50  # lost in a row: then it is no race, and who keeps refusing should be told of


class Story(Protocol):
    """Hears what happens; how it is shown is its own business."""

    def turn(self, look: Snapshot, seen: Observed, step: Step, stages: Stages) -> None: ...

    def did(self, action: Action, seen: Observed) -> None: ...

    def note(self, text: str) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Result:
    """How the run ended: an outcome, or where it stands and waits for a person."""

    outcome: Outcome | None
    reason: str = ""
    stands: bool = False
    armed: bool = False
    timed_out: bool = False
    flags: tuple[str, ...] = ()  # that are not back, each with the command that puts it back
    offers: tuple[str, ...] = ()  # what somebody else wrote and this release wrote over


@dataclass(frozen=True, slots=True)
class Orders:
    """What the command line asked of this run; times in seconds."""

    timeout_seconds: float = 1800.0
    on_timeout: str = "abort"
    until_promoted: bool = False
    keep_seconds: float = 300.0  # how long an armed release keeps the old side
    wish: Wish | None = None
    fast: bool = False
    proceed: bool = False  # remove pods though rounds are open on them


@dataclass
class Rollout:
    """One run of a release. `memory` is what Begin writes; later the cluster's own copy counts."""

    api: Api
    view: View
    strategy: Strategy
    memory: Memory
    stable: Json
    preview: Json
    gates: Gates
    lock: Lock
    story: Story
    orders: Orders = field(default_factory=Orders)
    drain: Drain = field(default_factory=Drain)
    scaling: Scaling | None = None  # where something scales the workload
    flags: Flags | None = None
    known: Memory | None = None  # what this run wrote to the Deployment last
    clock: Callable[[], float] = time.monotonic
    stages: Callable[[Callable[[], None]], Stages] = Stages  # is given what wakes the loop
    census: Callable[..., Census] = Census
    consumers: Callable[..., Consumers] = Consumers
    tick_seconds: float = TICK_SECONDS
    mover: Mover | None = None
    from_rest: bool = False  # a way back that begins at rest: there is nothing to turn round

    def __post_init__(self) -> None:
        self._stages = self.stages(self.view.signal.ring)
        self._began = self.clock()
        self._since: dict[str, float] = {}
        self._unbroken: set[str] = set()
        self._labelled = float("-inf")
        self._lived: frozenset[str] = frozenset()
        self._went = self._began  # what went right before this process began, it did not see
        self._reheld = False
        self._timed_out = False
        self._silent_since: float | None = None
        self._races = 0
        self._others: Others | None = None
        self._unplaced = False
        self._draining = False
        self._census = self._rounds()
        self._hearing = False
        self._events = self._consuming()
        self._cut: list[str] = []
        self.writes: dict[str, int] = {}
        self._ran: dict[str, dict[str, set[str]]] = {}
        if self.mover:
            self.mover.begin(lambda: self._asked(()), self.view.signal.ring, self.clock)

    def run(self) -> Result:
        """Go on until the release is over or only a person can continue; raise what a person must mend."""
        try:
            while True:
                ended = self._turn()
                if ended:
                    return replace(ended, flags=self._flags_left())
        finally:
            if self.mover:
                self.mover.close()
            self._stages.stop()
            if self._census:
                self._census.stop()
            if self._events:
                self._events.stop()

    def _flags_left(self) -> tuple[str, ...]:
        """Give the flags that are not back where the traffic is: as much patience as before it moved, and no more."""
        left = self.mover.close(self.mover.flags.bound_seconds) if self.mover else ()
        for note in self.mover.notes() if self.mover else ():
            self.story.note(note)
        return left

    def _rounds(self) -> Census | None:
        """Make what asks the pods for their rounds, where the app tells of any."""
        rounds = self.drain.rounds
        if rounds is None:
            return None
        service = self.view.look().services[0]
        port = partial(port_of, service=service, wanted=rounds.port)
        return self.census(rounds, self._proxy(), port, self.view.signal.ring, self.clock)

    def _consuming(self) -> Consumers | None:
        """Make what asks the pods whether they consume events, and tells them to, where the app has that."""
        page = self.memory.consumes
        if page is None or not page.told:
            return None
        port = partial(port_of, service=self.view.look().services[0], wanted=page.port)
        seal = f"{self.memory.at}/{self.memory.fence:06}"
        post = posting(self.api, self.view.names.namespace)
        ours = partial(self.lock.confirm, TRUST_SECONDS)
        return self.consumers(page, self._proxy(), post, port, self.view.signal.ring, seal, self.clock, ours)

    def said(self) -> tuple[str, ...]:
        """Give what the gates said so far, and which rounds were cut, for the record."""
        return (*self._stages.said(), *self._cut)

    def ran(self, template: str) -> dict[str, tuple[str, ...]]:
        """Give the image digests that pods of a template ran while this process watched, by container."""
        return {name: tuple(sorted(one)) for name, one in self._ran.get(template, {}).items()}

    def look(self) -> Snapshot:
        """Look at everything, and at what this process wrote last where somebody took it off."""
        return replace(self.view.look(), known=self.known)

    def _turn(self) -> Result | None:
        look = self.look()
        self._may_act(look)
        self._tell_of_others(look)
        self._tell_unplaced(look)
        self._note_images(look)
        self._count_the_living(look)
        self._ask_for_rounds(look)
        self._ask_consumers(look)
        seen = self.observe(look)
        if self._holds_scaler(look, seen):
            return None
        step = self._overruled(seen) or self._ended_by_hand(look) or self.strategy.decide(seen)
        step = self._flags_first(seen, step)
        self.story.turn(look, seen, step, self._stages)
        self._time(step)
        return self._carry_out(look, seen, step)

    def _flags_first(self, seen: Observed, step: Step) -> Step:
        """Let the flags go back before the traffic, which waits for them no longer than their bound."""
        if self.mover is None:
            return step
        for note in self.mover.notes():
            self.story.note(note)
        if self.from_rest or isinstance(step, Turn) or seen.phase is Phase.RETURNING:
            self.mover.turn_back()
            left = 0.0 if isinstance(step, Turn) else self.mover.left_seconds()
            return Wait("flags", "the flags to go back first", left) if left else step
        return self._flags_beside(self.mover, seen, step)

    def _flags_beside(self, mover: Mover, seen: Observed, step: Step) -> Step:
        """Let flags follow the traffic down at once, and up to the end before the last write; hold what drifted."""
        mover.watch(share(seen), rising=seen.phase is Phase.FINISHING)
        if isinstance(step, Finish) and not seen.wish and (off := mover.off()):
            return Stand(f"{off}; a person decides: finish or abort")
        left = mover.lag_seconds() if isinstance(step, Restore) else 0.0
        return Wait("flags", "the flags to follow the last of the traffic", left) if left else step

    def _holds_scaler(self, look: Snapshot, seen: Observed) -> bool:
        """Hold the autoscaler for as long as two sides stand; say whether that was this turn's write."""
        if self.scaling is None:
            return False
        for text in self.scaling.warnings(look):
            self.story.note(text)
        return self._scaler_written(self.scaling.hold(look, seen, self.api.now(), self.clock()))

    def _scaler_written(self, request: Request | None) -> bool:
        """Write to the autoscaler; a cluster that refuses that does not end the release."""
        if request is None or self.scaling is None:
            return False
        try:
            sent = self._send(request)
        except (Denied, ApiError) as error:
            self.story.note(self.scaling.give_up(error))
            return False
        if sent:
            self.story.note(self.scaling.told)
        return sent

    def _put_scaler_back(self) -> None:
        """Put the autoscaler back now that the release is over; where this fails the next command does."""
        for _ in range(COPY_TRIES):
            request = self.scaling.give_back(self.look()) if self.scaling else None
            if request is None:
                return
            try:
                self._scaler_written(request)
            except LockLost:
                return

    def _note_images(self, look: Snapshot) -> None:
        """Remember what the pods run while they are there: of a preview that is refused none is left in the end."""
        for template in (self.memory.stable, self.memory.preview):
            for name, found in image_ids(look, template).items():
                self._ran.setdefault(template, {}).setdefault(name, set()).update(found)

    def _count_the_living(self, look: Snapshot) -> None:
        """Witness when a pod was last seen to go."""
        living = frozenset(one["metadata"]["uid"] for one in look.pods if live(one))
        if self._lived - living:
            self._went = self.clock()
        self._lived = living

    def _ask_for_rounds(self, look: Snapshot) -> None:
        """Have the pods of the side that is to go asked."""
        if self._census is None:
            return
        back = look.memory and look.memory.phase == Phase.RETURNING.value
        owner = replica_set(look.replica_sets, self.memory.preview if back else self.memory.stable)
        pods = tuple(one for one in (pods_of(owner, look) if owner else ()) if live(one))
        self._census.ask(pods, dark=dark(pods, look), hurry=self._draining or bool(back))

    def _ask_consumers(self, look: Snapshot) -> None:
        """Have every pod asked that may consume: of both sides, and those whose processes are about to end."""
        if self._events is None:
            return
        owners = (replica_set(look.replica_sets, one) for one in (self.memory.stable, self.memory.preview))
        sides = [owner for owner in owners if owner]
        pods = [one for owner in sides for one in pods_of(owner, look) if live(one)]
        going = [one for owner in sides for one in ending(owner, look)]
        self._events.ask((*pods, *going), hurry=self._hearing)

    def _time(self, step: Step) -> None:
        """Start the timer of a wait; an unbroken one ends as soon as anything else is decided."""
        key = step.key if isinstance(step, Wait) else ""
        self._draining = key.startswith("rounds ")
        self._hearing = key == "consumers"
        self._since = {one: at for one, at in self._since.items() if one == key or one not in self._unbroken}
        if isinstance(step, Wait):
            self._since.setdefault(key, self.clock())
            self._unbroken |= {key} if step.unbroken else set()

    def observe(self, look: Snapshot) -> Observed:
        return observe(look, self.memory.stable, self.memory.preview, self._witness())

    def _witness(self) -> Witness:
        now = self.clock()
        intent = self._intent()
        wishes = {"promote": Wish.PROMOTE, "finish": Wish.FINISH}
        return Witness(
            verdicts=self._decided(self._stages.verdicts()),
            waited={key: now - since for key, since in self._since.items()},
            labels_age_seconds=now - self._labelled,
            gone_age_seconds=now - self._went,
            wish=wishes.get(intent.wish, self.orders.wish) if intent else self.orders.wish,
            drain=self._patience(),
            rounds=self._census.open() if self._census else {},
            consumers=self.memory.consumes.consumers if self.memory.consumes else None,
            words=self._events.words() if self._events else {},
            fast=self.orders.fast,
            reheld=self._reheld,
            gated=frozenset(stage for stage in Stage if self._asks(stage)),
        )

    def _asks(self, stage: Stage) -> bool:
        return bool(getattr(self.gates, stage.value) or (self.mover and self.mover.gate(stage, 0)))

    def _decided(self, verdicts: dict[Question, Verdict]) -> dict[Question, Verdict]:
        """Take the wish that this run began with for a person's answer to its first question, where gates have none.

        The run before stood at that question. What this one meets later nobody has seen yet.
        """
        first = next(iter(self._stages.asked), None)
        doubt = verdicts.get(first) if first else None
        if first is None or doubt is None or not doubt.undecided or self.orders.wish is None:
            return verdicts
        return {**verdicts, first: Verdict(passed=True, evidence=f"a person decided: {doubt.evidence}")}

    def _patience(self) -> model.Drain | None:
        """Say how long rounds are waited for; not at all where a person said so."""
        patience = self.drain.patience
        return model.Drain(0.0, proceed=True) if patience and self.orders.proceed else patience

    def _intent(self) -> Intent | None:
        intent = intent_of(self.view.record())
        return intent if intent and intent.release == self.memory.id else None

    def _may_act(self, look: Snapshot) -> None:
        """Stop at once when somebody else took the lock or raised the fence."""
        if self.lock.lost:
            raise self.lock.lost
        held = look.memory
        if held and (held.id, held.fence) != (self.memory.id, self.memory.fence):
            raise LockLost(
                f"{held.by or 'somebody'} has taken over this release",
                advice=f"`deployctl status {self.memory.app} -w` shows what they do",
            )
        if not annotation(look.deployment):
            self.lock.confirm()

    def _tell_of_others(self, look: Snapshot) -> None:
        """Tell what somebody else wrote since the last turn."""
        if self._others is None:
            self._others = Others.since(look, self.stable, self.preview)
            self._others.unlisted.add(self.memory.preview_service)  # which sends nobody's live traffic
        for text in self._others.notices(look, self.view.services()):
            self.story.note(text)

    def _tell_unplaced(self, look: Snapshot) -> None:
        """Tell once that pods find no node: that they are waited for does not say why."""
        why = unplaced(filter(live, look.pods))
        if why and not self._unplaced:
            self.story.note(why)
        self._unplaced = bool(why)

    def _ended_by_hand(self, look: Snapshot) -> Step | None:
        """Turn round where somebody put a whole manifest over the held Deployment."""
        trying = look.memory and look.memory.phase in {Phase.TRYING.value, Phase.PROMOTING.value}
        if not trying or annotation(look.deployment) or held(look.deployment):
            return None
        return Turn(f"the {kind_of(look.deployment)} was replaced in mid-release{by(look.deployment)}")

    def _overruled(self, seen: Observed) -> Step | None:
        """Give way to a pause and to the time-out."""
        intent = self._intent()
        if intent and intent.wish == "pause" and (seen.paused or seen.phase is None):
            return Stand(because(f"paused by {intent.by}", intent.reason))
        if self._late(seen):
            return self._time_out()
        return None

    def _late(self, seen: Observed) -> bool:
        under_way = seen.phase in {Phase.TRYING, Phase.PROMOTING} and "keepOld" not in self._since
        return under_way and not self._draining and self.clock() - self._began > self.orders.timeout_seconds

    def _time_out(self) -> Step:
        reason = f"timed out after {self.orders.timeout_seconds:g}s"
        if self.orders.on_timeout == "hold":
            raise TimedOut(
                reason, advice=f"`deployctl resume {self.memory.app}` or `deployctl abort {self.memory.app}`"
            )
        self._timed_out = True
        return Turn(reason)

    def _carry_out(self, look: Snapshot, seen: Observed, step: Step) -> Result | None:
        match step:
            case End(outcome, reason):
                self._put_scaler_back()
                return Result(outcome, reason)
            case Stand(reason):
                return Result(None, reason, stands=True)
            case Ask(question, pods):
                gates = getattr(self.gates, question.stage.value)
                flags = self.mover.gate(question.stage, share(seen)) if self.mover else None
                self._stages.ask(
                    question, gates, lambda: self._asked(pods), self.gates.deadline_seconds, flags
                )
                self._sleep(self.tick_seconds)
            case Wait(key, _, seconds):
                if key == "keepOld" and self.orders.until_promoted:
                    return self._arm(look, seen)
                self._sleep(min(self.tick_seconds, seconds or self.tick_seconds))
            case _:
                return self._act(look, seen, step)
        return None

    def _sleep(self, seconds: float) -> None:
        self.view.signal.wait(seconds)

    def _arm(self, look: Snapshot, seen: Observed) -> Result | None:
        """Leave the rest to Kubernetes: the old side goes when keepOld has passed, whoever lives then.

        Not where rounds may be open on it: Kubernetes does not ask.
        """
        if self._census:
            return Result(Outcome.PROMOTED, armed=True)
        if self._scaler_written(self.scaling.give_back(look) if self.scaling else None):
            return None  # nobody stays to do it later
        owner = replica_set(look.replica_sets, self.memory.preview)
        ready = oldest_ready_seconds(
            (one for one in look.pods if owner and owned_by(one, owner)), self.api.now()
        )
        action = Arm(ready + self.orders.keep_seconds)
        if not self._send(self._writer(look).request(action)):
            return None
        self.story.did(action, seen)
        return Result(Outcome.PROMOTED, armed=True)

    def _act(self, look: Snapshot, seen: Observed, action: Action) -> Result | None:
        """Send one write. A lost race and a silent API change nothing: look again, decide again."""
        if isinstance(action, Tell):
            self._tell(look, seen, action)
            return None
        if isinstance(action, Begin):
            self._as_planned(look.deployment)
        request = self._writer(look).request(action)
        if not self._send(request):
            return None
        self._witnessed(action)
        self.story.did(action, seen)
        self._tell_of_cuts(action, seen)
        if isinstance(action, Turn):
            self._tell_last_words(look)
        if isinstance(action, Restore):
            self._put_scaler_back()
            self._forget_copies()
            why = look.memory.why if look.memory else ""
            return Result(action.outcome, why, timed_out=self._timed_out, offers=self._offers(action.outcome))
        return None

    def _tell(self, look: Snapshot, seen: Observed, action: Tell) -> None:
        """Tell a pod to consume or to stop; it is no write to the cluster, so the lock is asked first."""
        pod = next((one for one in look.pods if one["metadata"]["name"] == action.pod), None)
        if pod is None or self._events is None:
            return
        try:
            self.lock.confirm()
        except Unreachable as error:
            self._bear(error)
            return
        self._events.tell(pod, consume=action.consume)
        self.story.did(action, seen)

    def _tell_of_cuts(self, action: Action, seen: Observed) -> None:
        """Tell, and keep for the record, that pods go on which rounds are open."""
        match action:
            case Hold():
                going = tuple(pod for pod in seen.stable.pods if pod.detached)
            case Finish():
                going = seen.stable.pods
            case Return(held=False):
                going = seen.preview.pods
            case _:
                return
        busy = tuple(pod for pod in going if pod.rounds != 0)
        if seen.drain and busy:
            why = "as --fast says" if seen.fast else "their time was over"
            self._cut.append(f"cut {open_rounds(busy)}: {why}")
            self.story.note(self._cut[-1])

    def _as_planned(self, now: Json) -> None:
        """Begin on the Deployment that was planned on: what somebody wrote since then would be lost in the end."""
        planned = self.memory.preview if self.memory.phase == Phase.RETURNING.value else self.memory.stable
        if Settings.of(now) != self.memory.own or digest(now["spec"]["template"]) != planned:
            raise Conflict(
                f"{kind_of(now)} {now['metadata']['name']} was changed{by(now)} since this run looked at it first",
                advice="nothing was begun; run the command again",
            )

    def _send(self, request: Request) -> bool:
        resource = request.resource
        try:
            answer = self._sent(request, resource)
        except Unreachable as error:
            if self._others:
                self._others.unanswered(resource, request.name)
            self._bear(error)
            return False
        if answer is None:
            return False
        self._absorb(request, answer)
        self._silent_since, self._races = None, 0
        self.writes[resource] = self.writes.get(resource, 0) + 1
        return True

    def _sent(self, request: Request, resource: str) -> Json | None:
        """Send one write; where it lost a race, or its object is gone, look at that anew instead."""
        try:
            if resource not in WORKLOADS:  # whose fence is in the patch itself
                self.lock.confirm(TRUST_SECONDS if resource == "pods" else 0.0)
            return self.api.send(request)
        except (Stale, NotFound):
            self._races += 1
            if self._races > MOST_RACES:
                raise
            self.view.reread(request)
        return None

    def _absorb(self, request: Request, answer: Json) -> None:
        if request.method == "DELETE":
            return self.view.forget(request.resource, request.name)
        self.view.absorb(request.resource, answer)
        if request.resource in WORKLOADS:
            self.known = load(annotation(answer))
        if self._others:
            self._others.ours(answer)
        return None

    def _bear(self, error: Unreachable) -> None:
        """Wait out an API that does not answer; what was written stands, what was not is decided anew."""
        if self._silent_since is None:
            self._silent_since = self.clock()
            self.story.note(f"the API does not answer, nothing moves meanwhile: {error}")
        if self.clock() - self._silent_since > self.orders.timeout_seconds:
            raise error
        self._sleep(max(PATIENCE_SECONDS, error.retry_after_seconds))

    def _writer(self, look: Snapshot) -> Writer:
        memory = adopted(look.memory or self.memory, look.deployment)
        return writer_of(look, memory, self.stable, self.preview)

    def _witnessed(self, action: Action) -> None:
        if isinstance(action, Admit | Detach):
            self._labelled = self.clock()
        if isinstance(action, Detach | Pin | Valve):  # what has left the endpoints is waited for from now on
            self._since = {key: at for key, at in self._since.items() if not key.startswith("spread")}
        if isinstance(action, Rehold):
            self._reheld = True
        if isinstance(action, Begin):
            self._since.clear()

    def _tell_last_words(self, look: Snapshot) -> None:
        """Tell what the log of a crashed preview pod ends in, before the pod is gone."""
        for line in last_words(self.api, look, self.memory.preview):
            self.story.note(line)

    def _forget_copies(self) -> None:
        """Take our annotation off the ReplicaSets, where the Deployment controller copied it, and off the Services.

        The release is over: what cannot be taken off now, the next command does.
        """
        self._until_settled()
        for _ in range(COPY_TRIES):
            look = self.look()
            for request in forget_copies(look.replica_sets, look.services):
                try:
                    self._send(request)
                except LockLost:
                    return

    def _offers(self, outcome: Outcome) -> tuple[str, ...]:
        live = self.preview if outcome is Outcome.PROMOTED else self.stable
        return self._others.offers(self.memory.app, live) if self._others else ()

    def _until_settled(self) -> None:
        deadline = self.clock() + 5.0
        while not settled(self.look().deployment) and self.clock() < deadline:
            self._sleep(0.1)

    def _asked(self, names: tuple[str, ...]) -> Asked:
        """Give the gates the pods as they are now, those that are still there."""
        look = self.look()
        pods = tuple(one for one in look.pods if one["metadata"]["name"] in names)
        stable, preview = (side(look, one).revision for one in (self.memory.stable, self.memory.preview))
        of = self.view.names
        about = About(of.app, of.namespace, stable, preview, of.kind, of.deployment)
        return asked(self.api, about, pods, look.services[0], self.gates, self.flags)

    def _proxy(self) -> Proxy:
        return through(self.api, self.view.names.namespace)


def raised(memory: Memory, by: str) -> Memory:
    """Give the memory as whoever takes the release over writes it: with a higher fence."""
    return msgspec.structs.replace(memory, fence=memory.fence + 1, by=by)
