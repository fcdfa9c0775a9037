"""Pools of kept connections, which no shift of a Service moves: they leave within preStop and a second."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.cluster.platform import App
from tests.cluster.running import Running

PRE_STOP_SECONDS = 5


def sleeping(deployment: dict[str, Any]) -> None:
    """Let the old pods have the preStop that a release gives to the new ones."""
    box = deployment["spec"]["template"]["spec"]["containers"][0]
    box["lifecycle"] = {"preStop": {"sleep": {"seconds": PRE_STOP_SECONDS}}}


@pytest.fixture
def pooled(balances: App) -> App:
    balances.edit("deployment.yaml", sleeping)
    balances.install()
    balances.env(REVISION="r2")
    return balances


def test_a_pool_leaves_the_old_side_within_pre_stop_and_a_second_of_finish(pooled: App) -> None:
    pooled.strategy(keepOld="60s")
    with pooled.load(keepalive=True) as load:
        time.sleep(2)
        release = Running(pooled, "release", str(pooled.spec))
        release.told("keepOld to pass", timeout=90.0)
        assert pooled.run("finish", pooled.name).returncode == 0
        release.told("retire the old side")
        retired = time.time()
        assert release.ends() == 0, release.story
        time.sleep(PRE_STOP_SECONDS + 1)
    took = load.report.last_answer("r1") - retired
    print(f"\nfinish: the pool had left {took:.2f} s after; {load.report}")
    assert load.report.failed == 0, [str(one) for one in load.report.failures[:20]]
    assert 0 < took <= PRE_STOP_SECONDS + 1.0


def test_connections_are_shaken_off_within_pre_stop_and_a_second_and_a_warm_side_stays(pooled: App) -> None:
    pooled.strategy(keepOld="60s", shakeOffAfter="2s")
    pooled.edit(
        "deployctl.yaml",
        lambda one: one["spec"].update(census={"requests": {"path": "/metrics", "metric": "requests_total"}}),
    )
    with pooled.load(keepalive=True) as load:
        time.sleep(2)
        release = Running(pooled, "release", str(pooled.spec))
        release.told("connections to move by themselves", timeout=90.0)
        before = pooled.run("status", pooled.name).stdout
        release.told("keepOld to pass", timeout=150.0)
        shaken = time.time()
        time.sleep(PRE_STOP_SECONDS + 2)
        assert pooled.live_revisions() == {"r1": 6, "r2": 6}, "a warm old side stands"
        after = pooled.run("status", pooled.name).stdout
        kept = time.time()
        back = pooled.run("rollback", pooled.name)
        assert (back.returncode, pooled.live_revisions()) == (0, {"r1": 6}), back.stderr
        assert release.ends() == 6, release.story
        time.sleep(1)
    old = pooled.hash_of("r1")
    print(f"\n{line(before)}\n{line(after)}\n{load.report}")
    assert f"% {old}" in line(before), "the pool is still on the old side"
    assert f"0% {old}" in line(after), line(after)
    assert load.report.failed == 0, [str(one) for one in load.report.failures[:20]]
    assert load.report.revisions["r1"].count > 0
    assert kept - shaken >= PRE_STOP_SECONDS + 2
    assert "connections move to the preview" in release.story, release.story


def line(status: str) -> str:
    """Find what `status` says of the requests."""
    return next((one for one in status.splitlines() if one.startswith("requests: ")), status)
