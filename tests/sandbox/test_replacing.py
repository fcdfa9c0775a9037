"""What `release --replace` does first, in virtual time: another release that was in flight is turned round."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deployctl.cli.flags import Flags
from deployctl.cli.replacing import another, make_way, way_back
from deployctl.errors import Conflict
from deployctl.prepare import Prepared, Wanted, find, names_of, prepare
from deployctl.record import Record, Word
from deployctl.releases import Run, back_at_rest, in_flight
from deployctl.rollout import Orders
from deployctl.sandbox.faults import Fault, Killed
from deployctl.template import bare
from strategies.model import Outcome
from tests.sandbox.rehearsing import Scene, loaded

FLAGS = Flags(None, None, None, None, "15s", "json", False, False, "never", True)
OLD, NEW, NEWER = (f"localhost/igaming:{number}" for number in (1, 2, 3))
SAID = Word("replace", "bob@desk/2", "2026-11-23T12:00:00Z", "hotfix")
QUOTA = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full", "namespace": "igaming"}}
BOTH = pytest.mark.parametrize("name", ["balances", "game-sessions"])


def dead(name: str, call: int) -> Scene:
    """Let a release die before its n-th write to the Deployment."""
    scene = Scene(name, faults=(Fault("killBefore", call=call, method="PATCH", resource="deployments"),))
    with pytest.raises(Killed):
        scene.release()
    scene.world.faults.plan = []
    scene.api = scene.world.api("igaming")
    return scene


def wanted(scene: Scene, image: str = NEWER) -> Prepared:
    return prepare(scene.api, loaded(scene.name).apps[0], loaded(scene.name).objects[0], Wanted({"": image}))


def kept(scene: Scene) -> Any:
    return Record(scene.api, "igaming", scene.name).read()


def way(scene: Scene) -> Run:
    run = way_back(scene.api, wanted(scene), kept(scene), scene.story, SAID)
    run.means = scene.world.means()
    return run


def replaced(scene: Scene) -> int:
    return make_way(FLAGS, way(scene))


@BOTH
@pytest.mark.parametrize("call", range(2, 8))
def test_wherever_it_stands_it_goes_back_and_the_other_is_promoted(name, call):
    scene = dead(name, call)
    assert replaced(scene) == 0
    assert (scene.serving(), scene.settings()) == ({OLD: 6}, scene.before)
    assert scene.release(NEWER).outcome is Outcome.PROMOTED
    assert (scene.serving(), scene.least()) == ({NEWER: 6}, 6)
    scene.world.pass_time(60)  # what was left has ended
    assert scene.leftovers() == []


def test_the_record_tells_who_replaced_it_and_why():
    scene = dead("balances", 4)
    replaced(scene)
    one = kept(scene).releases[0]
    assert (one.outcome, one.reason) == ("aborted", "replaced by bob@desk/2: hotfix")
    assert one.words[-1] == SAID


def test_the_story_begins_with_whose_release_it_is():
    scene = dead("balances", 4)
    replaced(scene)
    assert scene.story.notes[0].endswith(": stable comes back first")


def test_a_way_back_that_arrived_is_no_result_of_the_command(capsys):
    replaced(dead("balances", 4))
    assert capsys.readouterr().out == ""


def test_where_stable_does_not_come_back_nothing_is_begun(capsys):
    scene = dead("game-sessions", 7)
    scene.api.create({**QUOTA, "spec": {"hard": {"pods": "6"}}})
    assert replaced(scene) == 8
    assert json.loads(capsys.readouterr().out)["outcome"] == "degraded"
    assert kept(scene).releases[0].outcome == "degraded"


def test_the_same_release_is_no_other():
    scene = dead("balances", 4)
    assert (another(wanted(scene, NEW)), another(wanted(scene))) == (False, True)


def test_nothing_in_flight_is_no_other():
    assert not another(wanted(Scene()))


def test_a_release_on_its_way_back_is_waited_for_and_not_taken_from_who_brings_it_back():
    scene = dead("balances", 6)
    there = find(scene.api, names_of(loaded("balances").apps[0], "igaming"))
    scene.world.faults.plan = [Fault("killBefore", call=2, method="PATCH", resource="deployments")]
    abort = Run(scene.api, in_flight(there, None, None), scene.story, Orders(), force=True)
    abort.means = scene.world.means()
    with pytest.raises(Killed):
        abort.run()
    scene.world.faults.plan, scene.api = [], scene.world.api("igaming")
    run = way(scene)
    assert run.force is False
    assert make_way(FLAGS, run) == 0
    assert (scene.serving(), scene.leftovers()) == ({OLD: 6}, [])


def test_a_rollback_in_flight_is_left_alone():
    scene = Scene()
    scene.release()
    there = find(scene.api, names_of(loaded("balances").apps[0], "igaming"))
    first = min(there.replica_sets, key=lambda one: one["metadata"]["creationTimestamp"])
    back = back_at_rest(there, bare(first["spec"]["template"]), "rolled back by bob")
    scene.world.faults.plan = [Fault("killBefore", call=2, method="PATCH", resource="deployments")]
    with pytest.raises(Killed):
        scene._run(back, Orders())
    scene.world.faults.plan, scene.api = [], scene.world.api("igaming")
    with pytest.raises(
        Conflict, match=r"a rollback of balances is in flight, begun by .*: --replace leaves it alone"
    ):
        way(scene)
