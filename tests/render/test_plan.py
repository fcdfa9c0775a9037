"""What a plan says, from a prepared release alone."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from deployctl.cluster.view import Names
from deployctl.difference import unlike
from deployctl.errors import Refused
from deployctl.pace import gate_seconds
from deployctl.planning import Around, plan
from deployctl.prepare import Prepared
from deployctl.published import Plan
from deployctl.render.plan import colored, text
from deployctl.spec import App, from_canonical
from tests.autoscaling.objects import hpa
from tests.render import objects
from tests.render.objects import OLD, OWN, R1, R2, deployment, in_flight, pods, replica_set, service

NAMES = Names("igaming", "wallet", "wallet", ("wallet",))
BLUE_GREEN = {"blueGreen": {"keepOld": "60s"}}


def app(strategy: dict[str, Any] | None = None, **gates: Any) -> App:
    spec = {
        "workload": {"deployment": "wallet", "services": ["wallet"]},
        "strategy": strategy or BLUE_GREEN,
        "gates": gates or {"before": [{"name": "smoke", "http": {"path": "/healthz"}}]},
    }
    whole = {
        "apiVersion": "deployctl.dev/v1alpha1",
        "kind": "App",
        "metadata": {"name": "wallet"},
        "spec": spec,
    }
    return from_canonical(whole)


def prepared(preview: dict[str, Any] = R2, **more: Any) -> Prepared:
    live = deployment(R1, OWN)
    sets = (replica_set(R1, OLD, 3, 4),)
    found = Prepared(NAMES, live, (service(),), sets, None, stable=R1, preview=preview)
    return replace(found, **more)


def planned(found: Prepared, of: App | None = None, **around: Any) -> Plan:
    return plan(found, of or app(), Around(context="prod", pods=pods(OLD, 3), **around))


def test_a_whole_plan() -> None:
    assert (
        text(planned(prepared(not_released=("Deployment wallet: spec.replicas is 3, the manifest says 4",))))
        == """\
plan of wallet in igaming (context prod): blueGreen, 3 pods

pod template
  ~ spec.containers[app].image: "wallet:1" -> "wallet:2"

not released: kubectl apply
  Deployment wallet: spec.replicas is 3, the manifest says 4

       step                                               expected   at worst   extra pods
   1   pause the Deployment and write down its settings
   2   pin wallet to the stable pods
   3   hold 3 stable and 2 preview pods                                                 +2
   4   wait for 2 of the preview ready                          4s        10m           +2
   5   pause, so that nobody's edit can act                                             +2
   6   ask the gates before, of 2 pods                          0s      1m19s           +2
   7   hold 3 stable and 3 preview pods                                                 +3
   8   wait for 3 of the preview ready                          4s        10m           +3
   9   pause, so that nobody's edit can act                                             +3
  10   shift 100% of wallet to the preview pods                                         +3
  11   wait for keepOld to pass                                 1m         1m           +3
  12   wait for every node to hear that they left               2s         2s           +3
  13   retire the old side
  14   wait for the last pods to be seen gone                   2s         2s
  15   unpin wallet: it selects as its manifest says
  16   restore the user's settings
       in all                                                1m12s     22m23s

what it takes
  extra pods at the peak: 3
  writes: 7 deployment, 3 service
  a bad revision is found before it has traffic: usually 8s, at worst 21m19s
  a bad revision with traffic is found: no gate asks
  the way back before it has traffic: usually 2s, at worst 2s
  the way back after that: usually 2s, at worst 2s"""
    )


def test_the_same_inputs_give_the_same_plan() -> None:
    assert planned(prepared()) == planned(prepared())


def test_an_equal_template_is_nothing_to_do() -> None:
    one = planned(prepared(preview=copy.deepcopy(R1)))
    assert (one.changes, one.steps) == ((), ())
    assert "nothing to do: this template is live" in text(one)


def test_a_value_whose_name_says_secret_is_not_shown() -> None:
    """In either template: the plan may end in a pipeline's log."""
    old, new = (copy.deepcopy(R1) for _ in "ab")
    old["spec"]["containers"][0]["env"] = [{"name": "DB_PASSWORD", "value": "planted-1"}]
    new["spec"]["containers"][0]["env"] = [
        {"name": "DB_PASSWORD", "value": "planted-2"},
        {"name": "API_KEY", "value": "planted-3"},
    ]
    new["spec"]["containers"][0]["args"] = ["serve", "--token=planted-4"]
    told = text(planned(prepared(preview=new, stable=old)))
    assert "planted" not in told
    assert "spec.containers[app].env[DB_PASSWORD].value: (hidden) -> (hidden)" in told


def test_the_pre_stop_that_is_added_is_named() -> None:
    new = copy.deepcopy(R1)
    new["spec"]["containers"][0]["lifecycle"] = {"preStop": {"sleep": {"seconds": 5}}}
    one = planned(prepared(preview=new, added_pre_stop=("app",)))
    assert one.changes[0].note == "added so that a pod told to go outlives its endpoint"


