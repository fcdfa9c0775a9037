"""Every state that a release can reach at a small size, and the laws that hold in each of them.

A state is a world, what the looking process has witnessed, and the truth that nobody sees: which pods a gate
really vouched for. Moves are the machine's own and everybody else's. Pods' names are made the same for states
that differ in nothing else, so the graph is finite and small.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from strategies.model import (
    Admit,
    Arm,
    Ask,
    Begin,
    Clean,
    Detach,
    Discard,
    Drain,
    End,
    Finish,
    Hold,
    Lower,
    Observed,
    Outcome,
    Pause,
    Phase,
    Pin,
    Pod,
    PreviewService,
    Question,
    Rehold,
    Restore,
    Return,
    Show,
    Side,
    Stage,
    Stand,
    Step,
    Strategy,
    Tell,
    Template,
    Turn,
    Valve,
    Verdict,
    Wait,
    Wish,
)
from strategies.quantities import Amount
from strategies.ranks import Ranks
from strategies.simulator import Settings, World

YES, NO = Verdict(passed=True), Verdict(passed=False, evidence="a gate said no")
UNDECIDED = Verdict(passed=False, evidence="a gate could not decide", undecided=True)
VERDICTS = {True: YES, False: NO, None: UNDECIDED}
NAME = re.compile(r"(?:stable|preview)-\d+")
ACTIONS = (
    *(Begin, Hold, Lower, Pause, Rehold, Pin, Show, Valve),
    *(Admit, Detach, Discard, Clean, Tell, Finish, Arm, Turn, Return, Restore),
)


class Broken(AssertionError):
    """A law that a reachable state breaks, with the moves that lead there."""


@dataclass(frozen=True, slots=True)
class State:
    world: World
    verdicts: frozenset[tuple[Question, bool | None]] = frozenset()
    waited: frozenset[str] = frozenset()
    fresh_labels: bool = False
    just_gone: bool = False  # a pod went, and the endpoints controller may not have seen it
    wish: Wish | None = None
    cleared: frozenset[str] = frozenset()  # the truth: preview pods that may carry traffic
    said: frozenset[tuple[Stage, str]] = frozenset()  # the truth: what gates said yes to
    left: tuple[int, int, int] = (0, 0, 0)  # crashes, scalings and tamperings still to come
    drain: Drain | None = None

    def seen(self) -> Observed:
        return _heard(self.world).observe(
            drain=self.drain,
            verdicts={question: VERDICTS[passed] for question, passed in self.verdicts},
            waited=dict.fromkeys(self.waited, 1e9),
            labels_age_seconds=0.0 if self.fresh_labels else 1e9,
            gone_age_seconds=0.0 if self.just_gone else 1e9,
            wish=self.wish,
        )


def canonical(state: State) -> State:
    """Name the pods by what tells them apart, and forget what is said of pods that are no more."""
    world = state.world
    names: dict[str, str] = {}
    stable = _renamed(state, world.stable, names)
    preview = _renamed(state, world.preview, names)
    slices = tuple(frozenset(names[one] for one in endpoints if one in names) for endpoints in world.slices)
    named = State(
        world=replace(world, stable=stable, preview=preview, slices=slices, born=len(names)),
        verdicts=_verdicts(state, names),
        waited=frozenset(key for one in state.waited if (key := _text(one, names)) is not None),
        fresh_labels=state.fresh_labels and not all(one.valve for one in world.services),
        just_gone=state.just_gone and any(one.valve or one.pin for one in world.services),
        wish=state.wish,
        cleared=frozenset(names[one] for one in state.cleared if one in names),
        said=state.said,
        left=state.left,
        drain=state.drain,
    )
    return _relevant(named)


def _relevant(state: State) -> State:
    """Forget what no decision will ask for again: other sizes' bakes and answers, all of them on the way back."""
    world = state.world
    if world.phase is None:
        return replace(State(world), left=state.left, drain=state.drain)
    size = str(world.preview.desired)
    said = frozenset(
        one for one in state.said if one[0] is Stage.BEFORE or size in one[1] or one[1] == "preview"
    )
    if world.phase in (Phase.RETURNING, Phase.FINISHING):
        back = frozenset(one for one in state.waited if one.startswith(("spread", "stable")))
        before = frozenset(one for one in said if one[0] is Stage.BEFORE)
        settled = replace(world, kept=(0, 0), reheld=False)._each(lambda pod: replace(pod, connected=False))
        return replace(state, world=settled, verdicts=frozenset(), waited=back, said=before, wish=None)
    waited = frozenset(one for one in state.waited if not one.startswith("bake") or one == f"bake {size}")
    verdicts = frozenset(
        one for one in state.verdicts if f"{size} pods" == one[0].about or "pods" not in one[0].about
    )
    return replace(state, waited=waited, verdicts=verdicts, said=said)


