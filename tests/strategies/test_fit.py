"""What --fit makes of a strategy: its walk takes at most as many pods more as fit, wherever it can choose."""

from __future__ import annotations

import pytest

from strategies.blue_green import BlueGreen
from strategies.fit import smaller
from strategies.model import Hold, Outcome, Phase, Strategy
from strategies.ordinal import Ordinal
from strategies.quantities import Amount
from strategies.rolling import Rolling
from strategies.simulator import World
from strategies.walk import walk

SIZES = range(1, 14)


def peak(strategy: Strategy, size: int) -> int:
    taken = walk(strategy, World.at_rest(size))
    assert taken[-1].step.outcome is Outcome.PROMOTED
    return max(one.extra_pods for one in taken)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("surge", [None, Amount(0), Amount(100, percent=True), Amount(3)])
def test_a_rolling_release_takes_no_more_than_fits_and_ends(size: int, surge: Amount | None) -> None:
    whole = Rolling(Amount(100, percent=True), surge, bake_seconds=0)
    for fits in range(1, size + 1):
        one = smaller(whole, size, fits)
        assert one is not None
        assert peak(one, size) <= fits


@pytest.mark.parametrize("size", [*SIZES, 150, 300])
def test_a_preview_that_waits_takes_no_more_than_fits(size: int) -> None:
    for fits in range(1, min(size, 12)):
        one = smaller(BlueGreen(keep_old_seconds=0), size, fits)
        waits = [each.step for each in walk(one, World.at_rest(size)) if _waits(each.step)] if one else []
        assert all(each.preview <= fits for each in waits)


def _waits(step: object) -> bool:
    return isinstance(step, Hold) and step.phase is Phase.TRYING


def test_what_fits_is_said_as_a_spec_says_it() -> None:
    half = Amount(50, percent=True)
    assert smaller(Rolling(half), 6, 2) == Rolling(Amount(2))
    assert smaller(Rolling(half, Amount(3)), 6, 2) == Rolling(Amount(2), Amount(2))
    assert smaller(Ordinal(half), 6, 2) == Ordinal(Amount(2))
    assert smaller(BlueGreen(), 6, 2) == BlueGreen(preview_replicas=Amount(2))


def test_where_nothing_fits_nothing_is_smaller() -> None:
    assert smaller(Rolling(), 6, 0) is None
    assert smaller(BlueGreen(), 6, 0) is None
    assert smaller(BlueGreen(), 300, 1) is None  # a percentage states no fewer than 3 of 300


def test_a_strategy_of_somebody_else_s_is_left_as_it_is() -> None:
    class Theirs:
        decide = BlueGreen().decide

    assert smaller(Theirs(), 6, 3) is None