def test_what_would_refuse_the_release_stands_below_the_plan() -> None:
    refused = Refused("Argo CD may write over the hold", advice="suspend its sync")
    told = text(planned(prepared(), problems=(refused,)))
    assert told.endswith("""\
a release would be refused
  Argo CD may write over the hold (exit 9)
    next: suspend its sync""")


def test_a_manual_promotion_is_a_step_of_the_plan_and_the_walk_goes_on() -> None:
    one = planned(prepared(), app({"blueGreen": {"promote": "manual"}}))
    assert one.waits_for_a_person
    assert one.steps[-1].does == "restore the user's settings"
    assert "deployctl promote wallet" in text(one)


def test_until_promoted_leaves_the_rest_to_kubernetes() -> None:
    one = planned(prepared(), until_promoted=True)
    assert one.steps[-1].does == "shift 100% of wallet to the preview pods"


def test_a_rolling_plan_lets_each_batch_in_after_its_gates() -> None:
    one = planned(prepared(), app({"rolling": {"batch": 1, "bake": "5s"}}))
    words = [step.does for step in one.steps]
    assert words.index("ask the gates before, of 1 pod") < words.index("let 1 pod of the preview in")
    assert one.peak_extra_pods == 1


def test_a_release_in_flight_is_shown_instead_of_steps() -> None:
    one = planned(prepared(memory=in_flight(), deployment=deployment()))
    assert one.steps == ()
    assert "`deployctl release` goes on with it" in text(one)


def test_another_template_in_flight_is_said_to_be_in_the_way() -> None:
    one = planned(prepared(preview=objects.template("wallet:3"), memory=in_flight(), deployment=deployment()))
    assert "until `deployctl abort wallet`" in text(one)


def test_who_may_write_over_the_hold_is_named() -> None:
    live = deployment(R1, OWN)
    live["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = (
        '{"spec": {"minReadySeconds": 5, "replicas": 3}}'
    )
    live["metadata"]["managedFields"].append(
        {"manager": "flux", "operation": "Apply", "fieldsV1": {"f:spec": {"f:strategy": {}, "f:paused": {}}}}
    )
    told = planned(prepared(deployment=live)).ends_hold
    assert told[0] == "kubectl apply of the manifest: its last-applied copy states spec.minReadySeconds"
    assert told[1] == "server-side apply by flux: it states spec.strategy, spec.paused"


def test_what_is_held_of_an_autoscaler_and_put_back_is_told() -> None:
    told = planned(prepared(), autoscalers=(hpa(2),))
    size = told.replicas
    assert told.autoscaling[0] == (
        f"HorizontalPodAutoscaler wallet is held: no scaling down, and not under {size} (by itself 2)"
    )
    assert "the autoscaler, through the release" in text(told)


def test_what_bears_on_the_hold_of_an_autoscaler_is_warned_of() -> None:
    bad = {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": "none"}
    queue = {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "30"}}
    scaler = {**hpa(2, metrics=[{"type": "External", "external": queue}]), "status": {"conditions": [bad]}}
    told = planned(prepared(), autoscalers=(scaler,), unheld=("it cannot be held",))
    assert told.autoscaling[2] == "warning: it cannot scale now: FailedGetResourceMetric: none"
    assert told.autoscaling[3].startswith("warning: queue is a value for all")
    assert told.warnings[-1] == "it cannot be held"


def test_colour_is_only_where_it_is_asked_for() -> None:
    one = planned(prepared())
    assert "\x1b" not in text(one)
    assert "\x1b[32m" in text(one, colored)


@pytest.mark.parametrize(
    ("gate", "expected", "worst"),
    [
        ({}, 0.0, 29.0),
        ({"count": 3}, 2.0, 89.0),
        ({"count": 3, "consecutiveErrorLimit": 0, "timeout": "1s"}, 2.0, 5.0),
        ({"initialDelay": "10s", "consecutiveErrorLimit": 0}, 10.0, 15.0),
    ],
)
def test_a_gate_takes_its_intervals_and_at_worst_all_its_silences(
    gate: dict[str, Any], expected: float, worst: float
) -> None:
    one = app(after=[{"name": "reads", "http": {"url": "http://reads"}, **gate}]).spec.gates.after[0]
    assert gate_seconds(one, pods=6) == (expected, worst)


def test_items_of_a_list_are_compared_by_their_names() -> None:
    old = {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}], "args": ["x"]}
    new = {"env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}], "args": ["x", "y"]}
    assert list(unlike(old, new)) == [
        ("env[A]", {"name": "A", "value": "1"}, None),
        ("env[B].value", "2", "3"),
        ("env[C]", None, {"name": "C", "value": "4"}),
        ("args", ["x"], ["x", "y"]),
    ]