def _renamed(state: State, side: Side, names: dict[str, str]) -> Side:
    vouched = {name for question, _ in state.verdicts for name in question.pods}

    def mark(pod: Pod) -> tuple[object, ...]:
        inside = tuple(pod.name in endpoints for endpoints in state.world.slices)
        return (
            pod.ordinal,
            not pod.ready,
            not pod.labelled,  # the oldest, so the last to go
            pod.detached,
            inside,
            pod.name in state.cleared,
            pod.name in vouched,
            pod.rounds,
            pod.connected,
            pod.consumes,
            pod.unheard,
        )

    pods = sorted(side.pods, key=mark)
    for number, pod in enumerate(pods, 1):
        names[pod.name] = f"{side.revision}-{number}"
    return replace(side, pods=tuple(replace(pod, name=names[pod.name]) for pod in pods))


def _text(text: str, names: dict[str, str]) -> str | None:
    found = NAME.findall(text)
    if any(name not in names for name in found):
        return None
    return NAME.sub(lambda match: names[match[0]], text) if found else text


def _verdicts(state: State, names: dict[str, str]) -> frozenset[tuple[Question, bool | None]]:
    vouched: set[str] = set()
    others = set()
    for question, passed in state.verdicts:
        if passed and question.pods:
            vouched |= {names[one] for one in question.pods if one in names}
        elif (about := _text(question.about, names)) is not None:
            pods = frozenset(names[one] for one in question.pods if one in names)
            others.add((Question(question.stage, about, pods), passed))
    batch = {(Question(Stage.BEFORE, "", frozenset(vouched)), True)} if vouched else set()
    return frozenset(others | batch)


def endpoints(world: World) -> tuple[int, ...]:
    """Count for each Service the endpoints that are alive and ready."""
    ready = {pod.name for pod in (*world.stable.ready, *world.preview.ready)}
    return tuple(len(names & ready) for names in world.slices)


