"""The product with one mistake in it: what the oracles have to catch, each where it is caught soonest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import msgspec

from deployctl import observe, record, releases
from deployctl.autoscaling import through as autoscaling
from deployctl.cli import steering
from deployctl.cluster.ordinal_patches import OrdinalWriter
from deployctl.cluster.patches import KEY, Writer
from deployctl.consumers import Consumers, Word
from deployctl.flags.moving import Mover
from deployctl.gates.http import Http
from deployctl.lock import Lock
from deployctl.observe import Open
from deployctl.rollout import Rollout
from deployctl.rounds import Census
from deployctl.workload import update_strategy
from strategies import blue_green, consuming, ordinal, rolling, steps
from strategies.analysis import Answer
from strategies.blue_green import BlueGreen
from strategies.model import Finish, Hold, Lower, Phase, Return
from strategies.ordinal import Ordinal
from strategies.rolling import Rolling
from tests.faults import interleavings, matrix
from tests.faults.matrix import Trial

Patch = tuple[Any, str, Any]


def nothing(*_: Any, **__: Any) -> None:
    """Ask for no step, do nothing."""


def unguarded(self: Writer, ops: Any) -> Any:
    request = PATCH(self, ops)
    return replace(request, body=[one for one in request.body if one["op"] != "test"])


def forgetful(self: Writer, memory: Any) -> list[Any]:
    """Write what is done and no memory of it, but for the first."""
    return [one for one in KEPT(self, memory) if one["path"] != KEY or memory.turn == 0]


def keeps_our_settings(self: Writer, template: Any) -> Any:
    request = RESTORE(self, template)
    return replace(request, body=[one for one in request.body if one["path"] != "/spec/strategy"])


def finishes_before_the_shift(self: BlueGreen, seen: Any) -> Any:
    return PROMOTE(self, seen) if seen.shifted or not seen.preview.complete else Finish()


def first_service_only(seen: Any, revision: str) -> Any:
    return PIN(replace(seen, services=seen.services[:1]), revision)


def lost_race_counts_as_done(self: Rollout, request: Any, resource: str) -> Any:
    return SENT(self, request, resource) or self.look().deployment


def sent_once_counts_as_done(self: Rollout, error: Exception) -> None:
    """Believe that what was not answered was carried out."""
    BEAR(self, error)
    raise releases.UsageError("done")


def unknown_is_yes(self: Http, asked: Any) -> Any:
    measured = MEASURE(self, asked)
    return replace(measured, answer=Answer.PASS) if measured.answer is Answer.UNKNOWN else measured


def one_old_pod_fewer(self: Rolling, seen: Any) -> Any:
    step = NEXT(self, seen)
    return replace(step, stable=step.stable - 1) if isinstance(step, Hold) and step.stable > 1 else step


def one_ordinal_lower(self: Ordinal, seen: Any) -> Any:
    step = NEXT_ORDINAL(self, seen)
    return replace(step, partition=step.partition - 1) if isinstance(step, Lower) and step.partition else step


def above_all(self: OrdinalWriter, settings: Any) -> list[Any]:
    """Write a partition one above what is meant."""
    lower = settings.strategy.get("rollingUpdate")
    if not lower or settings.paused:
        return SPEC(self, settings)
    wrong = update_strategy(settings.strategy, lower["partition"] + 1)
    return SPEC(self, msgspec.structs.replace(settings, strategy=wrong))


def returns_by_partition(self: OrdinalWriter, action: Any) -> Any:
    """Put stable's template back, and leave the pods to the controller."""
    if not isinstance(action, Return):
        return ORDINAL_REQUEST(self, action)
    memory = msgspec.structs.replace(self.memory, phase=Phase.RETURNING.value)
    return self._wrote(self._partitioned(0), memory, self.stable)


def by_the_wall_clock(self: Rollout) -> None:
    self.clock = lambda: record.dt.datetime.now(record.dt.UTC).timestamp()
    POST_INIT(self)


def keeps_every_template(template: Any) -> str:
    return json.dumps(template)


def without_an_end_is_no_word(releases_: Any) -> Any:
    return WORDS(tuple(one for one in releases_ if one.outcome))


def waiting_counts_as_silence(seen: Any, pods: Any, key: str) -> Any:
    waited = seen.waited.get(f"rounds {key}", 0.0) >= steps.SILENT_SECONDS
    return None if waited else SILENT(seen, pods, key)


def believes_early_words(_self: Census, _uid: str, word: Any) -> Any:
    return word.open if word.open.count or word.before is not None else Open()


def told_is_done(self: Consumers, uid: str, said: Word, now: float) -> Word:
    """Believe that a pod does what it was told."""
    order = self._orders.get(uid)
    return Word(order.consume if order else said.consumes, "")


def same_fence(memory: Any, by: str) -> Any:
    return msgspec.structs.replace(memory, by=by)


def never_confirms(self: Lock, trusted_seconds: float = 0.0) -> None:
    """Believe that the lock is ours for ever."""


