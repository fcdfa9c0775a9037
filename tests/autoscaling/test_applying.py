"""A policy is applied to a cluster: what it states and nothing else, and taken off again."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
import yaml

from deployctl.autoscaling import held
from deployctl.autoscaling.applying import Change, changes, removals, scaler
from deployctl.autoscaling.held import Hold
from deployctl.autoscaling.native import hpa_spec
from deployctl.autoscaling.outlook import checked, outlook
from deployctl.autoscaling.policy import Budget, Policy
from deployctl.errors import Conflict, UsageError
from deployctl.prepare import guess
from strategies.quantities import Amount
from tests.sandbox.rehearsing import EXAMPLE, Scene

Json = dict[str, Any]
HPAS = "horizontalpodautoscalers"
CPU = Policy(min=6, max=40, cpu="60%")


class Place:
    """The example's balances, in a cluster of the sandbox with its own quota, defaults and checks."""

    def __init__(self, *, hpa: bool = False) -> None:
        self.scene = Scene()
        self.api: Any = self.scene.api
        if hpa:
            self.api.create(yaml.safe_load((EXAMPLE / "balances/hpa.yaml").read_text()))
        self.names = guess(self.api, "balances")

    @property
    def workload(self) -> Json:
        return self.scene.get("deployments")

    @property
    def hpa(self) -> Json:
        return self.scene.get(HPAS)

    def planned(self, policy: Policy) -> tuple[Change, ...]:
        return changes(self.api, self.names, policy, self.workload)

    def apply(self, policy: Policy) -> None:
        for one in self.planned(policy):
            if one.request:
                self.api.send(one.request)

    def remove(self) -> tuple[str, ...]:
        told = removals(self.api, self.names, self.workload)
        for one in told:
            assert one.request is not None
            self.api.send(one.request)
        return tuple(one.verb for one in told)

    def hold(self, hold: Hold) -> None:
        request = held.take(self.hpa, hold)
        assert request is not None
        self.api.send(request)


def spec_of(thing: Json) -> Json:
    return copy.deepcopy({"spec": thing["spec"], "annotations": thing["metadata"].get("annotations")})


def test_a_policy_makes_its_autoscaler_and_the_second_time_there_is_nothing_to_do() -> None:
    place = Place()
    assert [one.verb for one in place.planned(CPU)] == ["create"]
    place.apply(CPU)
    assert (place.hpa["spec"]["minReplicas"], place.hpa["spec"]["maxReplicas"]) == (6, 40)
    assert [one.verb for one in place.planned(CPU)] == ["same"]


def test_a_plan_touches_nothing() -> None:
    place = Place(hpa=True)
    before = spec_of(place.hpa)
    place.planned(CPU)
    assert spec_of(place.hpa) == before


def test_an_autoscaler_that_is_there_is_adopted_by_what_the_policy_states() -> None:
    place = Place(hpa=True)
    behavior = copy.deepcopy(place.hpa["spec"]["behavior"])
    told = place.planned(CPU)
    assert (told[0].verb, told[0].fields) == ("adopt", (("spec.maxReplicas", 18, 40),))
    place.apply(CPU)
    assert place.hpa["spec"]["behavior"] == behavior
    assert place.workload["spec"]["replicas"] == 6


def test_taking_it_off_gives_back_what_was_adopted() -> None:
    place = Place(hpa=True)
    before = spec_of(place.hpa)
    place.apply(CPU)
    assert place.remove() == ("give back",)
    assert spec_of(place.hpa) == before


def test_taking_it_off_takes_what_was_made() -> None:
    place = Place()
    place.apply(CPU)
    assert place.remove() == ("delete",)
    assert place.scene.all(HPAS) == []
    assert place.remove() == ()


def test_a_budget_is_adopted_and_given_back() -> None:
    place = Place()
    before = spec_of(place.scene.get("poddisruptionbudgets"))
    policy = msgspec.structs.replace(CPU, pdb=Budget(min_available=Amount(4)))
    place.apply(policy)
    assert place.scene.get("poddisruptionbudgets")["spec"]["minAvailable"] == 4
    assert place.remove() == ("delete", "give back")
    assert spec_of(place.scene.get("poddisruptionbudgets")) == before


def test_two_scalers_of_one_target_are_refused_by_name() -> None:
    place = Place(hpa=True)
    other = yaml.safe_load((EXAMPLE / "balances/hpa.yaml").read_text())
    place.api.create({**other, "metadata": {"name": "second", "namespace": "igaming"}})
    with pytest.raises(
        UsageError, match="HorizontalPodAutoscaler balances and HorizontalPodAutoscaler second"
    ):
        scaler(place.api, place.names)


def test_a_policy_that_is_applied_under_a_surge_leaves_the_surge() -> None:
    place = Place(hpa=True)
    place.hold(Hold("surge", floor=14))
    place.apply(msgspec.structs.replace(CPU, min=8))
    assert place.hpa["spec"]["minReplicas"] == 14
    request = held.give_back(place.hpa, "surge")
    assert request is not None
    place.api.send(request)
    assert place.hpa["spec"]["minReplicas"] == 8
    place.remove()
    assert place.hpa["spec"]["minReplicas"] == 6


def test_what_is_held_is_not_taken_off() -> None:
    place = Place(hpa=True)
    place.apply(CPU)
    place.hold(Hold("surge", floor=14))
    with pytest.raises(Conflict, match="is held by surge"):
        place.remove()


def test_a_share_of_a_request_that_no_container_makes_is_refused() -> None:
    place = Place()
    workload = copy.deepcopy(place.workload)
    workload["spec"]["template"]["spec"]["containers"][0]["resources"] = {}
    with pytest.raises(UsageError, match="requests none"):
        list(checked(place.api, place.names, CPU, workload))


def test_a_quota_says_by_how_many_pods_it_is_short() -> None:
    place = Place()
    meta = {"name": "small", "namespace": "igaming"}
    place.api.create(
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": {"pods": "39"}}}
    )
    place.scene.world.pass_time(10)
    told = tuple(checked(place.api, place.names, CPU, place.workload))
    assert "quota small (pods 39) has room for 39 pods, 1 short of 40" in told


MEASURED = {
    "type": "Resource",
    "resource": {"name": "cpu", "current": {"averageUtilization": 90, "averageValue": "90m"}},
}


def test_what_a_change_will_do_now_is_worked_out_from_what_was_measured() -> None:
    before = {
        "spec": hpa_spec(CPU, {}),
        "metadata": {"name": "wallet"},
        "status": {"currentMetrics": [MEASURED]},
    }
    after = hpa_spec(Policy(min=6, max=40, cpu="30%"), {})
    assert outlook(before, after, 6) == ("now 6 pods: 9 under the policy before, 18 under this one",)
    amount = hpa_spec(Policy(min=6, max=40, cpu="45m"), {})
    assert outlook(before, amount, 6) == ("now 6 pods: 9 under the policy before, 12 under this one",)


def test_a_metric_that_was_never_measured_is_named() -> None:
    before = {
        "spec": hpa_spec(CPU, {}),
        "metadata": {"name": "wallet"},
        "status": {"currentMetrics": [MEASURED]},
    }
    told = outlook(before, hpa_spec(Policy(min=6, max=40, cpu="60%", memory="60%"), {}), 6)
    assert told[1] == "memory has not been measured so yet, and may want more"