@dataclass
class Checker:
    """Walks through all states. `crashes`, `scalings` and `tamperings` bound what others do on one path."""

    strategy: Strategy
    world: World
    dark: bool  # rolling: each pod of the preview is vouched for by itself
    reserve: int = 0  # how many ready pods under the size are allowed
    alone: bool = False  # a StatefulSet: of one pod nothing serves while that is made anew
    crashes: int = 0
    scalings: int = 0
    tamperings: int = 0
    rounds: bool = False  # every pod that serves gets a round, which ends some time after it serves no more
    lagging: bool = False  # the controllers and the EndpointSlices take their time
    most: int = 0  # the largest size that somebody scales to
    least: int = 1
    doubts: bool = False  # gates may leave it to a person
    mutes: int = 0  # how many pods stop to say whether they consume, on one path
    states: dict[State, tuple[State | None, str]] = field(default_factory=dict)
    ending: set[State] = field(default_factory=set)

    def run(self) -> int:
        """Visit every reachable state; raise Broken with the way there, or count them."""
        first = canonical(
            State(
                self.world,
                left=(self.crashes, self.scalings, self.tamperings),
                drain=Drain() if self.rounds else None,
            )
        )
        self.states[first] = (None, "")
        queue = deque([first])
        while queue:
            state = queue.popleft()
            for name, moved in self.moves(state):
                after = canonical(moved)
                if after not in self.states:
                    self.states[after] = (state, name)
                    if after.world.phase is not None:
                        queue.append(after)
        for state in self.states:
            self.ends(state)
        return len(self.states)

    def moves(self, state: State) -> Iterator[tuple[str, State]]:
        step = self.strategy.decide(state.seen())
        unbroken = step.key if isinstance(step, Wait) and step.unbroken else None
        yield from self._machine(state, step, unbroken)
        yield from self._pods(state)
        yield from self._others(state)
        if self.lagging:
            yield from self._lag(state)

    def _machine(self, state: State, step: Step, unbroken: str | None) -> Iterator[tuple[str, State]]:
        match step:
            case Ask(question, pods):
                self._check_asked(state, step, pods)
                yield f"yes to {question}", self._answered(state, question, pods, passed=True)
                yield f"no to {question}", self._answered(state, question, pods, passed=False)
                if self.doubts:
                    doubt = replace(state, verdicts=state.verdicts | {(question, None)})
                    yield f"a person must answer {question}", doubt
            case Wait("labels"):
                yield "labels are seen", replace(state, fresh_labels=False)
            case Wait("gone"):
                yield "the gone are seen to be gone", replace(state, just_gone=False)
            case Wait(key) if key.startswith("rounds"):
                for pod in state.world.pods:
                    if pod.rounds and not _serves(state.world, pod):
                        yield (
                            f"the round on {pod.name} ends",
                            replace(state, world=state.world._marked(pod.name, rounds=0)),
                        )
            case Wait(key, _, seconds) if seconds and key not in state.waited:
                yield f"{key} has passed", replace(state, waited=state.waited | {key})
            case Stand():
                yield "a person promotes", self._decided(state)
            case Wait() | End():
                pass
            case _:
                yield str(step), self.acted(state, step)
        if unbroken is None and state.world.phase is Phase.PROMOTING and state.wish is not Wish.FINISH:
            yield "a person wants it finished", replace(state, wish=Wish.FINISH)

    def acted(self, state: State, step: Step) -> State:
        assert isinstance(step, ACTIONS)
        before = state.world
        wrote = before.apply(step)
        after = wrote if self.lagging else wrote.controllers().published()
        labelled = isinstance(step, Admit | Detach)
        changed = replace(state, world=after, fresh_labels=state.fresh_labels or labelled)
        changed = self._born(state, changed)
        self._check(state, step, changed, wrote)
        if isinstance(step, Restore):
            self._check_rest(state, changed, step)
            self._check_rest_consumes(state, step)
        return changed

    def _answered(self, state: State, question: Question, pods: tuple[str, ...], *, passed: bool) -> State:
        verdicts = state.verdicts | {(question, passed)}
        if not passed:
            return replace(state, verdicts=verdicts)
        cleared = state.cleared | set(pods) if question.stage is Stage.BEFORE else state.cleared
        about = "" if question.pods else question.about
        return replace(state, verdicts=verdicts, cleared=cleared, said=state.said | {(question.stage, about)})

    def _decided(self, state: State) -> State:
        """Let a person promote, which answers what the gates could not, and that alone."""
        decided = replace(state, wish=Wish.PROMOTE)
        for question, passed in state.verdicts:
            if passed is None:
                left = replace(decided, verdicts=decided.verdicts - {(question, None)})
                here = question.pods or [pod.name for pod in state.world.preview.pods]
                decided = self._answered(left, question, tuple(here), passed=True)
        return decided

    def _pods(self, state: State) -> Iterator[tuple[str, State]]:
        world, (crashes, scalings, tamperings) = state.world, state.left
        seen = set()
        for pod in (*world.stable.pods, *world.preview.pods):
            kind = (pod.name.split("-")[0], replace(pod, name=""))
            if kind in seen:
                continue
            seen.add(kind)
            if not pod.ready:
                after = self._world(state, world._marked(pod.name, ready=True))
                if isinstance(world, Ranks):  # whose controller goes on with the next pod by itself
                    self._check_removed(state, after)
                yield f"{pod.name} comes up", after
            elif crashes:
                left = (crashes - 1, scalings, tamperings)
                less = replace(state, left=left)
                yield f"{pod.name} fails", self._world(less, world._marked(pod.name, ready=False))
                yield f"{pod.name} dies", self._world(less, world.without(pod.name))
            if pod.ready and not pod.unheard and len(_mute(world)) < self.mutes:
                mute = world._marked(pod.name, unheard="mute", late_seconds=1e9)
                yield f"{pod.name} says nothing more", replace(state, world=mute)

    def _others(self, state: State) -> Iterator[tuple[str, State]]:
        world, (crashes, scalings, tamperings) = state.world, state.left
        if world.phase is None:
            return
        forgot = replace(
            state,
            verdicts=frozenset(),
            waited=frozenset(),
            fresh_labels=False,
            world=replace(world, reheld=False),
        )
        if forgot != state:
            yield "our process dies", forgot
        if world.phase is not Phase.RETURNING:
            yield "somebody aborts", replace(state, world=replace(world, phase=Phase.RETURNING))
        for size in (world.replicas - 1, world.replicas + 1):
            if scalings and self.least <= size <= self.most:
                less = replace(state, left=(crashes, scalings - 1, tamperings))
                yield f"scaled to {size}", self._world(less, world.scale(size))
        if tamperings:
            less = replace(state, left=(crashes, scalings, tamperings - 1))
            for name, settings in _foreign(world):
                foreign = replace(world, settings=settings, settled=False)
                yield f"somebody writes {name}", self._world(less, foreign)
            for one in world.services:
                if (
                    not one.blind
                    and one.pin in ("", "stable")
                    and world.phase in (Phase.TRYING, Phase.PROMOTING)
                ):
                    blinded = world._selecting(one.name, blind=True)
                    yield f"somebody lets {one.name} ask for a label of stable", self._world(less, blinded)
            for name, front in _fronts(world):
                yield f"somebody {name}", replace(less, world=replace(world, preview_service=front))

    def _world(self, state: State, world: World) -> State:
        after = world if self.lagging else world.controllers().published()
        return self._born(state, replace(state, world=after))

    def _lag(self, state: State) -> Iterator[tuple[str, State]]:
        moved = state.world.controllers()
        if moved != state.world:
            after = self._born(state, replace(state, world=moved))
            self._check_removed(state, after)
            yield "controllers", after
        followed = state.world.published()
        if followed.slices != state.world.slices:
            after = replace(state, world=followed)
            self._check_gated(state, "published", after)
            yield "slices follow", after

    def _born(self, before: State, after: State) -> State:
        """Clear the pods of a gated revision that are born where nobody asks for the label; note that some went."""
        old = {pod.name for pod in before.world.preview.pods}
        world = after.world
        if {pod.name for pod in before.world.pods} - {pod.name for pod in world.pods}:
            after = replace(after, just_gone=True)
        if after.drain:
            after = replace(after, world=_playing(after.world))
        vouched = any(stage is Stage.BEFORE for stage, _ in after.said)
        open_ = not all(one.valve for one in before.world.services) or world.phase is Phase.FINISHING
        if not (vouched and open_):
            return after
        return replace(after, cleared=after.cleared | {one.name for one in world.preview.pods} - old)

    def _check(self, state: State, step: Step, after: State, wrote: World) -> None:
        before, world = endpoints(state.world), endpoints(after.world)
        alone = self.alone and after.world.replicas == 1
        floor = 0 if alone else max(1, after.world.replicas - self.reserve)
        for one, two in zip(before, world, strict=True):
            if one and not two and not alone:
                self._broken("I1 a Service lost all its endpoints", state, step)
            if two < min(one, floor):
                self._broken(f"I2 {one} endpoints became {two} of {floor}", state, step)
        self._check_gated(state, step, after)
        self._check_widened(state, step)
        self._check_rounds(state, step, after)
        self._check_consumers(state, step, after)
        if self.dark:
            self._check_detached(state, step, after)
        else:
            self._check_old_side(state, step, after)

    def _check_widened(self, state: State, step: Step) -> None:
        """Pods that just went come back as endpoints where a Service begins to select them.

        Where stable cannot carry the load alone, traffic goes to both sides without waiting.
        """
        shifted = any(one.pin == "preview" for one in state.world.services)
        urgent = shifted and state.world.phase is Phase.RETURNING
        if state.just_gone and not urgent and (isinstance(step, Pin) and not step.revision):
            self._broken("I12 a Service is unpinned while pods that just went may be taken in", state, step)
        if state.just_gone and isinstance(step, Valve) and not step.on:
            self._broken("I12 the valve comes off while pods that just went may be taken in", state, step)

    def _check_rounds(self, state: State, step: Step, after: State) -> None:
        """What a write of ours removes has no open round; scaling and crashes are others' doing."""
        left = {pod.name for pod in after.world.pods}
        cut = [pod.name for pod in state.world.pods if pod.rounds and pod.name not in left]
        if state.drain and cut and isinstance(step, Hold | Lower | Discard | Finish | Return | Restore):
            self._broken(f"R the round on {cut[0]} is cut", state, step)

    def _check_consumers(self, state: State, step: Step, after: State) -> None:
        """One side consumes; the preview not before all traffic has gone over to it.

        A mute pod of a shared group is waited for no longer than its time; of an exclusive one for ever.
        """
        world = after.world
        if world.consumers is None:
            return
        exclusive = world.consumers.exclusive
        old, new = (
            any(pod.consumes and (exclusive or not pod.unheard) for pod in side.pods)
            for side in (world.stable, world.preview)
        )
        if old and new:
            self._broken("C both sides consume", state, step)
        if not (isinstance(step, Tell) and step.consume and step.pod.startswith("preview")):
            return
        moved = (
            world.preview.desired >= world.replicas
            if self.dark
            else all(one.pin == "preview" for one in world.services)
        )
        if not moved and world.phase in (Phase.TRYING, Phase.PROMOTING) and not _over(state.world):
            self._broken("C the preview consumes before it has the traffic", state, step)

    def _check_rest_consumes(self, state: State, step: Restore) -> None:
        world = state.world
        stays = world.preview if step.outcome is Outcome.PROMOTED else world.stable
        if world.consumers and not all(pod.consumes or pod.unheard for pod in stays.ready):
            self._broken("C a pod that stays consumes nothing", state, step)

    def _check_asked(self, state: State, step: Ask, pods: tuple[str, ...]) -> None:
        if not state.world.settings.paused:
            self._broken("P gates are asked while anybody's edit could act", state, step)
        ready = {pod.name for pod in state.world.preview.ready}
        if not ready.issuperset(pods):
            self._broken("P gates are asked of pods that are not ready", state, step)
        front = state.world.preview_service
        if front and step.question.stage is Stage.BEFORE and front.pin != state.world.preview.revision:
            self._broken("P gates are asked of a preview without its front door", state, step)

    def _check_removed(self, state: State, after: State) -> None:
        """Look at what the controllers remove in their own time, while the EndpointSlices still name it.

        After Return that is Kubernetes' own rollback, which has never waited for them.
        """
        if state.world.template is Template.STABLE:
            return
        if not (self.alone and state.world.replicas == 1) and any(
            one and not two for one, two in zip(endpoints(state.world), endpoints(after.world), strict=True)
        ):
            self._broken("I1 a Service lost all its endpoints", state, "controllers")
        serving = frozenset().union(*state.world.slices)
        left = {pod.name for pod in after.world.stable.pods}
        gone = {pod.name for pod in state.world.stable.ready} - left
        if gone & serving:
            self._broken("I7 an endpoint was removed", state, "controllers")

    def _check_gated(self, state: State, step: object, after: State) -> None:
        serving = frozenset().union(*after.world.slices)
        for pod in after.world.preview.ready:
            if pod.name not in serving:
                continue
            if (
                (pod.name not in after.cleared)
                if self.dark
                else ((Stage.BEFORE, "preview") not in after.said)
            ):
                self._broken(f"I3 {pod.name} serves and no gate vouched for it", state, step)

    def _check_detached(self, state: State, step: Step, after: State) -> None:
        if isinstance(step, Discard) and step.pod in frozenset().union(*state.world.slices):
            self._broken("I7 an endpoint was deleted", state, step)
        if not isinstance(step, Hold | Lower | Finish) or state.world.phase is not Phase.TRYING:
            return
        size, replicas = state.world.preview.desired, state.world.replicas
        if size and (Stage.DURING, f"{size} pods") not in state.said:
            self._broken("I11 no yes to the gates of the batch that is in", state, step)
        if isinstance(step, Finish) and (Stage.AFTER, f"{size} pods") not in state.said:
            self._broken("I11 no yes to the gates after the last batch", state, step)
        left = {pod.name for pod in after.world.stable.pods}
        serving = frozenset().union(*state.world.slices)
        gone = {pod.name for pod in state.world.stable.ready if pod.name not in left}
        if gone & serving and replicas:
            self._broken("I7 an endpoint was removed", state, step)

    def _check_old_side(self, state: State, step: Step, after: State) -> None:
        fewer = len(after.world.stable.pods) < len(state.world.stable.pods)
        begins = isinstance(step, Finish) and state.world.phase is Phase.PROMOTING
        going = begins or (fewer and after.world.phase in (Phase.TRYING, Phase.PROMOTING))
        shifted = all(one.pin == "preview" for one in state.world.services)
        after_said = (Stage.AFTER, "preview") in state.said
        restarts = isinstance(step, Discard)
        if (going or restarts) and state.world.stable.pods and not (shifted and after_said):
            self._broken("I7 the old side was reduced before the shift was verified", state, step)
        if restarts and step.pod in frozenset().union(*state.world.slices):
            self._broken("I7 an endpoint was deleted", state, step)
        if restarts and not state.world.stable.complete:
            self._broken("I7 the old side is restarted though a pod of it is not ready", state, step)

    def _check_rest(self, state: State, after: State, step: Restore) -> None:
        world = after.world
        marked = any(pod.labelled or pod.detached for pod in (*world.stable.pods, *world.preview.pods))
        tied = any(one.pin or one.valve for one in world.services)
        ours = world.settings != world.users or world.wrote is not None or world.phase is not None
        front = world.preview_service
        ours = ours or bool(front and front.ours)
        gone = world.stable if step.outcome is Outcome.PROMOTED else world.preview
        if marked or tied or ours or not gone.gone:
            self._broken("I6 something of ours is left", state, step)

    def _broken(self, law: str, state: State, step: object) -> None:
        raise Broken(f"{law}\n  {step}\n  in {_brief(state)}\n  after\n  " + "\n  ".join(self.way_to(state)))

    def way_to(self, state: State) -> list[str]:
        """List the moves that lead from the start to a state."""
        way: list[str] = []
        here: State | None = state
        while here is not None:
            here, name = self.states.get(here, (None, "?"))
            way.append(name)
        return way[::-1][1:]

    def ends(self, state: State) -> None:
        """Follow the undisturbed continuation to its end: gates say yes, pods come up, time passes."""
        path: dict[State, str] = {}
        here = state
        while here not in self.ending and here.world.phase is not None:
            if here in path:
                self._stuck("a loop", state, path)
            if len(path) > 300:
                self._stuck("no end", state, path)
            step, after = self._onward(here)
            if isinstance(step, Turn) and not self._must_turn(here):
                self._stuck(f"turned round for nothing ({step.reason})", state, path)
            path[here] = str(step)
            if after is None:
                break
            here = canonical(after)
        self.ending.update(path)

    def _must_turn(self, state: State) -> bool:
        if _mute(state.world):
            return True
        late = any("ready" in key or key.startswith("stable less") for key in state.waited)
        said_no = any(passed is False for _, passed in state.verdicts)
        if any(one.blind for one in state.world.services):
            return True
        bereft = state.world.stable.gone and state.world.preview.desired > 0
        alone = self.alone and state.world.replicas == 1
        return late or said_no or bereft or alone or state.world.reheld or not state.world.replicas

    def _onward(self, state: State) -> tuple[Step, State | None]:
        step = self.strategy.decide(state.seen())
        match step:
            case Ask(question, pods):
                return step, self._answered(state, question, pods, passed=True)
            case Wait("labels"):
                return step, replace(state, fresh_labels=False)
            case Wait("gone"):
                return step, replace(state, just_gone=False)
            case Wait(key) if key.startswith("rounds"):
                over = [pod.name for pod in state.world.pods if not _serves(state.world, pod)]
                world = state.world
                for name in over:
                    world = world._marked(name, rounds=0)
                return step, replace(state, world=world)
            case Wait(key, _, seconds, unbroken):
                world = state.world.controllers().come().controllers().published()
                after = self._born(state, replace(state, world=world))
                passed = {key} if seconds and (not unbroken or world == state.world) else set()
                return step, replace(after, waited=after.waited | passed)
            case Stand(reason) if "may consume still" in reason:  # who mends the pod, or aborts, is a person
                return step, None
            case Stand():
                return step, self._decided(state)
            case End():
                return step, None
            case _:
                after = self.acted(state, step)
                return step, self._world(after, after.world)

    def _stuck(self, what: str, state: State, path: dict[State, str]) -> None:
        tail = "\n  ".join(list(path.values())[-12:])
        raise Broken(
            f"{what}: {_brief(state)}\n after\n  " + "\n  ".join(self.way_to(state)) + f"\n then\n  {tail}"
        )