def writes_the_flag_first(self: Mover, seen: Any, entry: Any, wanted: Any) -> None:
    """Set a flag before the record says that it is meant."""
    self._set(seen, wanted)
    self._keep(msgspec.structs.replace(entry, ours=(wanted,), done=True))


def gates_say_yes(seen: Any, stage: Any, *_: Any) -> None:
    """Ask no gate."""


NEXT_ORDINAL, ORDINAL_REQUEST, SPEC = Ordinal._next, OrdinalWriter.request, OrdinalWriter._spec
PATCH, KEPT, RESTORE = Writer._patch, Writer._kept, Writer._restore
PROMOTE, PIN, NEXT = BlueGreen._promote, steps.pin, Rolling._next
SENT, BEAR, POST_INIT = Rollout._sent, Rollout._bear, Rollout.__post_init__
MEASURE, WORDS, SILENT = Http.measure, record.last_words, steps._silent


@dataclass(frozen=True)
class Mutant:
    """`where` names the scenarios and `faults` the faults among which it has to be caught."""

    what: str
    patches: tuple[Patch, ...]
    where: tuple[str, ...]
    faults: tuple[str, ...] = ("", "killAfter")
    thens: tuple[str, ...] = ("resume", "rollback")


def _of(what: str, *patches: Patch, where: tuple[str, ...], **more: Any) -> Mutant:
    return Mutant(what, patches, where, **more)


BG, ROLL = ("blue-green-release",), ("rolling-release",)
PIN_EVERYWHERE = ((steps, "pin"), (blue_green, "pin"))

GROWS = ("blue-green-grows",)

