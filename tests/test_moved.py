"""What has moved between a plan and its release is named, every difference at once; what does not matter is none."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from deployctl.errors import Conflict, UsageError
from deployctl.identity import Cluster
from deployctl.memory import Settings
from deployctl.sandbox.faults import Fault, Killed
from strategies.model import Outcome
from tests.sandbox.rehearsing import Scene
from tests.saved import (
    IMAGE,
    Json,
    delete,
    edit,
    held,
    image_saved,
    released,
    resealed,
    saved,
    set_image,
)

AT = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"
NEW = {IMAGE: 6}


@pytest.fixture
def scene() -> Scene:
    return Scene()


def differences(scene: Scene, file: object) -> list[str]:
    """List what a refusal names."""
    with pytest.raises(Conflict) as raised:
        held(scene, file)  # type: ignore[arg-type]
    first, *rest = str(raised.value).split("\n  ")
    assert re.fullmatch(
        rf"the plan \w{{12}} of {scene.name}, made at {AT}, holds no longer; nothing was touched", first
    )
    return rest


def only(scene: Scene, file: object, pattern: str) -> None:
    told = differences(scene, file)
    assert [bool(re.fullmatch(pattern, one)) for one in told] == [True], told


# -- what is named ------------------------------------------------------------------------------------------


def test_another_template_is_named_with_who_wrote_what(scene: Scene) -> None:
    file = image_saved(scene)
    set_image(scene, "localhost/igaming:9")
    wrote = "image of app: localhost/igaming:1 -> localhost/igaming:9"
    only(scene, file, rf"Deployment balances: kubectl-set at {AT} wrote {wrote}")


def test_without_the_old_template_it_is_named_as_another(scene: Scene) -> None:
    file = image_saved(scene)
    old = scene.all("replicasets")[0]["metadata"]["name"]
    set_image(scene, "localhost/igaming:9")
    delete(scene, "replicasets", old)
    only(scene, file, rf"Deployment balances: kubectl-set at {AT} wrote another pod template")


def test_another_size_that_a_person_chose_is_named(scene: Scene) -> None:
    file = image_saved(scene)
    edit(scene, "deployments", {"spec": {"replicas": 8}}, "kubectl", sub="/scale")
    only(scene, file, rf"Deployment balances: spec\.replicas: 6 -> 8, by kubectl at {AT}")


def test_another_setting_is_named(scene: Scene) -> None:
    file = image_saved(scene)
    edit(scene, "deployments", {"spec": {"strategy": {"rollingUpdate": {"maxSurge": 1}}}}, "kubectl-patch")
    setting = r"spec\.strategy\.rollingUpdate\.maxSurge: 25% -> 1"
    only(scene, file, rf"Deployment balances: {setting}, by kubectl-patch at {AT}")


def test_another_selector_is_named(scene: Scene) -> None:
    file = image_saved(scene)
    edit(scene, "services", {"spec": {"selector": {"app.kubernetes.io/part-of": "igaming"}}})
    told = differences(scene, file)
    assert told[0].startswith('Service balances: selector: {"app.kubernetes.io/name":"balances"} -> {')
    assert re.search(rf"by kubectl-edit at {AT}$", told[0])


def test_a_service_that_is_gone_is_named(scene: Scene) -> None:
    file = image_saved(scene)
    delete(scene, "services")
    only(scene, file, "Service balances is gone")


def test_a_deployment_that_is_gone_is_named(scene: Scene) -> None:
    file = image_saved(scene)
    delete(scene, "deployments")
    only(scene, file, "Deployment balances is gone")


def test_a_deployment_of_the_same_name_that_was_made_anew_is_another_one(scene: Scene) -> None:
    file = image_saved(scene)
    before = scene.get("deployments")
    delete(scene, "deployments")
    meta = {"name": "balances", "labels": before["metadata"]["labels"]}
    scene.api.create({"kind": "Deployment", "metadata": meta, "spec": before["spec"]})
    scene.world.pass_time(60)
    only(scene, file, "Deployment balances is another one: it was deleted and made anew")


def test_a_release_in_between_is_named_though_it_left_everything_as_it_was(scene: Scene) -> None:
    """A gate said no to another image: the old template is live again, and all else is as before."""
    file = image_saved(scene)
    scene.env = {"HEALTHZ_STATUS": "500"}
    other = Scene.release(scene, "localhost/igaming:7")
    scene.env = {}
    assert other.outcome is Outcome.ABORTED
    told = differences(scene, file)
    assert re.match(
        rf"another release in between: \w+ by \S+ at {AT}, aborted at {AT}: gate smoke said no", told[-1]
    )


def test_a_release_of_another_template_that_is_on_is_named(scene: Scene) -> None:
    file = image_saved(scene)
    other = saved(scene, "localhost/igaming:7", promote="manual")
    assert released(scene, other).stands
    only(scene, file, rf"another release is in flight, begun by \S+ at {AT}")


def test_every_difference_is_named_at_once(scene: Scene) -> None:
    file = image_saved(scene)
    edit(scene, "deployments", {"spec": {"replicas": 8, "minReadySeconds": 3}})
    set_image(scene, "localhost/igaming:9")
    delete(scene, "services")
    assert len(differences(scene, file)) == 4


# -- another cluster ----------------------------------------------------------------------------------------


def test_the_plan_of_another_cluster_is_refused_and_nothing_else_is_said(scene: Scene) -> None:
    file = image_saved(scene)
    set_image(scene, "localhost/igaming:9")
    cluster = Cluster("another", file.promise.cluster.server)
    here = file.promise.cluster.uid
    only(
        scene,
        resealed(file, cluster=cluster),
        f"this is another cluster: its UID is {here}, that of the plan's another",
    )


@pytest.mark.parametrize("uid", ["", "unknown here"])
def test_where_kube_system_may_not_be_read_the_deployments_own_uid_tells_the_cluster(
    scene: Scene, uid: str
) -> None:
    file = image_saved(scene)
    theirs = msgspec.structs.replace(file.promise.deployment, uid="another")
    other = resealed(file, cluster=Cluster(uid, "another"), deployment=theirs)
    scene.api.authority = "here"
    forbid(scene)
    anew = "Deployment balances is another one: it was deleted and made anew"
    only(scene, other, f"{anew}; the API server has another authority, so this may be another cluster")


def test_another_way_to_the_same_cluster_is_no_matter(scene: Scene) -> None:
    """Through another address, with other certificates: the Deployment's UID says that it is the same."""
    file = image_saved(scene)
    forbid(scene)
    scene.api.authority = "another way"
    assert held(scene, file).kept is file


