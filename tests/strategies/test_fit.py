"""What --fit makes of a strategy: its walk takes at most as many pods more as fit, wherever it can choose."""

from __future__ import annotations

import pytest

from strategies.blue_green import BlueGreen
from strategies.fit import need, smaller
from strategies.model import Hold, Phase
from strategies.ordinal import Ordinal
from strategies.quantities import Amount
from strategies.rolling import Rolling
from strategies.room import Need, Quota, Room
from strategies.simulator import World
from strategies.walk import walk

SIZES = range(1, 14)


def test_a_quota_counts_pods_that_go_until_they_are_gone() -> None:
    """6 old and 2 new, then 4 old and 4 new: while 2 old ones end and 2 new ones come there are 10."""
    assert need(walk(Rolling(Amount(2)), World.at_rest(6)), 6) == Need(2, 4)
    assert need(walk(Rolling(Amount(2), Amount(0)), World.at_rest(6)), 6) == Need(0, 2)
    assert need(walk(BlueGreen(), World.at_rest(6)), 6) == Need(6, 6)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("surge", [None, Amount(100, percent=True), Amount(3)])
def test_a_rolling_release_takes_no_more_than_fits_and_ends(size: int, surge: Amount | None) -> None:
    whole = Rolling(Amount(100, percent=True), surge, bake_seconds=0)
    for fits in range(1, size + 1):
        room = Room(fits, (Quota("q", "pods", "9", 2 * fits),))
        one = smaller(whole, size, room)
        assert one is not None
        needs = need(walk(one, World.at_rest(size)), size)
        assert needs.places <= fits
        assert needs.counted <= 2 * fits


@pytest.mark.parametrize("size", [*SIZES, 150, 300])
def test_a_preview_that_waits_takes_no_more_than_fits(size: int) -> None:
    for fits in range(1, min(size, 12)):
        one = smaller(BlueGreen(keep_old_seconds=0), size, Room(fits))
        waits = [each.step for each in walk(one, World.at_rest(size)) if _waits(each.step)] if one else []
        assert all(each.preview <= fits for each in waits)


def _waits(step: object) -> bool:
    return isinstance(step, Hold) and step.phase is Phase.TRYING


def test_what_fits_is_said_as_a_spec_says_it() -> None:
    half = Amount(50, percent=True)
    assert smaller(Rolling(half), 6, Room(2)) == Rolling(Amount(2))
    assert smaller(Rolling(half, Amount(3)), 6, Room(2)) == Rolling(Amount(2), Amount(2))
    assert smaller(Ordinal(half), 6, Room(2)) == Ordinal(Amount(2))
    assert smaller(BlueGreen(), 6, Room(2)) == BlueGreen(preview_replicas=Amount(2))


def test_where_nothing_fits_nothing_is_smaller() -> None:
    assert smaller(Rolling(), 6, Room(0)) is None
    assert smaller(Rolling(), 6, Room(9, (Quota("q", "pods", "7", 1),))) is None
    assert smaller(Rolling(), 6, Room()) is None
    assert smaller(BlueGreen(), 6, Room(0)) is None
    assert smaller(BlueGreen(), 300, Room(1)) is None  # a percentage states no fewer than 3 of 300


def test_a_batch_that_makes_its_own_room_is_counted_once() -> None:
    one = smaller(Rolling(Amount(3), Amount(0)), 6, Room(9, (Quota("q", "pods", "8", 2),)))
    assert one == Rolling(Amount(2), Amount(0))
    assert need(walk(one, World.at_rest(6)), 6) == Need(0, 2)


def test_a_strategy_of_somebody_else_s_is_left_as_it_is() -> None:
    class Theirs:
        decide = BlueGreen().decide

    assert smaller(Theirs(), 6, Room(3)) is None