def _heard(world: World) -> World:
    """Hide what mute pods do not say."""
    return world._each(lambda pod: replace(pod, consumes=None) if pod.unheard else pod)


def _mute(world: World) -> list[Pod]:
    return [pod for pod in world.pods if pod.unheard]


def _over(world: World) -> bool:
    return any(pod.consumes for pod in world.preview.pods)


def _serves(world: World, pod: Pod) -> bool:
    return any(pod.name in endpoints for endpoints in world.slices)


def _playing(world: World) -> World:
    """Open a round on every pod that serves."""
    return world._each(lambda pod: replace(pod, rounds=1) if _serves(world, pod) else pod)


def _foreign(world: World) -> Iterator[tuple[str, Settings]]:
    """What somebody else may write over the hold: minReadySeconds, the strategy, paused."""
    yield "minReadySeconds", replace(world.settings, held=False)
    yield "strategy", replace(world.settings, unavailable=Amount(1), surge=Amount(1))
    yield "paused: false", replace(world.settings, paused=False)


def _fronts(world: World) -> Iterator[tuple[str, PreviewService]]:
    """What somebody else may do to the preview Service: delete it, unpin it, let it select another revision."""
    front = world.preview_service
    if front and front.ours:
        yield "deletes the preview Service", replace(front, pin="", ours=False)
        yield "unpins the preview Service", replace(front, pin="")
        yield "points the preview Service at stable", replace(front, pin="stable")


def _brief(state: State) -> str:
    """Write a state as a person reads it: r ready, l labelled, d detached, capital where it is an endpoint."""
    world = state.world

    def pods(side: Side) -> str:
        return " ".join(
            pod.name
            + ":"
            + "r" * pod.ready
            + "l" * pod.labelled
            + "d" * pod.detached
            + "E" * sum(pod.name in endpoints for endpoints in world.slices)
            for pod in side.pods
        )

    services = " ".join(
        f"{one.name}({one.pin}{' valve' * one.valve}{' blind' * one.blind})" for one in world.services
    )
    services += f" {world.preview_service or ''}"
    return (
        f"{world.phase} of {world.replicas}: stable {world.stable.desired} [{pods(world.stable)}] "
        f"preview {world.preview.desired} [{pods(world.preview)}] {services} {world.template} {world.settings} "
        f"settled={world.settled} kept={world.kept} waited={set(state.waited)} said={set(state.said)} left={state.left}"
    )
