"""What the controller of a StatefulSet does: ordinals, order, partition, revisions."""

from __future__ import annotations

from typing import Any

import pytest

from deployctl.sandbox.controllers.pods import is_leaving, is_ready
from deployctl.sandbox.objects.defaulting import defaulted
from tests.sandbox.imagination import Json, Practice, template

HELD = 2_147_483_647
STUCK = [{"name": "NEVER_READY", "value": "1"}]


class Ranked(Practice):
    """A cluster with one StatefulSet, `wallet`."""

    @classmethod
    def at_rest(cls, replicas: int = 3, **spec: Any) -> Ranked:
        made = cls()
        body = {
            "metadata": {"name": "wallet", "namespace": "default"},
            "spec": {
                "replicas": replicas,
                "serviceName": "peers",
                "selector": {"matchLabels": {"app": "wallet"}},
                "template": template("app:1"),
                **spec,
            },
        }
        made.store.create("statefulsets", defaulted("statefulsets", body))
        made.run(30)
        return made

    @property
    def set(self) -> Json:
        held = self.store.get("statefulsets", "default", "wallet")
        assert held is not None
        return held

    def images(self) -> dict[str, str]:
        """Give the image of each pod, and a mark on those that are not ready."""
        pods = self.store.list("pods", "default")
        return {
            one["metadata"]["name"]: one["spec"]["containers"][0]["image"] + ("" if is_ready(one) else "?")
            for one in pods
            if not is_leaving(one)
        }

    def partitioned(self, partition: int, **spec: Any) -> None:
        rolling = {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}
        self.change("statefulsets", updateStrategy=rolling, **spec)

    def deleted(self) -> list[str]:
        """Name the pods that the controller has deleted, in order."""
        told = sorted(self.store.list("events"), key=lambda one: int(one["metadata"]["resourceVersion"]))
        return [one["message"].split()[2] for one in told if one["reason"] == "SuccessfulDelete"]

    def delete(self, name: str) -> None:
        from deployctl.sandbox.api.deleting import Wish, removed
        from deployctl.sandbox.resources import BY_NAME

        pod = self.store.get("pods", "default", name)
        assert pod is not None
        removed(self.store, BY_NAME["pods"], pod, Wish())

    def revisions(self) -> list[int]:
        return sorted(one["revision"] for one in self.store.list("controllerrevisions", "default"))


def of(image: str, *ordinals: int) -> dict[str, str]:
    return {f"wallet-{one}": image for one in ordinals}


def stuck(image: str = "app:2") -> Json:
    made = template(image)
    made["spec"]["containers"][0]["env"] = STUCK
    return made


def test_pods_are_made_one_after_the_other_under_their_names():
    world = Ranked.at_rest()
    assert world.images() == of("app:1", 0, 1, 2)
    born = [one["metadata"]["creationTimestamp"] for one in world.store.list("pods", "default")]
    assert born == sorted(born)
    assert world.events("SuccessfulCreate") != []


def test_a_pod_carries_its_name_its_ordinal_and_its_revision():
    world = Ranked.at_rest(1)
    (pod,) = world.store.list("pods", "default")
    (revision,) = world.store.list("controllerrevisions", "default")
    assert pod["metadata"]["labels"] == {
        "app": "wallet",
        "statefulset.kubernetes.io/pod-name": "wallet-0",
        "apps.kubernetes.io/pod-index": "0",
        "controller-revision-hash": revision["metadata"]["name"],
    }
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("wallet-0", "peers")


def test_a_new_template_goes_from_the_highest_ordinal_down():
    world = Ranked.at_rest()
    world.change("statefulsets", template=template("app:2"))
    world.run(60)
    assert world.images() == of("app:2", 0, 1, 2)
    assert world.deleted() == ["wallet-2", "wallet-1", "wallet-0"]
    status = world.set["status"]
    assert status["currentRevision"] == status["updateRevision"]
    assert world.revisions() == [1, 2]


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
def test_below_the_partition_nothing_is_made_anew(policy):
    world = Ranked.at_rest(4, podManagementPolicy=policy)
    world.partitioned(2, template=template("app:2"))
    world.run(60)
    assert world.images() == of("app:1", 0, 1) | of("app:2", 2, 3)
    assert world.set["status"]["updatedReplicas"] == 2


