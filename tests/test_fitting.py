"""`--fit` in a cluster: the plan with the smaller release, what is short even so, and what nothing smaller mends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deployctl.cli.planning import Asked, planned
from deployctl.cli.session import Subject
from deployctl.cluster.api import MERGE_PATCH, Request
from deployctl.errors import UsageError
from deployctl.fitting import fitted, with_options
from deployctl.prepare import Wanted, prepare
from deployctl.published import Plan
from deployctl.record import Record
from deployctl.releases import Run, fresh
from deployctl.render.plan import text
from deployctl.room import room
from strategies.blue_green import BlueGreen
from strategies.model import Outcome
from strategies.quantities import Amount
from strategies.rolling import Rolling
from tests.sandbox.rehearsing import Scene, loaded

Json = dict[str, Any]
ASKED = Asked(["any/image:2"], restart=False, promote="", wait="finished")
HALF = Rolling(Amount(50, percent=True))


def nodes_with(scene: Scene, pods: int) -> None:
    [only] = scene.api.get("/api/v1/nodes")["items"]
    where = f"/api/v1/nodes/{only['metadata']['name']}/status"
    scene.api.send(Request("PATCH", where, {"status": {"allocatable": {"pods": str(pods)}}}, MERGE_PATCH))


def quota_of(scene: Scene, pods: int) -> None:
    meta = {"name": "small", "namespace": "igaming"}
    spec = {"hard": {"pods": str(pods)}}
    scene.api.create({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": spec})
    scene.world.pass_time(10)


def plan(scene: Scene, options: Any, *, fit: bool = True) -> Plan:
    """Plan a release of six pods to a new image."""
    kept = Record(scene.api, "igaming", "game-sessions").read()
    whole = loaded(scene.name)
    [app] = whole.apps
    rolling = isinstance(options, Rolling)
    chosen = loaded("game-sessions" if rolling else "balances").apps[0].spec.strategy
    app = with_options(with_strategy(app, chosen), options)
    return planned(scene.api, Subject(app, whole.objects[0], kept), replace(ASKED, fit=fit)).plan


def with_strategy(app: Any, chosen: Any) -> Any:
    import msgspec

    return msgspec.structs.replace(app, spec=msgspec.structs.replace(app.spec, strategy=chosen))


def room_warnings(one: Plan) -> list[str]:
    return [each for each in one.warnings if "short" in each]


def test_a_batch_that_fits_is_taken_where_the_nodes_are_short() -> None:
    scene = Scene()
    nodes_with(scene, 8)
    assert plan(scene, HALF, fit=False).peak_extra_pods == 3
    one = plan(scene, HALF)
    assert one.peak_extra_pods == 2
    assert one.fit == "batch: 2 instead of 50%: the nodes have room for 2 pods more, 1 short of 3"
    assert room_warnings(one) == []
    assert any(each.startswith("a way back from the middle of a batch brings all 6") for each in one.warnings)
    assert f"  made to fit: {one.fit}" in text(one).splitlines()


def test_the_quota_and_the_nodes_are_looked_at_together() -> None:
    scene = Scene()
    nodes_with(scene, 8)
    quota_of(scene, 8)
    one = plan(scene, replace(HALF, surge=Amount(3)))
    assert one.peak_extra_pods == 1
    assert one.fit.startswith("batch: 1 instead of 50%, surge: 1 instead of 3: quota small (pods 8) has room")
    assert "the nodes have room for 2 pods more, 1 short of 3" in one.fit


def test_a_release_that_there_is_room_for_is_left_as_it_is() -> None:
    scene = Scene()
    assert plan(scene, HALF) == plan(scene, HALF, fit=False)


def test_a_preview_waits_smaller_and_its_shift_is_warned_of() -> None:
    scene = Scene()
    nodes_with(scene, 9)
    one = plan(scene, BlueGreen())
    assert one.fit == "previewReplicas: 3 instead of 100%: the nodes have room for 3 pods more, 3 short of 6"
    [told] = room_warnings(one)
    assert told.startswith(
        "the nodes have room for 3 pods more, 3 short of 6: the shift needs all 6, and a pod"
    )


def test_a_preview_that_waits_small_enough_already_is_left_as_it_is() -> None:
    scene = Scene()
    nodes_with(scene, 9)
    one = plan(scene, BlueGreen(preview_replicas=Amount(2)))
    assert one.fit == ""
    assert len(room_warnings(one)) == 1


@pytest.mark.parametrize(
    ("options", "nodes", "quota", "advice"),
    [
        (HALF, 6, 0, "surge: 0 needs none, and serves with a batch less meanwhile, or make room"),
        (BlueGreen(), 6, 0, "rolling with surge: 0 needs none, and serves with a batch less meanwhile"),
        (BlueGreen(), 20, 8, "rolling with batch: 1 fits throughout, or make room"),
        (HALF, 20, 7, "surge: 0 and batch: 1 fits, and serves with a batch less meanwhile, or make room"),
    ],
)
def test_where_nothing_smaller_fits_it_is_refused_with_what_would(
    options: Any, nodes: int, quota: int, advice: str
) -> None:
    scene = Scene()
    nodes_with(scene, nodes)
    if quota:
        quota_of(scene, quota)
    with pytest.raises(UsageError, match="release fits") as refused:
        plan(scene, options)
    assert refused.value.advice.startswith(advice)


@pytest.mark.parametrize(("limit", "pods"), [(nodes_with, 8), (quota_of, 10)])
def test_what_was_made_to_fit_runs_to_its_end(limit: Any, pods: int) -> None:
    """Room on nodes for the batch, in a quota for as many old pods besides: not one pod fewer serves."""
    scene = Scene()
    limit(scene, pods)
    app = with_options(with_strategy(scene.app, loaded("game-sessions").apps[0].spec.strategy), HALF)
    there = prepare(scene.api, app, loaded("balances").objects[0], Wanted({"": "localhost/igaming:2"}))
    small = fitted(there, app, room(scene.api, there.names, there.preview))
    assert small.app.spec.walk == Rolling(Amount(2))
    run = Run(
        scene.api, fresh(there, small.app, content=""), scene.story, scene.orders, means=scene.world.means()
    )
    assert run.run().outcome is Outcome.PROMOTED
    assert scene.least() == 6
