"""The sums against the real HPA of Kubernetes 1.35.4: what it decided, sync by sync, on metrics of the metrics server.

`hpa_syncs.json` was recorded by `python -m tests.cluster.hpa_syncs` on the test bed: 186 syncs of six autoscalers in
four minutes (utilization, average value, without a behaviour, with windows and rates, of one container, of two metrics).
Six of them are the first sync of each, before there were metrics.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from deployctl.autoscaling.arithmetic import pods_seen, policy_of
from strategies.autoscale import History, Now, remembered, wanted
from tests.cluster.hpa_syncs import averages, shown

Json = dict[str, Any]
SYNCS: list[Json] = json.loads((Path(__file__).parent / "hpa_syncs.json").read_text())
BY_NAME = {
    name: [one for one in SYNCS if one["name"] == name] for name in sorted({one["name"] for one in SYNCS})
}
PERIOD_SECONDS = (
    5.017  # from one sync to the next, measured: the controller's five seconds and what a sync takes
)


def seen(sync: Json, at: float) -> Now:
    reading = sync["reading"]
    pods = pods_seen(sync, reading["pods"], {one["name"]: one for one in reading["usage"]})
    return Now(sync["status"]["currentReplicas"], pods, seconds=at)


def on_time(syncs: list[Json]) -> list[int]:
    """Number the syncs by their period, for what was read was read a little later: 0, 4, 5, 6 ..."""
    return [round((one["at"] - syncs[0]["at"]) / PERIOD_SECONDS) for one in syncs]


def decided(syncs: list[Json]) -> list[tuple[int, int]]:
    """Decide each sync anew, with the history of those before: what the HPA made of it, and what we do.

    A sync that changed no status recommended what the one before did.
    """
    found: list[tuple[int, int]] = []
    history, last = History(), None
    times = on_time(syncs)
    for sync, tick, before in zip(syncs, times, [times[0], *times], strict=False):
        silent = ((at * PERIOD_SECONDS, last) for at in range(before + 1, tick) if last is not None)
        history = replace(history, recommended=(*history.recommended, *silent))
        now = replace(seen(sync, sync["at"]), history=_at(history, sync["at"] - tick * PERIOD_SECONDS))
        one = wanted(policy_of(sync), now)
        found.append((sync["status"]["desiredReplicas"], one.size))
        then = replace(now, seconds=tick * PERIOD_SECONDS)
        history = remembered(history, then, one.recommended, sync["status"]["desiredReplicas"])
        last = one.recommended
    return found


def _at(history: History, offset: float) -> History:
    """Move a history to the clock of the pods."""
    moved = [
        tuple((at + offset, count) for at, count in one)
        for one in (history.recommended, history.up, history.down)
    ]
    return History(*moved)


def works(sync: Json) -> bool:
    return bool(sync["status"]["reasons"]["ScalingActive"] == "ValidMetricFound")


def test_there_are_enough_of_every_kind():
    assert Counter(one["name"] for one in SYNCS if works(one)).most_common()[-1][1] >= 20
    assert all(one["reading"] for one in SYNCS)


def test_the_averages_are_those_that_it_shows():
    assert [averages(one, seen(one, one["at"])) for one in SYNCS] == [shown(one) for one in SYNCS]


@pytest.mark.parametrize("name", BY_NAME)
def test_every_decision_is_the_same(name):
    syncs = [one for one in BY_NAME[name] if works(one)]
    found = decided(syncs)
    assert [ours for _, ours in found] == [theirs for theirs, _ in found]


def test_they_go_up_down_and_stay():
    ways = Counter(
        (one["status"]["desiredReplicas"] > one["status"]["currentReplicas"])
        - (one["status"]["desiredReplicas"] < one["status"]["currentReplicas"])
        for one in SYNCS
        if works(one)
    )
    assert min(ways[1], ways[-1], ways[0]) >= 10


def test_without_metrics_there_is_no_decision():
    first = [
        next(group)
        for _, group in groupby(sorted(SYNCS, key=lambda one: one["name"]), lambda one: one["name"])
    ]
    found = [wanted(policy_of(one), seen(one, one["at"])).reasons[-1] for one in first]
    assert set(found) == {"stays, for a metric is missing"}
