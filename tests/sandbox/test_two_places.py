"""Two clusters, and two namespaces of one, have apps of the same name: what is on record of them does not mix."""

from __future__ import annotations

import pytest

from deployctl.cli.returning import _last_released
from deployctl.cluster.api import Api
from deployctl.errors import UsageError
from deployctl.past import history, past
from deployctl.prepare import find, names_of
from deployctl.record import Record
from deployctl.releases import Run, back_at_rest
from deployctl.revisions import earlier
from deployctl.rollout import Orders
from deployctl.sandbox.rehearsal import Rehearsal
from deployctl.template import bare
from tests.sandbox.rehearsing import Scene, loaded

OLD, NEW, NEWER = (f"localhost/igaming:{number}" for number in (1, 2, 3))


def outcomes(api: Api) -> list[tuple[str, str]]:
    told = history(past(api, "balances"), api.now()).releases
    return [(one.outcome, one.images["app"]) for one in told]


def back(scene: Scene) -> None:
    """Do what `rollback` without an argument does."""
    name = _last_released(scene.api)
    there = find(scene.api, names_of(loaded(name).apps[0], "igaming"))
    kept = Record(scene.api, "igaming", name).read()
    target = earlier(there.deployment, there.replica_sets, kept.releases)
    plan = back_at_rest(there, bare(target["spec"]["template"]), "rolled back by bob")
    Run(scene.api, plan, scene.story, Orders(), force=True, means=scene.world.means()).run()


def test_a_rollback_in_one_cluster_is_nothing_in_the_other():
    east, west = Scene(seed=1), Scene(seed=2)
    east.release(NEW)
    west.release(NEWER)
    back(east)
    assert (east.serving(), west.serving()) == ({OLD: 6}, {NEWER: 6})
    assert outcomes(east.api) == [("rolledBack", OLD), ("promoted", NEW)]
    assert outcomes(west.api) == [("promoted", NEWER)]


def test_a_namespace_knows_nothing_of_the_releases_of_another():
    scene = Scene()
    scene.release(NEW)
    scene.world.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "staging"}})
    beside = scene.world.api("staging")
    with pytest.raises(UsageError, match="nothing was released in namespace staging"):
        _last_released(beside)
    with pytest.raises(UsageError, match="Deployment balances not found in namespace staging"):
        past(beside, "balances")
    assert _last_released(scene.api) == "balances"


def test_an_empty_cluster_proposes_nothing():
    with pytest.raises(UsageError, match="nothing was released in namespace igaming"):
        _last_released(Rehearsal().api("igaming"))