def forbid(scene: Scene) -> None:
    """Let nobody read the namespace kube-system from now on."""
    scene.world.faults.plan = [Fault("denied", method="GET", resource="namespaces")]


# -- what is tolerated --------------------------------------------------------------------------------------


def test_pods_labels_and_annotations_are_no_matter(scene: Scene) -> None:
    file = image_saved(scene)
    delete(scene, "pods", scene.all("pods")[0]["metadata"]["name"])
    edit(scene, "deployments", {"metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}}})
    edit(scene, "services", {"metadata": {"annotations": {"note": "b"}}})
    assert released(scene, file).outcome is Outcome.PROMOTED


def test_what_was_changed_and_changed_back_is_no_matter(scene: Scene) -> None:
    file = image_saved(scene)
    edit(scene, "deployments", {"spec": {"replicas": 8, "minReadySeconds": 3}})
    edit(scene, "deployments", {"spec": {"replicas": 6, "minReadySeconds": 0}})
    assert released(scene, file).outcome is Outcome.PROMOTED


def test_the_size_that_an_autoscaler_chose_is_followed(scene: Scene) -> None:
    file = image_saved(scene)
    edit(scene, "deployments", {"spec": {"replicas": 8}}, "kube-controller-manager", sub="/scale")
    assert released(scene, file).outcome is Outcome.PROMOTED
    assert scene.serving() == {IMAGE: 8}
    assert scene.least() == 6


def test_a_person_who_scales_after_the_autoscaler_is_named(scene: Scene) -> None:
    file = image_saved(scene)
    edit(scene, "deployments", {"spec": {"replicas": 8}}, "kube-controller-manager", sub="/scale")
    edit(scene, "deployments", {"spec": {"replicas": 9}}, "kubectl", sub="/scale")
    only(scene, file, rf"Deployment balances: spec\.replicas: 6 -> 9, by kubectl at {AT}")


# -- the same plan again ------------------------------------------------------------------------------------


def test_a_plan_that_was_carried_out_has_nothing_left_to_do(scene: Scene) -> None:
    file = image_saved(scene)
    assert released(scene, file).outcome is Outcome.PROMOTED
    assert scene.serving() == NEW
    assert held(scene, file).done


def test_a_restart_that_was_carried_out_is_not_done_again(scene: Scene) -> None:
    file = saved(scene, restart=True)
    assert released(scene, file).outcome is Outcome.PROMOTED
    assert held(scene, file).done


def test_a_plan_that_a_gate_refused_is_not_tried_again(scene: Scene) -> None:
    scene.env = {"HEALTHZ_STATUS": "500"}
    file = image_saved(scene)
    assert released(scene, file).outcome is Outcome.ABORTED
    told = differences(scene, file)
    assert "gate smoke said no" in told[0]


@pytest.mark.parametrize("call", [2, 4, 6, 7])  # the first is the dry run
@pytest.mark.parametrize("kind", ["killBefore", "killAfter"])
def test_a_release_of_the_plan_that_died_is_gone_on_with(scene: Scene, kind: Any, call: int) -> None:
    """Before its first write, too: then all that it left is a line in the record."""
    file = image_saved(scene)
    scene.world.faults.plan = [Fault(kind, call=call, method="PATCH", resource="deployments")]
    with pytest.raises(Killed):
        released(scene, file)
    scene.world.faults.plan = []
    scene.api = scene.world.api("igaming")
    assert released(scene, file).outcome is Outcome.PROMOTED
    assert (scene.serving(), scene.settings(), scene.leftovers()) == (NEW, scene.before, [])


def test_what_kubernetes_has_finished_by_itself_is_planned_on_as_at_rest_and_finished_first(
    scene: Scene,
) -> None:
    """Every release of the pipeline ends armed: the plan of the next one need not wait for anybody."""
    first = image_saved(scene, wait="promoted")
    assert released(scene, first, until_promoted=True, keep_seconds=60).armed
    scene.world.pass_time(600)
    assert scene.leftovers() != []
    second = saved(scene, "localhost/igaming:3")
    assert second.promise.deployment.own == first.promise.deployment.own
    assert held(scene, second).unfinished
    assert (held(scene, first).done, held(scene, first).unfinished) == (True, True)


# -- a promise of other steps or another template -----------------------------------------------------------


def test_other_steps_than_those_that_were_planned_are_refused(scene: Scene) -> None:
    file = image_saved(scene)
    steps = (*file.promise.steps[:2], "hope", *file.promise.steps[3:])
    with pytest.raises(UsageError, match=r"step 3 is 'hold 6 stable and 5 preview pods', and was 'hope'"):
        released(scene, resealed(file, steps=steps))


def test_a_template_that_is_not_that_of_its_digest_is_refused(scene: Scene) -> None:
    file = image_saved(scene)
    other: Json = saved(scene, "localhost/igaming:9").promise.template
    with pytest.raises(UsageError, match="template is not that of its digest"):
        held(scene, resealed(file, template=other))


def test_settings_are_compared_as_kubernetes_defaults_them(scene: Scene) -> None:
    file = image_saved(scene)
    assert file.promise.deployment.own == Settings.of(scene.get("deployments"))