def test_a_deleted_pod_comes_back_as_its_side_of_the_partition_has_it():
    world = Ranked.at_rest(4)
    world.partitioned(2, template=template("app:2"))
    world.run(60)
    world.delete("wallet-0")
    world.delete("wallet-3")
    world.run(60)
    assert world.images() == of("app:1", 0, 1) | of("app:2", 2, 3)


def test_a_partition_that_no_ordinal_reaches_makes_a_template_inert():
    world = Ranked.at_rest()
    world.partitioned(HELD, template=template("app:2"))
    world.delete("wallet-1")
    world.run(60)
    assert world.images() == of("app:1", 0, 1, 2)


def test_ordered_ready_waits_for_ever_for_a_pod_that_never_comes():
    """Also after the template was put back, until the pod is deleted."""
    world = Ranked.at_rest()
    before = world.set["spec"]["template"]
    world.change("statefulsets", template=stuck())
    world.run(60)
    assert world.images() == of("app:1", 0, 1) | of("app:2?", 2)
    world.change("statefulsets", template=before)
    world.run(300)
    assert world.images() == of("app:1", 0, 1) | of("app:2?", 2)
    world.delete("wallet-2")
    world.run(60)
    assert world.images() == of("app:1", 0, 1, 2)
    assert world.revisions() == [2, 3]


def test_parallel_replaces_a_pod_that_never_comes_by_itself():
    world = Ranked.at_rest(podManagementPolicy="Parallel")
    before = world.set["spec"]["template"]
    world.change("statefulsets", template=stuck())
    world.run(60)
    world.change("statefulsets", template=before)
    world.run(60)
    assert world.images() == of("app:1", 0, 1, 2)


def test_on_delete_makes_anew_only_what_is_deleted_and_that_of_the_new_template():
    world = Ranked.at_rest()
    world.change("statefulsets", updateStrategy={"type": "OnDelete"}, template=template("app:2"))
    world.run(60)
    assert world.images() == of("app:1", 0, 1, 2)
    world.delete("wallet-0")
    world.run(60)
    assert world.images() == of("app:1", 1, 2) | of("app:2", 0)


def test_scaling_takes_the_highest_and_adds_above():
    world = Ranked.at_rest()
    world.change("statefulsets", replicas=1)
    world.run(60)
    assert world.images() == of("app:1", 0)
    assert world.deleted() == ["wallet-2", "wallet-1"]
    world.change("statefulsets", replicas=4)
    world.run(60)
    assert world.images() == of("app:1", 0, 1, 2, 3)


def test_ordinals_may_begin_elsewhere():
    world = Ranked.at_rest(2, ordinals={"start": 5})
    assert world.images() == of("app:1", 5, 6)
    world.partitioned(1, template=template("app:2"))
    world.run(60)
    assert world.images() == of("app:1", 5) | of("app:2", 6)


def test_the_oldest_revisions_are_forgotten():
    world = Ranked.at_rest(1, revisionHistoryLimit=1)
    for number in range(2, 6):
        world.change("statefulsets", template=template(f"app:{number}"))
        world.run(60)
    assert world.revisions() == [4, 5]


def test_minimum_ready_seconds_hold_the_next_pod_back():
    world = Ranked.at_rest(2, minReadySeconds=20)
    world.run(60)
    world.change("statefulsets", template=template("app:2"))
    world.run(15)
    assert world.images() == of("app:1", 0) | of("app:2", 1)
    assert world.set["status"]["availableReplicas"] == 1
    world.run(60)
    assert world.images() == of("app:2", 0, 1)
