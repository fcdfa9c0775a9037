"""The laws of both strategies in every state they can reach at small sizes, and the checker's own proof."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strategies import blue_green, consuming, ordinal, rolling, steps
from strategies.blue_green import BlueGreen
from strategies.model import Consumers, Discard, Finish, Hold, Lower
from strategies.ordinal import Ordinal
from strategies.quantities import Amount
from strategies.ranks import Ranks
from strategies.rolling import Rolling
from strategies.simulator import World
from tests.strategies.checker import Broken, Checker

NOTHING = Amount(0)


def check(strategy, size, services=("app",), front="", consumers=None, **others):
    if isinstance(strategy, Ordinal):
        return check_ranks(strategy, size, services, **others)
    dark = isinstance(strategy, Rolling)
    no_room = dark and strategy.surge == NOTHING and size > 1
    others.setdefault("reserve", strategy.batch.of(size) if no_room else 0)
    world = World.at_rest(size, services, preview_service=front).consuming(consumers)
    return Checker(strategy, world, dark=dark, most=size + 1, **others).run()


def check_ranks(strategy, size, services=("app",), *, parallel=False, **others):
    """Check a StatefulSet: of several pods never all are out, and one alone is while it is made anew."""
    out = strategy.batch.of(size + bool(others.get("scalings")))
    world = Ranks.of(size, services, parallel=parallel)
    others.setdefault("reserve", max(1, min(out, size - (not others.get("scalings")))))
    return Checker(strategy, world, dark=True, alone=True, most=size + 1, **others).run()


BATCHES = [(size, batch) for size in (1, 2, 3, 4) for batch in range(1, size + 1)]
SMALL = [(size, batch) for size, batch in BATCHES if size < 3]


@pytest.mark.parametrize(
    "others", [{"crashes": 1}, {"scalings": 2}, {"tamperings": 1}, {"lagging": True}], ids=str
)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_blue_green_keeps_its_laws(size, others):
    assert check(BlueGreen(), size, **others) > 100


@pytest.mark.parametrize(
    "others", [{"crashes": 1}, {"scalings": 1}, {"lagging": True, "crashes": 1}], ids=str
)
def test_blue_green_keeps_its_laws_over_two_services_and_a_person(others):
    assert check(BlueGreen("manual"), 2, ("app", "app-2"), **others) > 100


@pytest.mark.parametrize("size", [1, 2])
def test_blue_green_keeps_its_laws_where_gates_leave_it_to_a_person(size):
    assert check(BlueGreen(), size, doubts=True) > 100


@pytest.mark.parametrize(("size", "batch"), SMALL)
def test_rolling_keeps_its_laws_where_gates_leave_it_to_a_person(size, batch):
    assert check(Rolling(Amount(batch)), size, doubts=True) > 50


def test_rolling_by_ordinals_keeps_its_laws_where_gates_leave_it_to_a_person():
    assert check(Ordinal(Amount(1)), 2, doubts=True) > 50


def test_blue_green_keeps_its_laws_when_scaled_to_nothing():
    assert check(BlueGreen(), 1, scalings=2, least=0) > 100


@pytest.mark.parametrize(
    "others", [{"crashes": 1}, {"scalings": 1}, {"tamperings": 1}, {"lagging": True}], ids=str
)
def test_blue_green_keeps_its_laws_beside_a_preview_service(others):
    assert check(BlueGreen(), 2, front="app-preview", **others) > 100


@pytest.mark.parametrize(
    "others",
    [{"crashes": 1}, {"scalings": 2}, {"tamperings": 1}, {"lagging": True}, {"rounds": True}],
    ids=str,
)
@pytest.mark.parametrize("size", [1, 2])
def test_blue_green_keeps_its_laws_while_it_shakes_off_connections(size, others):
    assert check(BlueGreen(shake_off_after_seconds=1.0), size, **others) > 100


SHARED, ALONE = Consumers(), Consumers(exclusive=True)
TROUBLES = [
    *(
        (ALONE, one)
        for one in ({"crashes": 1}, {"mutes": 1}, {"scalings": 1}, {"tamperings": 1}, {"lagging": True})
    ),
    *((SHARED, one) for one in ({"crashes": 1}, {"mutes": 1})),
]


@pytest.mark.parametrize(("consumers", "others"), TROUBLES, ids=str)
@pytest.mark.parametrize("size", [1, 2])
def test_one_side_consumes_in_blue_green(size, consumers, others):
    assert check(BlueGreen(), size, consumers=consumers, **others) > 100


@pytest.mark.parametrize(("consumers", "others"), TROUBLES, ids=str)
@pytest.mark.parametrize("size", [1, 2])
def test_one_side_consumes_in_rolling(size, consumers, others):
    assert check(Rolling(Amount(1)), size, consumers=consumers, **others) > 50


@pytest.mark.parametrize("consumers", [SHARED, ALONE], ids=str)
def test_one_side_consumes_in_rolling_without_room(consumers):
    assert check(Rolling(Amount(1), NOTHING), 2, consumers=consumers) > 50


@pytest.mark.parametrize(("size", "batch"), BATCHES)
def test_rolling_keeps_its_laws(size, batch):
    assert check(Rolling(Amount(batch)), size) > 50


@pytest.mark.parametrize(("size", "batch"), [one for one in BATCHES if one[0] > 1])
def test_rolling_without_room_keeps_its_laws(size, batch):
    assert check(Rolling(Amount(batch), NOTHING), size) > 50


@pytest.mark.parametrize(
    "others", [{"crashes": 1}, {"scalings": 2}, {"tamperings": 1}, {"lagging": True}], ids=str
)
@pytest.mark.parametrize(("size", "batch"), SMALL)
def test_rolling_keeps_its_laws_whatever_others_do(size, batch, others):
    assert check(Rolling(Amount(batch)), size, **others) > 100


@pytest.mark.parametrize("others", [{"crashes": 1}, {"scalings": 1}], ids=str)
@pytest.mark.parametrize("batch", [1, 2])
def test_rolling_without_room_keeps_its_laws_whatever_others_do(batch, others):
    assert check(Rolling(Amount(batch), NOTHING), 3, **others) > 100


@pytest.mark.parametrize("batch", [1, 2])
def test_rolling_without_room_keeps_some_endpoints_when_somebody_writes_over_the_hold(batch):
    """A foreign strategy may add a dark pod where none was to be; putting the hold back may cost one that serves."""
    assert check(Rolling(Amount(batch), NOTHING), 3, tamperings=1, reserve=2) > 100


@pytest.mark.parametrize("others", [{"crashes": 1}, {"lagging": True}], ids=str)
def test_rolling_keeps_its_laws_over_two_services(others):
    assert check(Rolling(Amount(1)), 2, ("app", "app-2"), **others) > 100


def test_rolling_keeps_its_laws_while_endpoints_lag_and_a_pod_dies():
    assert check(Rolling(Amount(2)), 2, lagging=True, crashes=1) > 100


def test_rolling_keeps_its_laws_over_two_services_that_somebody_scales():
    assert check(Rolling(Amount(1)), 1, ("app", "app-2"), scalings=1) > 100


def test_rolling_keeps_its_laws_when_scaled_to_nothing():
    assert check(Rolling(Amount(1)), 1, scalings=2, least=0) > 100


ORDINALS = [(size, batch) for size in (1, 2, 3, 4, 5) for batch in range(1, size + 1)]
BRIEF = [one for one in ORDINALS if one[0] < 4]


@pytest.mark.parametrize("parallel", [False, True], ids=["ordered", "parallel"])
@pytest.mark.parametrize(("size", "batch"), ORDINALS)
def test_a_stateful_set_keeps_the_laws(size, batch, parallel):
    assert check(Ordinal(Amount(batch), NOTHING), size, parallel=parallel) > 100


@pytest.mark.parametrize("parallel", [False, True], ids=["ordered", "parallel"])
@pytest.mark.parametrize("others", [{"crashes": 1}, {"lagging": True}, {"scalings": 1}], ids=str)
@pytest.mark.parametrize(("size", "batch"), BRIEF)
def test_a_stateful_set_keeps_the_laws_whatever_others_do(size, batch, others, parallel):
    assert check(Ordinal(Amount(batch), NOTHING), size, parallel=parallel, **others) > 100


@pytest.mark.parametrize("others", [{}, {"crashes": 1}, {"lagging": True}], ids=str)
def test_a_stateful_set_keeps_the_laws_over_two_services(others):
    assert check(Ordinal(Amount(1), NOTHING), 2, ("app", "app-2"), **others) > 100


def test_a_stateful_set_keeps_the_laws_while_endpoints_lag_and_a_pod_dies():
    assert check(Ordinal(Amount(1), NOTHING), 2, lagging=True, crashes=1) > 100


def test_a_stateful_set_that_is_scaled_to_one_pod_turns_round_rather_than_be_down():
    assert check(Ordinal(Amount(1)), 2, scalings=1) > 100


def test_a_stateful_set_keeps_the_laws_when_scaled_to_nothing():
    assert check(Ordinal(Amount(1), NOTHING), 1, scalings=2, least=0) > 100


@pytest.mark.parametrize(
    "strategy",
    [BlueGreen(), Rolling(Amount(1)), Rolling(Amount(2)), Ordinal(Amount(1), NOTHING)],
    ids=str,
)
@pytest.mark.parametrize("size", [1, 2])
def test_no_open_round_is_cut(strategy, size):
    """Neither on the way forward nor on the way back, wherever an abort begins and whoever goes on."""
    assert check(strategy, size, rounds=True) > 100


NONE = lambda *_, **__: None  # noqa: E731 - a step that asks for nothing


def removing_without_detaching(self, seen):
    return None


def all_at_once(self, seen):
    return Hold(0, seen.replicas)


def full_hold(self, seen):
    step = ADVANCE(self, seen)
    return replace(step, stable=0, preview=seen.replicas) if isinstance(step, Hold) else step


def pins_the_other(seen, revision):
    other = seen.stable.revision if revision == seen.preview.revision else seen.preview.revision
    return PIN(seen, other if revision else "")


def finishes_before_the_gates(self, seen):
    return Finish() if seen.shifted else PROMOTE(self, seen)


def forgets_the_other_services(seen, revision):
    first = seen.services[:1]
    return PIN(replace(seen, services=first), revision)


def back_without_traffic(seen):
    return steps.Return() if not seen.returned else GO_BACK(seen)


def leaves_the_pin(seen):
    return steps.valve_off(seen) or steps.clean(seen)


def never_turns(seen):
    return steps.Wait("ready", "pods", 600.0)


def holds_again(seen, size, phase):
    return Hold(seen.replicas, size, phase, proportional=True) if seen.paused else BRING_UP(seen, size, phase)


def gates_do_not_matter(seen, stage, about, pods):
    step = ASK(seen, stage, about, pods)
    return None if isinstance(step, steps.Turn) else step


def lets_the_mute_be(seen, wanted):
    return consuming._stop(seen.stable.pods, wanted.seconds)


def gives_back_at_once(seen):
    return consuming._begin(seen.stable.ready)


def detaches_one_too_many(self, seen):
    return min(len(seen.stable.pods), EXCESS(self, seen) + 1)


def lowers_by_one_more(self, seen):
    return Lower(max(0, LOWER(self, seen).partition - 1))


def the_lowest_go_first(self, seen):
    return tuple(sorted(seen.stable.pods, key=lambda pod: pod.ordinal))[:1]


def shakes_all(seen):
    """Restart the next old pod without waiting for the last one."""
    return next((Discard(pod.name) for pod in seen.stable.pods if pod.connected), None)


def in_phase(phase):
    return lambda seen: phase


LOWER = Ordinal._next
ADVANCE, EXCESS = Rolling._advance, Rolling._excess
PROMOTE, BRING_UP = BlueGreen._promote, blue_green._bring_up
VALVE_OFF = lambda seen: steps.valve(seen, on=False)  # noqa: E731
PIN, ASK, GO_BACK = steps.pin, steps.ask, steps.go_back
ONE, TWO, LAG = {"size": 2}, {"size": 2, "services": ("app", "app-2")}, {"size": 2, "lagging": True}
FRONT = {"size": 2, "front": "app-preview"}
CRASH, SCALE = {"size": 2, "crashes": 1}, {"size": 2, "scalings": 2}
PLAY = {"size": 2, "rounds": True}
EVENTS = {"size": 2, "consumers": Consumers(exclusive=True)}
SHAKE = BlueGreen(shake_off_after_seconds=1.0)
SIDES, ROLL, TIGHT = BlueGreen(), Rolling(Amount(1)), Rolling(Amount(1), NOTHING)
RANKS, THREE = Ordinal(Amount(1), NOTHING), {"size": 3}

MUTANTS = {
    "the pins are swapped": (SIDES, ONE, [(blue_green, "pin", pins_the_other)], "I1"),
    "nothing is pinned": (SIDES, ONE, [(blue_green, "pin", NONE)], "I3"),
    "only the first Service is pinned": (SIDES, TWO, [(blue_green, "pin", forgets_the_other_services)], "I3"),
    "the gates before are not asked": (SIDES, ONE, [(blue_green, "ask", NONE)], "I3"),
    "the endpoints are not awaited": (
        SIDES,
        LAG,
        [(blue_green, "carried", NONE), (blue_green, "drained", NONE)],
        "I7|I1|I2",
    ),
    "the shift is not checked to stand": (SIDES, TWO | CRASH, [(blue_green, "_standing", NONE)], "I1|I2"),
    "the old side goes before the gates after": (
        SIDES,
        ONE,
        [(BlueGreen, "_promote", finishes_before_the_gates)],
        "I7",
    ),
    "the way back forgets the traffic": (
        SIDES,
        ONE,
        [(blue_green, "go_back", back_without_traffic)],
        "I1|I2",
    ),
    "the pin stays": (SIDES, ONE, [(steps, "_hands_off", leaves_the_pin)], "I6"),
    "Services widen at once": (SIDES, ONE, [(steps, "_widened", lambda seen, step: step)], "I12"),
    "the valve comes off at once": (ROLL, ONE, [(rolling, "valve_off", VALVE_OFF)], "I12"),
    "rounds are not awaited": (SIDES, PLAY, [(steps, "rounds_over", NONE)], "R"),
    "rounds of a batch are not awaited": (ROLL, PLAY, [(steps, "rounds_over", NONE)], "R"),
    "the way back cuts rounds": (ROLL, PLAY, [(steps, "_rounds_back", NONE)], "R"),
    "the preview is not detached on the way back": (ROLL, PLAY, [(steps, "_detach_preview", NONE)], "R"),
    "a Service that would lose all endpoints is moved": (
        SIDES,
        TWO | {"tamperings": 1},
        [(blue_green, "seen_by_all", NONE), (steps, "seen_by_all", NONE)],
        "I1|I2",
    ),
    "the preview Service stays": (SIDES, FRONT, [(steps, "put_away", NONE)], "I6"),
    "the preview Service comes late": (SIDES, FRONT, [(blue_green, "show", NONE)], "P"),
    "the old side is shaken all at once": (SHAKE, ONE, [(blue_green, "shake_off", shakes_all)], "I7"),
    "the old side is shaken before the gates after": (
        SHAKE,
        ONE,
        [(blue_green, "carried", lambda seen, *_: SHAKE._shake_off(seen))],
        "I7",
    ),
    "rounds are shaken off": (SHAKE, PLAY, [(blue_green, "shake_off", shakes_all)], "R|I7"),
    "the labels stay": (ROLL, ONE, [(steps, "clean", NONE)], "I6"),
    "the hold is written for ever": (SIDES, ONE, [(blue_green, "_bring_up", holds_again)], "a loop"),
    "a no is not heard": (SIDES, ONE, [(blue_green, "ask", gates_do_not_matter)], "I3|I7"),
    "an uneven end is not mended": (SIDES, SCALE, [(steps, "_exact", NONE)], "a loop"),
    "the deadline does not turn": (SIDES, ONE, [(steps, "Turn", lambda _: steps.Wait("x", "x"))], "a loop"),
    "the valve stays off": (ROLL, ONE, [(rolling, "valve_on", NONE)], "a loop|I3|I7"),
    "the first batch is not kept out": (ROLL, ONE, [(Rolling, "_narrowed", NONE)], "I3"),
    "the labels are not given first": (ROLL, ONE, [(rolling, "_dark", lambda _: ())], "a loop|I1|I2|I3|I11"),
    "dark pods are let in unasked": (ROLL, ONE, [(rolling, "ask_each", NONE)], "I3"),
    "nothing is detached": (ROLL, ONE, [(Rolling, "_detach", removing_without_detaching)], "I7"),
    "one too many is detached": (ROLL, ONE, [(Rolling, "_excess", detaches_one_too_many)], "I1|I2"),
    "the detached are not awaited": (ROLL, LAG, [(rolling, "drained", NONE)], "I7"),
    "all is held at once": (ROLL, ONE, [(Rolling, "_advance", full_hold)], "I7|I2|I1"),
    "the batch is not asked again after it is in": (ROLL, ONE, [(Rolling, "_ask_admitted", NONE)], "I11"),
    "newborn pods of the old side stay dark": (
        TIGHT,
        CRASH,
        [(rolling, "admit_newborn", NONE), (steps, "_readmit", NONE)],
        "I2|I1|a loop",
    ),
    "the batch is not awaited": (ROLL, ONE, [(rolling, "_arrived", NONE)], "P"),
    "a StatefulSet's batch is larger than what was detached": (
        RANKS,
        THREE,
        [(Ordinal, "_next", lowers_by_one_more)],
        "I7|I2",
    ),
    "a StatefulSet's lowest ordinal is detached first": (
        RANKS,
        THREE,
        [(Ordinal, "_going", the_lowest_go_first)],
        "I7|I2|I1",
    ),
    "the pods that stay are not counted": (RANKS, CRASH, [(ordinal, "_carried", NONE)], "I1|I2"),
    "a StatefulSet's detached are not awaited": (RANKS, LAG, [(ordinal, "drained", NONE)], "I7|I1|I2"),
    "the way back of a StatefulSet needs no valve": (
        RANKS,
        ONE,
        [(ordinal, "_valve_on", NONE)],
        "I7|a loop|no end",
    ),
    "the way back of a StatefulSet takes all out": (
        RANKS,
        ONE,
        [(Ordinal, "_batch", lambda _, seen: seen.replicas)],
        "I1|I2",
    ),
    "a StatefulSet is left before it is whole": (RANKS, ONE, [(ordinal, "_whole", NONE)], "I1|I2|I3|I6"),
    "a StatefulSet keeps our labels": (RANKS, ONE, [(ordinal, "clean", NONE)], "I6"),
    "dark pods of a StatefulSet are let in unasked": (RANKS, ONE, [(rolling, "ask_each", NONE)], "I3"),
    "the preview consumes before stable has stopped": (SIDES, EVENTS, [(consuming, "_let_go", NONE)], "C"),
    "a mute pod of stable is taken for one that has stopped": (
        ROLL,
        {**EVENTS, "mutes": 1},
        [(consuming, "_let_go", lets_the_mute_be)],
        "C",
    ),
    "the preview is told with the first batch": (
        ROLL,
        EVENTS,
        [(rolling, "_consumers", consuming.go_over)],
        "C",
    ),
    "the preview is told before the shift": (SIDES, EVENTS, [(blue_green, "keep", consuming.go_over)], "C"),
    "stable takes back what a mute preview may hold": (
        SIDES,
        {**EVENTS, "mutes": 1},
        [(consuming, "_holding", lambda _: ()), (steps, "give_back", gives_back_at_once)],
        "C",
    ),
    "nobody tells stable again": (
        SIDES,
        EVENTS,
        [(steps, "give_back", NONE), (steps, "taken_back", NONE)],
        "C",
    ),
    "nobody tells the last newborn": (SIDES, {**EVENTS, "crashes": 1}, [(steps, "finished", NONE)], "C"),
    "the way back leaves pods dark": (ROLL, ONE, [(steps, "_readmit", NONE)], "I1|I2|a loop|no end"),
}


@pytest.mark.parametrize(("strategy", "world", "changes", "law"), MUTANTS.values(), ids=MUTANTS)
def test_the_checker_catches(strategy, world, changes, law, monkeypatch):
    for where, name, instead in changes:
        monkeypatch.setattr(where, name, instead)
    with pytest.raises(Broken, match=rf"^({law})"):
        check(strategy, **world)
