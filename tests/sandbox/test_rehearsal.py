"""Whole releases in virtual time: the real loop, the sandbox's API and its controllers, and a clock that jumps."""

from __future__ import annotations

import pytest

from deployctl.sandbox.faults import Fault, Killed
from deployctl.sandbox.rehearsal import Rehearsal
from strategies.model import Outcome
from tests.sandbox.rehearsing import Scene

NEW, OLD = "localhost/igaming:2", "localhost/igaming:1"
BOTH = pytest.mark.parametrize("name", ["balances", "game-sessions"])


@BOTH
def test_a_release_is_promoted_and_leaves_nothing_behind(name):
    scene = Scene(name)
    assert scene.release().outcome is Outcome.PROMOTED
    assert (scene.serving(), scene.settings(), scene.leftovers()) == ({NEW: 6}, scene.before, [])
    assert scene.least() == 6


@BOTH
def test_a_revision_whose_gate_says_no_takes_no_request(name):
    scene = Scene(name, env={"HEALTHZ_STATUS": "500"})
    result = scene.release()
    assert (result.outcome, scene.serving()) == (Outcome.ABORTED, {OLD: 6})
    assert {image for one in scene.served for image in one} <= {OLD}
    assert (scene.settings(), scene.leftovers()) == (scene.before, [])


@BOTH
def test_pods_that_never_come_are_given_up_at_the_progress_deadline(name):
    scene = Scene(name, env={"NEVER_READY": "1"})
    began = scene.world.now
    assert scene.release().reason == "not ready within the progress deadline of 600s"
    assert 600 < scene.world.now - began < 700
    assert scene.serving() == {OLD: 6}


def test_the_same_seed_and_plan_give_the_same_run():
    first, second = (run_of(seed=7) for _ in range(2))
    assert first == second
    assert run_of(seed=8) != first


def run_of(seed: int) -> list[tuple[float, int, str, str, str]]:
    """Give every change of a whole release: when, what."""
    scene = Scene(seed=seed, faults=(Fault("dropAfter", call=3, method="PATCH"),))
    heard: list[tuple[float, int, str, str, str]] = []
    scene.world.cluster.store.listeners.append(
        lambda one: heard.append((scene.world.now, one.version, one.change, one.resource, one.name))
    )
    scene.release()
    return heard


WEATHER = [
    Fault("dropBefore", call=2, method="PATCH", resource="deployments"),
    Fault("dropAfter", call=2, method="PATCH", resource="deployments"),
    Fault("dropAfter", call=1, method="PATCH", resource="services"),
    Fault("timeout", call=2, method="PATCH", seconds=15),
    Fault("conflict", call=1, method="PATCH", resource="services"),
    Fault("conflict", call=3, method="PATCH", resource="deployments"),
    Fault("gone", call=1, method="WATCH", resource="pods"),
    Fault("tooMany", call=4, method="PATCH", seconds=3),
    Fault("error", call=4, method="PATCH"),
    Fault("unavailable", call=5, method="PATCH"),
    Fault("slowWatch", method="WATCH", seconds=0.5),
    Fault("truncated", call=1, method="WATCH", resource="pods"),
    Fault("stale", call=3, method="GET", resource="deployments", seconds=5),
]


@BOTH
@pytest.mark.parametrize("fault", WEATHER, ids=lambda one: f"{one.kind} {one.method} {one.resource}")
def test_a_release_outlasts(fault, name):
    scene = Scene(name, faults=(fault,))
    assert scene.release().outcome is Outcome.PROMOTED
    assert scene.world.faults.befell or fault.kind == "stale"
    assert not [one for one in scene.story.notes if "somebody" in one]
    assert (scene.serving(), scene.settings(), scene.leftovers()) == ({NEW: 6}, scene.before, [])
    assert scene.least() == 6


@BOTH
@pytest.mark.parametrize("call", [1, 3, 5, 7])
@pytest.mark.parametrize("kind", ["killBefore", "killAfter"])
def test_a_killed_release_is_resumed_by_another_process(name, kind, call):
    scene = Scene(name, faults=(Fault(kind, call=call, method="PATCH", resource="deployments"),))
    with pytest.raises(Killed):
        scene.release()
    scene.world.pass_time(3600)
    assert scene.least() == 6
    scene.go_on()
    assert (scene.serving(), scene.settings(), scene.leftovers()) == ({NEW: 6}, scene.before, [])
    assert scene.least() == 6


FRONT = "balances-preview"
ON_THE_WAY = [
    Fault(kind, call=1, method=method, resource="services")
    for kind in ("dropBefore", "dropAfter", "error", "tooMany")
    for method in ("POST", "DELETE")
]


@pytest.mark.parametrize("fault", ON_THE_WAY, ids=lambda one: f"{one.kind} {one.method}")
def test_a_preview_service_outlasts(fault):
    scene = Scene(preview_service=FRONT, faults=(fault,))
    assert scene.release().outcome is Outcome.PROMOTED
    assert scene.world.faults.befell
    assert not [one for one in scene.story.notes if "somebody" in one]
    assert [one["metadata"]["name"] for one in scene.all("services")] == ["balances"]
    assert (scene.serving(), scene.settings(), scene.leftovers()) == ({NEW: 6}, scene.before, [])


@pytest.mark.parametrize("kind", ["killBefore", "killAfter"])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_preview_service_is_put_back_by_another_process(kind, method):
    scene = Scene(preview_service=FRONT, faults=(Fault(kind, call=1, method=method, resource="services"),))
    with pytest.raises(Killed):
        scene.release()
    scene.world.pass_time(3600)
    scene.go_on()
    assert [one["metadata"]["name"] for one in scene.all("services")] == ["balances"]
    assert (scene.serving(), scene.settings(), scene.leftovers()) == ({NEW: 6}, scene.before, [])
    assert scene.least() == 6


def test_time_passes_only_where_somebody_lets_it():
    world = Rehearsal()
    before = world.now
    world.pass_time(3600)
    assert world.now == before + 3600