MUTANTS: dict[str, Mutant] = {
    "unguarded": _of(
        "writes to the Deployment test neither its generation nor our annotation",
        (Writer, "_patch", unguarded),
        where=BG,
        faults=("lockLost",),
    ),
    "no-memory": _of("the memory is not in the patch", (Writer, "_kept", forgetful), where=BG),
    "settings-kept": _of(
        "the user's strategy is not put back", (Writer, "_restore", keeps_our_settings), where=BG
    ),
    "gates-not-asked": _of(
        "the gates before the shift are not asked", (blue_green, "ask", gates_say_yes), where=BG
    ),
    "batches-not-asked": _of(
        "a dark batch is let in unasked", (rolling, "ask_each", gates_say_yes), where=ROLL
    ),
    "unknown-is-yes": _of(
        "a gate without an answer has said yes",
        (Http, "measure", unknown_is_yes),
        where=BG,
        faults=("unavailable",),
    ),
    "old-side-first": _of(
        "the old side is retired before the shift",
        (BlueGreen, "_promote", finishes_before_the_shift),
        where=BG,
    ),
    "keep-old-cut": _of("keepOld is not waited for", (BlueGreen, "_keep", nothing), where=BG),
    "wall-clock": _of(
        "holds are measured by the wall clock",
        (Rollout, "__post_init__", by_the_wall_clock),
        where=BG,
        faults=("clockJumps",),
    ),
    "forgets-a-service": _of(
        "only the first Service is pinned and shifted",
        *((module, name, first_service_only) for module, name in PIN_EVERYWHERE),
        where=("blue-green-two-services",),
    ),
    "autoscaler-left": _of(
        "an autoscaler stays held in the end", (autoscaling, "given_back", nothing), where=GROWS
    ),
    "autoscaler-forgotten": _of(
        "what a dead process left held, no command gives back",
        (releases, "put_back", nothing),
        where=GROWS,
        faults=("killAfter",),
    ),
    "pin-left": _of("the pin stays in the end", (steps, "unpin", nothing), where=BG),
    "valve-left": _of("the valve stays on in the end", (steps, "valve_off", nothing), where=ROLL),
    "labels-left": _of("our labels stay on the pods", (steps, "clean", nothing), where=ROLL),
    "copies-left": _of(
        "copies of the annotation stay on ReplicaSets", (Rollout, "_forget_copies", nothing), where=BG
    ),
    "copies-not-tidied": _of(
        "no other command takes off the copies that a dead process left",
        (steering, "forget_copies", nothing),
        where=BG,
    ),
    "no-drain": _of(
        "old pods are removed the moment they are told to leave", (rolling, "drained", nothing), where=ROLL
    ),
    "rounds-cut": _of(
        "open rounds are not waited for", (steps, "rounds_over", nothing), where=("rolling-rounds",)
    ),
    "words-too-early": _of(
        "a pod has no round though it said so before it lost its traffic",
        (Census, "_believed", believes_early_words),
        where=("rolling-late-rounds",),
    ),
    "silence": _of(
        "a lost answer counts as a silence as long as the wait",
        (steps, "_silent", waiting_counts_as_silence),
        where=("rolling-abort-rounds",),
        faults=("dropBefore",),
    ),
    "capacity": _of(
        "a batch removes one old pod too many", (Rolling, "_next", one_old_pod_fewer), where=ROLL
    ),
    "traffic-not-first": _of(
        "the way back removes the preview while traffic goes there",
        (steps, "_traffic_back", nothing),
        where=("blue-green-rollback-in-keep-old",),
    ),
    "dark-stable": _of(
        "the way back does not bring stable up beside a preview that serves",
        (steps, "_beside", nothing),
        where=("rolling-abort-finishing",),
    ),
    "race-is-done": _of(
        "a 409 counts as written",
        (Rollout, "_sent", lost_race_counts_as_done),
        where=BG,
        faults=("conflict",),
    ),
    "drop-is-done": _of(
        "a call without an answer ends the run as if it were done",
        (Rollout, "_bear", sent_once_counts_as_done),
        where=BG,
        faults=("dropBefore",),
    ),
    "secret-kept": _of(
        "the record keeps templates that hold secrets",
        (record, "_keepable", keeps_every_template),
        where=("blue-green-secret",),
    ),
    "no-end-no-word": _of(
        "a build whose release has no written end may be gone back to",
        (record, "last_words", without_an_end_is_no_word),
        where=("rolling-gate-says-no",),
        faults=("killBefore",),
        thens=("rollback",),
    ),
    "two-holders": _of(
        "the new holder takes before the old one has let go",
        (consuming, "_let_go", nothing),
        where=("blue-green-holder",),
    ),
    "told-is-done": _of(
        "a pod that was told to stop is believed to have stopped",
        (Consumers, "_heeded", told_is_done),
        where=("blue-green-holder",),
        faults=("dropBefore",),
    ),
    "ends-is-over": _of(
        "a pod that was told to go is believed to hold nothing",
        (observe, "ending", lambda *_: []),
        where=("blue-green-rollback-holder",),
        thens=("rollback",),
    ),
    "nobody-told-again": _of(
        "the way back tells no pod of stable",
        *((steps, name, nothing) for name in ("give_back", "taken_back")),
        where=("blue-green-abort-holder",),
    ),
    "fence-not-raised": _of(
        "who takes over does not raise the fence",
        (releases, "raised", same_fence),
        where=("both:blue-green-resume-rollback", "both:blue-green-shifted-resume-abort"),
    ),
    "lock-not-looked-at": _of(
        "no write looks whether the lock is still ours",
        (Lock, "confirm", never_confirms),
        where=("blue-green-resume-after-shift", "both:blue-green-resume-rollback"),
        faults=("lockLost",),
    ),
    "flags-left": _of(
        "the way back leaves the flags",
        (Mover, "turn_back", nothing),
        where=("blue-green-flags-abort",),
    ),
    "flag-before-its-record": _of(
        "a flag is written before the record says so",
        (Mover, "_write", writes_the_flag_first),
        where=("blue-green-flags",),
        faults=("killAfter",),
    ),
    "ordinal-capacity": _of(
        "the partition is lowered by one ordinal too many",
        (Ordinal, "_next", one_ordinal_lower),
        where=("stateful-release",),
    ),
    "ordinal-not-drained": _of(
        "a StatefulSet's pod is made anew the moment it is told to leave",
        (ordinal, "drained", nothing),
        where=("stateful-no-pre-stop",),
    ),
    "ordinals-not-asked": _of(
        "a dark batch of a StatefulSet is let in unasked",
        (rolling, "ask_each", gates_say_yes),
        where=("stateful-release",),
    ),
    "stuck-pod-left": _of(
        "the way back leaves to the controller what never gets ready",
        (Ordinal, "_leave", nothing),
        where=("stateful-never-ready",),
    ),
    "returns-by-partition": _of(
        "the way back lets the controller make the pods anew, by its own order",
        (OrdinalWriter, "request", returns_by_partition),
        where=("stateful-abort",),
    ),
    "ordinal-memory": _of(
        "a write to a StatefulSet says another partition than its memory",
        (OrdinalWriter, "_spec", above_all),
        where=("stateful-release",),
    ),
    "revision-copies-left": _of(
        "copies of the annotation stay on ControllerRevisions",
        (Rollout, "_forget_copies", nothing),
        where=("stateful-release",),
    ),
    "services-not-marked": _of(
        "who takes over does not mark the Services",
        (releases.Run, "_mark", nothing),
        where=("both:blue-green-release-rollback", "both:rolling-release-rollback"),
    ),
}


@contextmanager
def applied(name: str) -> Iterator[None]:
    """Change the product for a while."""
    with ExitStack() as stack:
        for where, attribute, new in MUTANTS[name].patches:
            stack.enter_context(patch.object(where, attribute, new))
        yield


def trials(name: str, seed: int) -> list[str]:
    """Name the runs in which a mutant has to be caught, the likeliest first."""
    mutant = MUTANTS[name]
    chosen: list[str] = []
    for where in mutant.where:
        if where.startswith(interleavings.PREFIX):
            pair = where.removeprefix(interleavings.PREFIX)
            chosen += [str(one) for one in interleavings.whole([pair])]
        else:
            chosen += [str(Trial(where, 0, "", then)) for then in mutant.thens if "" in mutant.faults]
            every = (one for one in matrix.whole(seed, [where]) if one.fault in mutant.faults)
            chosen += [str(one) for one in every if one.then in mutant.thens]
    return chosen
