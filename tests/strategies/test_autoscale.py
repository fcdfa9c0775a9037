"""The sums of a HorizontalPodAutoscaler: the documentation's own examples, the controller's own cases, a dumb oracle.

https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import count

import pytest

from strategies.autoscale import (
    DOWN,
    UP,
    History,
    Metric,
    Now,
    Pod,
    Policy,
    Rate,
    Rules,
    Target,
    bounded,
    floor,
    limited,
    remembered,
    stabilized,
    undiluted,
    wanted,
)

CPU = Metric("cpu", Target.AVERAGE, 100, cpu=True)
SHARE = Metric("cpu", Target.UTILIZATION, 50, cpu=True)
FREE = Rules(0.0, "Max", (Rate(100_000, 15.0, percent=True),))


def policy(metric: Metric = CPU, least: int = 1, most: int = 1000, **more: object) -> Policy:
    return replace(Policy(least, most, (metric,), FREE, Rules(0.0, "Max", DOWN.rates)), **more)  # type: ignore[arg-type]


def using(*amounts: int | None, cold: int = 0, requests: int = 1000) -> tuple[Pod, ...]:
    """Give pods that use so much, None that says nothing; the first `cold` are not ready yet."""
    return tuple(
        Pod(
            f"pod-{at}",
            {} if amount is None else {"cpu": amount},
            {"cpu": requests},
            ready=at >= cold,
            started=0.0 if at < cold else -1e9,
            changed=0.0 if at < cold else -1e9,
        )
        for at, amount in enumerate(amounts)
    )


def size(pods: tuple[Pod, ...], metric: Metric, current: int | None = None, **more: object) -> int:
    return wanted(policy(metric, **more), Now(current or len(pods), pods)).size


# -- the documentation's examples ----------------------------------------------------------------------


def test_twice_the_target_is_twice_the_pods():
    assert size(using(200, 200, 200), CPU) == 6


def test_half_the_target_is_half_the_pods():
    assert size(using(50, 50, 50, 50), CPU) == 2


@pytest.mark.parametrize("used", [90, 100, 110])
def test_within_a_tenth_of_the_target_nothing_changes(used):
    assert size(using(*[used] * 7), CPU) == 7


def test_a_tolerance_of_ones_own_counts_for_its_direction():
    behaviour = policy(up=replace(FREE, tolerance=0.0))
    assert wanted(behaviour, Now(10, using(*[105] * 10))).size == 11
    assert wanted(behaviour, Now(10, using(*[95] * 10))).size == 10


def test_the_largest_of_several_metrics_is_taken():
    queue = Metric("queue", Target.AVERAGE, 1000, of_pods=False)
    both = replace(policy(), metrics=(CPU, queue))
    found = wanted(both, Now(3, using(100, 100, 100), {"queue": 7000}))
    assert found.size == 7
    assert found.reasons == ("cpu is at 100% of its target: 3", "queue is at 233% of its target: 7")


def test_nothing_scales_down_while_a_metric_is_missing_and_up_it_may():
    both = replace(policy(), metrics=(CPU, Metric("queue", Target.AVERAGE, 1000, of_pods=False)))
    assert wanted(both, Now(3, using(10, 10, 10))).size == 3
    assert wanted(both, Now(3, using(200, 200, 200))).size == 6


@pytest.mark.parametrize(
    ("current", "after"), [(80, 72), (72, 64), (64, 57), (41, 36), (40, 36), (36, 32), (12, 10)]
)
def test_ten_per_cent_or_four_pods_a_minute(current, after):
    """ "if there are 80 replicas and the target has to be scaled down to 10": by 8, by 8, ... then by 4."""
    rates = (Rate(4, 60.0), Rate(10, 60.0, percent=True))
    assert bounded(policy(down=Rules(0.0, "Max", rates)), Now(current), 10) == after


def test_the_policy_with_the_smallest_change_where_min_is_asked_for():
    rates = (Rate(10, 60.0, percent=True), Rate(5, 60.0))
    assert bounded(policy(down=Rules(0.0, "Min", rates)), Now(100), 1) == 95
    assert bounded(policy(up=Rules(0.0, "Min", rates)), Now(100), 900) == 105


def test_a_disabled_direction_stays():
    found = wanted(policy(down=Rules(select="Disabled")), Now(8, using(*[10] * 8)))
    assert (found.size, found.reasons[-1]) == (8, "8, for it may not scale down")


def test_by_default_four_pods_or_as_many_again_in_fifteen_seconds():
    assert bounded(policy(up=UP), Now(2), 100) == 6
    assert bounded(policy(up=UP), Now(10), 100) == 20


def test_what_was_added_in_the_period_counts():
    history = History(up=((50.0, 3),))
    assert (
        bounded(policy(up=Rules(rates=(Rate(4, 60.0),))), Now(10, seconds=100.0, history=history), 99) == 11
    )
    assert (
        bounded(policy(up=Rules(rates=(Rate(4, 60.0),))), Now(10, seconds=111.0, history=history), 99) == 14
    )


def test_the_highest_of_five_minutes_counts_on_the_way_down():
    history = History(recommended=((10.0, 9), (200.0, 7)))
    assert stabilized(policy(down=DOWN), Now(10, seconds=300.0, history=history), 3) == 9
    assert stabilized(policy(down=DOWN), Now(10, seconds=311.0, history=history), 3) == 7


def test_the_lowest_of_its_window_counts_on_the_way_up():
    history = History(recommended=((90.0, 6),))
    slow = policy(up=replace(FREE, window_seconds=60.0))
    assert limited(slow, Now(4, seconds=100.0, history=history), 9) == (6, ("6 by its stabilization window",))


def test_without_a_behaviour_it_doubles_at_most():
    assert bounded(policy(plain=True), Now(1), 100) == 4
    assert bounded(policy(plain=True), Now(10), 100) == 20
    held = History(recommended=((0.0, 8),))
    assert stabilized(policy(plain=True), Now(10, seconds=299.0, history=held), 3) == 8


def test_the_bounds_hold():
    assert wanted(policy(most=4), Now(3, using(900, 900, 900))).reasons[-1] == "maxReplicas is 4"
    assert wanted(policy(least=2), Now(3, using(1, 1, 1))).reasons[-1] == "minReplicas is 2"
    assert wanted(policy(least=5), Now(3)).size == 5
    assert wanted(policy(most=5), Now(9)).size == 5
    assert wanted(policy(), Now(0)).size == 0


def test_a_rate_is_said():
    assert wanted(policy(up=UP), Now(2, using(900, 900))).reasons[-1] == "6 by its rate"


def test_what_happened_is_remembered():
    history = remembered(History(), Now(4, seconds=5.0), 8, 6)
    assert history == History(((5.0, 8),), up=((5.0, 2),))
    assert remembered(history, Now(6, seconds=9.0), None, 3).down == ((9.0, 3),)
    assert remembered(History(), Now(4, seconds=5.0), 4, 4) == History(((5.0, 4),))


# -- the controller's own cases (replica_calculator_test.go) ---------------------------------------------


def test_an_unready_pod_makes_it_go_up_less():
    assert size(using(300, 500, 700, cold=1), replace(SHARE, wanted=30)) == 4


def test_three_hot_pods_go_up():
    assert size(using(300, 500, 700), replace(SHARE, wanted=30)) == 5


def test_silent_pods_are_taken_for_full_on_the_way_down():
    assert size(using(400, 95, None, None), replace(SHARE, wanted=100)) == 3


def test_a_silent_and_an_unready_pod_are_taken_for_idle_on_the_way_up():
    assert size(using(100, 2000, None, cold=1), SHARE) == 4


def test_an_unready_pod_does_not_count_on_the_way_down():
    assert size(using(100, 100, 100, None, cold=1), SHARE) == 3


def test_pods_that_leave_or_failed_do_not_count():
    gone = (Pod("left", {}, {"cpu": 1000}, leaving=True), Pod("failed", {}, {"cpu": 1000}, "Failed"))
    assert size((*using(500, 700), *gone), replace(SHARE, wanted=30), 2) == 4


def test_a_silent_pod_that_would_turn_the_direction_stays():
    assert size(using(1000, None, requests=1000), replace(SHARE, wanted=100)) == 2
    assert size(using(1200, None, requests=1000), replace(SHARE, wanted=100)) == 2
    assert size(using(800, None, requests=1000), replace(SHARE, wanted=100)) == 2


def test_a_pending_pod_counts_as_one_that_is_not_ready():
    waiting = Pod("waits", {}, {"cpu": 1000}, "Pending")
    assert size((*using(900, 900), waiting), SHARE, 3) == 4
    assert size((*using(100, 100), waiting), SHARE, 3) == 1


def test_silent_pods_of_an_amount_are_taken_for_the_target():
    assert size(using(10, 10, None), CPU) == 2


@pytest.mark.parametrize(
    ("metric", "pods", "why"),
    [
        (SHARE, (Pod("web-1", {"cpu": 5}),), "web-1 requests no cpu"),
        (SHARE, (Pod("web-1", {"cpu": 5}, {"cpu": 0}),), "nothing is requested of cpu"),
        (CPU, (Pod("web-1"),), "no pod that counts says its cpu"),
        (Metric("queue", Target.VALUE, 5, of_pods=False), (), "queue is not known"),
    ],
)
def test_what_cannot_be_worked_out_says_why(metric, pods, why):
    found = wanted(policy(metric), Now(1, pods))
    assert (found.size, found.reasons[0]) == (1, why)


def test_a_pods_cpu_counts_once_it_was_measured_while_it_was_ready():
    fresh = Pod("one", started=100.0, changed=110.0, measured=139.0, window_seconds=30.0)
    assert fresh.cold(150.0)
    assert not replace(fresh, measured=140.0).cold(150.0)
    assert replace(fresh, measured=140.0, ready=False).cold(150.0)
    assert not fresh.cold(401.0)
    assert replace(fresh, ready=False).cold(401.0)
    assert not replace(fresh, ready=False, changed=140.0).cold(401.0)
    assert replace(fresh, started=None).cold(401.0)


def test_a_value_for_all_multiplies_every_ready_pod():
    queue = Metric("queue", Target.VALUE, 100, of_pods=False)
    assert wanted(policy(queue), Now(10, using(*[0] * 20), {"queue": 120})).size == 24
    assert wanted(policy(queue), Now(10, using(*[0] * 20), {"queue": 105})).size == 10
    assert wanted(policy(queue, least=0, up=UP), Now(0, (), {"queue": 250})).size == 3


def test_a_value_a_pod_compares_with_the_pods_that_are_counted():
    queue = Metric("queue", Target.AVERAGE, 100, of_pods=False)
    assert wanted(policy(queue), Now(10, (), {"queue": 1900}, counted=20)).size == 20
    assert wanted(policy(queue), Now(10, (), {"queue": 1200}, counted=20)).size == 12
    assert wanted(policy(queue, least=0, up=UP), Now(0, (), {"queue": 300}, counted=0)).size == 3


# -- a dumb oracle --------------------------------------------------------------------------------------


def least_that_suffices(used: list[int], target: int) -> int:
    """Try one size after the other: the first whose pods, at the average of now, are at the target or under it."""
    average = Fraction(sum(used) // len(used))
    share = average / target
    if Fraction(9, 10) <= share <= Fraction(11, 10):
        return len(used)
    return next(tried for tried in count() if average * len(used) <= target * tried)


@pytest.mark.parametrize("pods", range(1, 13))
@pytest.mark.parametrize("target", [7, 50, 100, 130])
def test_every_size_is_the_least_that_suffices(pods, target):
    levels = [[base + each * 3 for each in range(pods)] for base in range(1, 400, 7)]
    metric = replace(CPU, wanted=target)
    found = [wanted(policy(metric, least=0), Now(pods, using(*used))).size for used in levels]
    assert found == [least_that_suffices(used, target) for used in levels]


# -- idle pods beside those that carry traffic ------------------------------------------------------------

IDLE = frozenset(f"pod-{at}" for at in range(6, 12))


def test_idle_pods_hide_a_load_of_twice_the_target():
    """The dead zone: six at 200 % and six idle ones are 100 %, and the autoscaler stays where it is."""
    now = Now(6, using(*[200] * 6, *[0] * 6))
    assert wanted(policy(), now).size == 6
    assert undiluted(policy(), now, IDLE) == 12
    assert floor(policy(), now, IDLE) == 12


@pytest.mark.parametrize("used", range(0, 400, 5))
def test_the_floor_is_what_the_pods_with_traffic_would_get_alone(used):
    alone = wanted(policy(), Now(6, using(*[used] * 6))).size
    assert floor(policy(), Now(6, using(*[used] * 6, *[0] * 6)), IDLE) == max(6, alone)


def test_the_floor_keeps_the_autoscalers_bounds_and_rates():
    hot = Now(6, using(*[900] * 6, *[0] * 6))
    assert floor(policy(most=20), hot, IDLE) == 20
    assert floor(policy(up=UP), hot, IDLE) == 12
    assert floor(policy(most=4), hot, IDLE) == 4


def test_without_an_answer_the_floor_is_todays_size():
    assert floor(policy(), Now(6, using(*[None] * 12)), IDLE) == 6
