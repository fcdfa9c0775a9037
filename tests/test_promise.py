"""What a saved plan promises: a function of its inputs, whole, and without a secret."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from deployctl.cli.planning import Asked, kept, planned
from deployctl.errors import UsageError
from deployctl.planfile import PlanFile
from deployctl.spec import from_canonical
from deployctl.template import digest, images
from strategies.model import Outcome
from tests.sandbox.rehearsing import Scene, loaded
from tests.saved import IMAGE, delete, edit, held, image_saved, released, saved, set_env, subject


@pytest.fixture
def scene() -> Scene:
    return Scene()


def text(file: PlanFile) -> str:
    return msgspec.json.encode(file).decode()


# -- a function of its inputs -------------------------------------------------------------------------------


def test_the_same_inputs_have_the_same_digest_at_another_time(scene: Scene) -> None:
    first = image_saved(scene)
    scene.world.pass_time(3600)
    second = image_saved(scene)
    assert (first.digest, first.promise) == (second.digest, second.promise)
    assert first.created != second.created


def test_two_clusters_that_are_alike_have_plans_that_are_alike() -> None:
    assert image_saved(Scene()).digest == image_saved(Scene()).digest


def test_pods_that_were_replaced_are_no_input(scene: Scene) -> None:
    first = image_saved(scene)
    delete(scene, "pods", scene.all("pods")[0]["metadata"]["name"])
    assert image_saved(scene).digest == first.digest


def test_who_labels_or_annotates_the_deployment_changes_no_plan(scene: Scene) -> None:
    first = image_saved(scene)
    edit(scene, "deployments", {"metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}}})
    assert image_saved(scene).digest == first.digest


@pytest.mark.parametrize(
    "flags",
    [{"promote": "manual"}, {"wait": "promoted"}, {"restart": True}, {"accept_sync": True}],
    ids=str,
)
def test_each_flag_is_an_input(scene: Scene, flags: dict[str, object]) -> None:
    assert image_saved(scene, **flags).digest != image_saved(scene).digest


def test_another_image_is_another_promise(scene: Scene) -> None:
    assert saved(scene, "localhost/igaming:3").digest != image_saved(scene).digest


@pytest.mark.parametrize("spec", [{"replicas": 5}, {"minReadySeconds": 3}], ids=str)
def test_the_size_and_the_settings_are_inputs(scene: Scene, spec: dict[str, object]) -> None:
    first = image_saved(scene)
    edit(scene, "deployments", {"spec": spec})
    assert image_saved(scene).digest != first.digest


def test_a_restart_has_one_digest_at_any_time_and_is_stamped_with_the_plans_own(scene: Scene) -> None:
    first = saved(scene, restart=True)
    scene.world.pass_time(60)
    second = saved(scene, restart=True)
    assert first.digest == second.digest
    stamped = held(scene, second).template["metadata"]["annotations"]
    assert stamped["kubectl.kubernetes.io/restartedAt"] == second.created


# -- what it holds ------------------------------------------------------------------------------------------


def test_it_holds_everything_that_a_release_needs(scene: Scene) -> None:
    promise = image_saved(scene).promise
    deployment = scene.get("deployments")
    assert (promise.app, promise.namespace) == ("balances", "igaming")
    assert from_canonical(promise.spec) == loaded("balances").apps[0]
    assert promise.deployment.uid == deployment["metadata"]["uid"]
    assert promise.deployment.stable == digest(deployment["spec"]["template"])
    assert promise.deployment.own.strategy == deployment["spec"]["strategy"]
    assert promise.services == {"balances": {"app.kubernetes.io/name": "balances"}}
    assert images(promise.template) == {"app": IMAGE}
    assert promise.steps[0] == "pause the Deployment and write down its settings"
    assert promise.steps[-1] == "restore the user's settings"


def test_where_nothing_is_to_do_the_promise_is_that(scene: Scene) -> None:
    assert released(scene, image_saved(scene)).outcome is Outcome.PROMOTED
    file = image_saved(scene)
    assert (file.promise.nothing_to_do, file.promise.steps) == (True, ())
    assert held(scene, file).done


# -- no secret ----------------------------------------------------------------------------------------------


def test_a_secret_that_is_live_stays_in_the_cluster_and_comes_back_from_there(scene: Scene) -> None:
    set_env(scene, DB_PASSWORD="hunter2")
    scene.env = {"DB_PASSWORD": "hunter2"}
    file = image_saved(scene)
    assert "hunter" not in text(file)
    assert released(scene, file).outcome is Outcome.PROMOTED
    env = scene.get("deployments")["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "DB_PASSWORD", "value": "hunter2"} in env


@pytest.mark.parametrize("live", [{}, {"DB_PASSWORD": "hunter2"}], ids=["new", "changed"])
def test_a_secret_that_is_not_live_is_refused_by_its_name(scene: Scene, live: dict[str, str]) -> None:
    set_env(scene, **live)
    scene.env = {"DB_PASSWORD": "hunter3"}
    with pytest.raises(
        UsageError, match=r"env\[DB_PASSWORD\].* may be a secret and is not the live one"
    ) as raised:
        image_saved(scene)
    assert "hunter" not in f"{raised.value}{raised.value.advice}"


def test_a_reference_to_a_secret_is_none(scene: Scene) -> None:
    reference = {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}
    box = {"name": "app", "env": [reference]}
    edit(scene, "deployments", {"spec": {"template": {"spec": {"containers": [box]}}}})
    assert "secretKeyRef" in text(saved(scene, IMAGE))


def test_a_password_in_the_address_of_a_gate_is_refused() -> None:
    whole = image_saved(Scene()).promise.spec
    gate = {"name": "reads", "http": {"url": "http://ann:hunter2@reads.example/"}}
    whole["spec"]["gates"]["after"] = [gate]
    with pytest.raises(
        UsageError, match=r"gates\.after\[reads\]\.http\.url holds what may be a secret"
    ) as raised:
        image_saved(Scene(), of=from_canonical(whole))
    assert "hunter" not in str(raised.value)


def test_a_secret_that_was_changed_since_is_a_template_that_has_moved(scene: Scene) -> None:
    set_env(scene, DB_PASSWORD="hunter2")
    scene.env = {"DB_PASSWORD": "hunter2"}
    file = image_saved(scene)
    set_env(scene, DB_PASSWORD="hunter4")
    with pytest.raises(Exception, match="env DB_PASSWORD of app: another value") as raised:
        held(scene, file)
    assert "hunter" not in str(raised.value)


def test_a_config_map_that_holds_a_password_is_only_said_to_differ(scene: Scene) -> None:
    """It is in the manifests, is no business of a release, and would be listed with what it holds."""
    live = {"kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"app.ini": "password=hunter2"}}
    scene.api.create(live)
    found = subject(scene)
    stated = {**live, "data": {"app.ini": "password=hunter3", "mode": "new"}}
    ask = Asked([IMAGE], restart=False, promote="", wait="finished")
    file = kept(planned(scene.api, replace(found, objects=(*found.objects, stated)), ask), ask, 60.0)
    assert file.plan.not_released == (
        "ConfigMap settings: data.app.ini differs",
        'ConfigMap settings: data.mode is null, the manifest says "new"',
    )
