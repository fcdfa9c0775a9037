"""The sums over pods, each beside a dumb way to reach the same number."""

from __future__ import annotations

from fractions import Fraction

import pytest

from strategies.blue_green import BlueGreen
from strategies.model import Begin, Hold, Pause, Side
from strategies.quantities import Amount
from strategies.rolling import Rolling
from strategies.simulator import Settings, World, settings_of

SIZES = range(1, 13)


def held(world: World, hold: Hold) -> World:
    return world.apply(Begin()).controllers().apply(hold).controllers().come().apply(Pause()).controllers()


def sizes(world: World) -> tuple[int, int]:
    return world.stable.desired, world.preview.desired


@pytest.mark.parametrize(("size", "new"), [(n, m) for n in SIZES for m in range(1, n + 1)])
def test_a_hold_partitions_exactly(size, new):
    wanted = [(old, new) for old in range(size + 1) if size <= old + new <= 2 * size]
    found = [sizes(held(World.at_rest(size), Hold(old, new))) for old, _ in wanted]
    assert found == wanted


@pytest.mark.parametrize("size", range(1, 301))
def test_a_waiting_preview_reaches_its_size_and_stays_under_the_full_one(size):
    wanted = {BlueGreen(preview_replicas=Amount(count)).waiting_size(size) for count in range(1, size + 1)}
    stated = {settings_of(Hold(size, one, proportional=True), size, size).surge for one in wanted}
    reached = {min(size, -(-size * amount.value // 100)) for amount in stated}
    assert reached == wanted
    assert max(wanted) <= max(1, size - 1)
    assert 0 not in {amount.value for amount in stated}


@pytest.mark.parametrize("size", range(1, 301))
def test_a_full_preview_is_a_hundred_per_cent(size):
    assert settings_of(Hold(size, size, proportional=True), size, size).surge == Amount(100, percent=True)


@pytest.mark.parametrize("size", range(1, 41))
@pytest.mark.parametrize("share", [1, 10, 25, 33, 50, 99, 100])
def test_percentages_round_as_kubernetes_rounds_them(size, share):
    amount = Amount(share, percent=True)
    exact = Fraction(size * share, 100)
    least = next(pods for pods in range(size + 1) if pods >= exact)
    most = next(pods for pods in range(size, -1, -1) if pods <= exact)
    assert Settings(unavailable=amount, surge=amount).room(size) == (most, least)


@pytest.mark.parametrize(
    ("start", "held_at", "scaled_to", "old_and_new"),
    [  # measured on Kubernetes 1.35, held with (maxUnavailable 5, maxSurge 0), then in per cent, then paused
        (10, Hold(5, 5), (15,), (7, 8)),
        (10, Hold(5, 5), (15, 10), (5, 5)),
        (10, Hold(7, 4), (12,), (8, 5)),
        (10, Hold(7, 4), (12, 10), (7, 4)),
        (10, Hold(7, 4), (12, 10, 5), (4, 2)),
        (10, Hold(7, 4), (12, 10, 5, 3), (3, 1)),
        (10, Hold(7, 4), (12, 10, 5, 3, 10), (8, 3)),
        (6, Hold(6, 6, proportional=True), (8,), (8, 8)),
        (6, Hold(6, 6, proportional=True), (8, 6, 3), (3, 3)),
        (6, Hold(6, 6, proportional=True), (8, 6, 3, 6), (6, 6)),
        (4, Hold(3, 3), (0,), (0, 0)),
        (4, Hold(3, 3), (0, 4), (0, 4)),
    ],
)
def test_a_paused_hold_is_scaled_as_the_real_controller_scales_it(start, held_at, scaled_to, old_and_new):
    world = held(World.at_rest(start), held_at)
    for size in scaled_to:
        world = world.scale(size).controllers()
    assert sizes(world) == old_and_new


@pytest.mark.parametrize(
    ("start", "held_at", "scaled_to", "old_and_new"),
    [
        (10, Hold(5, 5), (15,), (7, 8)),
        (10, Hold(5, 5), (15, 10), (5, 5)),
        (10, Hold(5, 5), (15, 10, 6), (1, 5)),
        (10, Hold(5, 5), (15, 10, 6, 4), (0, 4)),
        (10, Hold(7, 3), (12,), (8, 4)),
        (10, Hold(7, 3), (12, 10), (7, 3)),
        (10, Hold(7, 3), (12, 10, 5), (2, 3)),
        (10, Hold(7, 3), (12, 10, 5, 3), (0, 3)),
        (6, Hold(6, 6), (8,), (7, 7)),
    ],
)
def test_a_running_hold_is_scaled_as_the_real_controller_scales_it(start, held_at, scaled_to, old_and_new):
    world = World.at_rest(start).apply(held_at).controllers()
    for size in scaled_to:
        world = world.scale(size).controllers()
    assert sizes(world) == old_and_new


def test_pausing_with_more_surge_than_room_grows_the_preview():
    """Measured: (5, 2) of 6, then paused, made the new side 7."""
    world = held(World.at_rest(6), Hold(1, 7))
    assert sizes(world) == (1, 7)


@pytest.mark.parametrize("size", range(2, 31))
@pytest.mark.parametrize("share", [Amount(1), Amount(3), Amount(25, percent=True), Amount(100, percent=True)])
def test_without_room_to_surge_a_pod_stays_that_serves(size, share):
    rolling = Rolling(batch=share, surge=Amount(0))
    seen = World.at_rest(size).apply(Begin()).controllers().observe()
    assert 1 <= rolling._excess(seen) == rolling._step(seen) < size


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("batch", range(1, 13))
@pytest.mark.parametrize("surge", [None, Amount(1), Amount(0)])
def test_a_hold_never_asks_for_fewer_pods_than_the_size_nor_for_a_negative_surge(size, batch, surge):
    """Whatever somebody's scaling left: any split, also one that is short."""
    rolling = Rolling(Amount(batch), surge)
    splits = [(old, new) for old in range(size + 3) for new in range(size)]
    looks = [
        World(size, Side("stable", old), Side("preview", new)).observe(gated=frozenset())
        for old, new in splits
    ]
    holds = [rolling._advance(look) for look in looks]
    short = [
        (split, hold)
        for split, hold in zip(splits, holds, strict=True)
        if not isinstance(hold, Hold) or hold.stable + hold.preview < size or hold.preview > size
    ]
    assert short == []
