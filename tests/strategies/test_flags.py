"""Which flags move when, how far one may follow the traffic, and which of them go back."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from strategies.flags import Back, Moves, State, back, foreign, share
from strategies.model import Observed, Pod, Service, Side, Stage

ON, OFF, HALF = State(value=True), State(value=False), State(50, percent=True)
ALL = Moves({"dark": False}, ("slow",), {"new": True}, {"new": False, "old": True})


def seen(stable: int, preview: int, dark: int = 0, down: int = 0) -> Observed:
    """Observe so many serving pods of each side, and of the preview some that are dark or down."""
    old = tuple(Pod(f"s{at}", endpoints=1) for at in range(stable))
    new = (
        *(Pod(f"p{at}", endpoints=1) for at in range(preview)),
        *(Pod(f"d{at}") for at in range(dark)),
        *(Pod(f"x{at}", ready=False, endpoints=1) for at in range(down)),
    )
    return Observed(stable + preview, Side("a", stable, old), Side("b", len(new), new), (Service("wallet"),))


@pytest.mark.parametrize("seed", range(200))
def test_a_flag_that_follows_is_never_ahead_of_the_traffic(seed):
    chance = random.Random(seed)
    stable, preview = chance.randint(0, 40), 0
    for _ in range(50):
        stable = max(0, stable + chance.randint(-3, 3))
        preview = max(0, preview + chance.randint(-4, 5))
        look = seen(stable, preview, chance.randint(0, 3), chance.randint(0, 3))
        state = ALL.due(Stage.DURING, share(look))["slow"]
        followed = state.value if state.percent else 100 * state.value
        real = Fraction(100 * preview, (stable + preview) or 1)
        assert 0 <= followed <= real < followed + 1


def test_without_traffic_the_share_is_nothing():
    assert share(seen(0, 0, dark=4)) == 0


def test_all_traffic_is_a_hundred_per_cent():
    assert share(seen(0, 6)) == 100


def test_each_stage_has_its_moves():
    assert ALL.due(Stage.BEFORE, 0) == {"slow": OFF, "dark": OFF}
    assert ALL.due(Stage.DURING, 33) == {"slow": State(33, percent=True)}
    assert ALL.due(Stage.AFTER, 100) == {"slow": ON, "new": ON}


def test_only_stages_with_moves_are_asked_for_their_sake():
    assert Moves(after={"new": True}).stages == {Stage.AFTER}
    assert Moves(before={"new": True}).stages == {Stage.BEFORE}
    assert Moves(on_rollback={"new": True}).stages == frozenset()
    assert ALL.stages == frozenset(Stage)


def test_every_flag_that_moves_is_named_once():
    assert ALL.keys == ("dark", "slow", "new", "old")


def oracle(now: State, before: State, ours: tuple[State, ...]) -> Back:
    """Say it in other words: we undo what we did, and nothing else."""
    if now == before:
        return Back.NOTHING
    return Back.RESTORE if any(now == one for one in ours) else Back.LEAVE


@pytest.mark.parametrize("now", [ON, OFF, HALF])
@pytest.mark.parametrize("before", [ON, OFF, HALF])
@pytest.mark.parametrize("ours", [(), (ON,), (OFF, ON), (HALF, ON)])
def test_only_what_is_still_ours_goes_back(now, before, ours):
    assert back(now, before, ours) is oracle(now, before, ours)


def test_a_switch_that_the_spec_names_is_thrown_whoever_set_the_flag():
    assert back(HALF, OFF, (ON,), wanted=OFF) is Back.SET
    assert back(OFF, ON, (ON,), wanted=OFF) is Back.NOTHING


def test_what_somebody_else_set_is_told_from_ours():
    assert not foreign(ON, OFF, (ON,))
    assert not foreign(OFF, OFF, ())
    assert foreign(HALF, OFF, (ON,))
    assert foreign(OFF, OFF, (ON,))


def test_a_state_reads_as_people_say_it():
    assert [str(one) for one in (ON, HALF, State("blue"), State(None))] == [
        "true",
        "50%",
        "blue",
        "what its rules say",
    ]
