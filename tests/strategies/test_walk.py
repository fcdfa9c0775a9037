"""What a plan says of a walk: its steps, their seconds, their pods, their writes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest

from strategies.blue_green import BlueGreen
from strategies.model import Arm, Ask, Finish, Phase, Restore, Stage, Stand, Wait, Wish
from strategies.quantities import Amount
from strategies.rolling import Rolling
from strategies.simulator import World
from strategies.walk import Pace, walk

ASKED = Pace(
    ready_seconds=20.0,
    deadline_seconds=300.0,
    drain_seconds=600.0,
    gates={Stage.BEFORE: (2.0, 30.0), Stage.AFTER: (60.0, 90.0)},
)


def test_blue_green_takes_what_its_gates_and_its_waits_take():
    plan = walk(BlueGreen(keep_old_seconds=100.0), World.at_rest(6), ASKED)
    assert sum(step.expected_seconds for step in plan) == 20 + 2 + 20 + 60 + 100 + 2 + 2
    assert sum(step.worst_seconds for step in plan) == 300 + 30 + 300 + 90 + 100 + 602 + 2


def test_blue_green_needs_twice_the_pods():
    assert max(step.extra_pods for step in walk(BlueGreen(), World.at_rest(6))) == 6


def test_rolling_needs_a_batch_more():
    assert max(step.extra_pods for step in walk(Rolling(Amount(2)), World.at_rest(6))) == 2


def test_rolling_without_room_needs_none():
    assert max(step.extra_pods for step in walk(Rolling(Amount(2), Amount(0)), World.at_rest(6))) == 0


def test_a_walk_counts_its_writes_by_kind():
    plan = walk(BlueGreen(), World.at_rest(3, ("wallet", "wallet-internal")))
    assert Counter(step.writes for step in plan if step.writes) == {"deployment": 7, "service": 6}


def test_rolling_writes_to_every_pod_it_lets_in_or_takes_out():
    plan = walk(Rolling(Amount(1)), World.at_rest(1))
    assert Counter(step.writes for step in plan)["pod"] == len(
        ["admit the old", "admit the new", "detach the old", "clean the new"]
    )


def test_a_walk_without_gates_asks_nothing():
    assert not [step for step in walk(Rolling(), World.at_rest(4)) if isinstance(step.step, Ask)]


def test_a_walk_ends_where_a_person_must_act():
    assert isinstance(walk(BlueGreen("manual"), World.at_rest(3))[-1].step, Stand)


def test_a_walk_goes_on_where_the_person_has_acted_already():
    plan = walk(BlueGreen("manual"), World.at_rest(3), wish=Wish.PROMOTE)
    assert isinstance(plan[-1].step, Restore)


def test_a_preview_that_outlasts_its_endpoints_needs_no_spread():
    plan = walk(BlueGreen(keep_old_seconds=0.0), World.at_rest(3, lingers=True))
    assert not [step for step in plan if isinstance(step.step, Wait) and "spread" in step.step.key]


@dataclass(frozen=True)
class Waiting:
    def decide(self, seen):
        return Wait("a person", "somebody to come")


def test_a_walk_ends_at_a_wait_that_nothing_foreseen_can_end():
    assert len(walk(Waiting(), World.at_rest(1))) == 1


def test_arming_lets_kubernetes_retire_the_old_side():
    """The walk of `release --wait promoted`: what is armed in the simulator has come due at once."""
    world = World.at_rest(2)
    for planned in walk(BlueGreen(), world):
        if isinstance(planned.step, Finish):
            break
        world = world if isinstance(planned.step, Wait | Ask) else world.apply(planned.step)
        world = world.controllers().come().controllers().published()
    armed = world.apply(Arm(300.0)).controllers()
    assert (world.stable.desired, armed.stable.desired, armed.phase) == (2, 0, Phase.PROMOTING)


@pytest.mark.parametrize("strategy", [BlueGreen(), Rolling()], ids=["blueGreen", "rolling"])
def test_a_release_of_nothing_turns_round_at_once(strategy):
    plan = walk(strategy, World.at_rest(0))
    assert [type(step.step).__name__ for step in plan] == ["Begin", "Turn", "Return", "Restore"]
