"""The preview is compared with stable, and little traffic cannot pass by luck."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from strategies.analysis import Answer
from strategies.comparison import Share, Tolerance, deviations, difference, ratio

HALF_A_PERCENT = Tolerance(difference=0.005)


@pytest.mark.parametrize(
    ("preview", "stable", "answer"),
    [
        ((0, 10), (0, 1000), Answer.UNKNOWN),
        ((0, 2000), (0, 2000), Answer.PASS),
        ((2, 5000), (2, 5000), Answer.PASS),
        ((200, 1000), (2, 1000), Answer.FAIL),
        ((1, 10), (20, 1000), Answer.UNKNOWN),
        ((9, 1000), (0, 1000), Answer.UNKNOWN),
        ((0, 100000), (5000, 100000), Answer.PASS),
    ],
)
def test_a_difference_counts_once_there_is_traffic_to_tell(preview, stable, answer):
    assert HALF_A_PERCENT.compare(Share(*preview), Share(*stable)).answer is answer


@pytest.mark.parametrize(
    ("preview", "stable", "answer"),
    [((1100, 10000), (1000, 10000), Answer.PASS), ((4000, 10000), (1000, 10000), Answer.FAIL)],
)
def test_a_ratio_tolerates_what_is_as_bad_as_before(preview, stable, answer):
    tolerance = Tolerance(difference=0.005, ratio=1.5)
    assert tolerance.compare(Share(*preview), Share(*stable)).answer is answer


@pytest.mark.parametrize(("preview", "stable"), [((0, 0), (1, 9)), ((1, 9), (0, 0))])
def test_a_side_without_traffic_is_no_data(preview, stable):
    one = HALF_A_PERCENT.compare(Share(*preview), Share(*stable))
    assert (one.answer, one.empty) == (Answer.UNKNOWN, True)


@pytest.mark.parametrize("bad", [-1.0, 11.0, math.nan])
def test_what_is_no_share_of_a_whole_is_unknown(bad):
    assert HALF_A_PERCENT.compare(Share(bad, 10), Share(0, 10)).answer is Answer.UNKNOWN


def test_the_evidence_names_both_sides_the_bound_and_the_limit():
    told = HALF_A_PERCENT.compare(Share(200, 1000), Share(2, 1000)).evidence
    assert told.startswith("preview 200 of 1000 (20.00%), stable 2 of 1000 (0.20%): worse by +17.7")
    assert told.endswith("at 95%, at most +0.50%")


def test_a_confidence_in_standard_deviations():
    assert [round(deviations(one), 3) for one in (0.5, 0.95, 0.99)] == [0.0, 1.645, 2.326]


counts = some.integers(1, 5000).flatmap(
    lambda size: some.builds(Share, some.integers(0, size), some.just(size))
)


@given(counts, counts)
def test_the_bounds_lie_around_what_was_measured(preview, stable):
    low, high = difference(preview, stable, 0.95)
    assert low - 1e-9 <= preview.rate - stable.rate <= high + 1e-9
    below, above = ratio(preview, stable, 0.95)
    assert 0 < below <= above


@given(counts, counts, some.sampled_from([2, 10, 50]))
def test_more_traffic_of_the_same_kind_never_widens_the_bounds(preview, stable, times):
    def width(factor):
        sides = (Share(one.bad * factor, one.all * factor) for one in (preview, stable))
        low, high = difference(*sides, 0.95)
        return high - low

    assert width(times) <= width(1) + 1e-9


@settings(deadline=None, max_examples=20)
@given(some.integers(0, 10**6), some.sampled_from([0.001, 0.01, 0.1]), some.sampled_from([5, 50, 500]))
def test_a_preview_that_is_worse_by_far_seldom_passes_by_luck(seed, rate, size):
    """The dumb oracle: throw the dice. What is worse by twice the tolerance passes in few of many draws."""
    dice, tolerance = random.Random(seed), Tolerance(difference=rate)
    passed = 0
    for _ in range(100):
        preview = Share(sum(dice.random() < 3 * rate for _ in range(size)), size)
        stable = Share(rate * 100_000, 100_000)
        passed += tolerance.compare(preview, stable).answer is Answer.PASS
    assert passed <= 15
