"""What `doctor` finds wrong with a workload, and the patch that it prints."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from deployctl.memory import Settings, rolling_update
from deployctl.readiness import Finding, Patient, findings
from tests.objects import OWN, Json, deployment, own, pod, replica_set, service, template

SAFE = rolling_update("0", "25%")
BUDGET = {
    "metadata": {"name": "wallet"},
    "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "wallet"}}},
}
REQUESTS = {"requests": {"cpu": "100m", "memory": "64Mi"}}
PROBE = {"httpGet": {"path": "/readyz", "port": "http"}}


def good() -> Json:
    """Build the template of an app that lacks nothing."""
    one = template()
    one["spec"]["containers"][0].update(readinessProbe=PROBE, resources=REQUESTS)
    return one


def without(*keys: str, **more: Any) -> Json:
    """Build that template with some keys of its container left out, and others put in."""
    one = good()
    [container] = one["spec"]["containers"]
    one["spec"]["containers"] = [{**{k: v for k, v in container.items() if k not in keys}, **more}]
    return one


def on_nodes(*nodes: str) -> tuple[Json, ...]:
    owner = replica_set(good(), 2)
    pods = (pod(owner, f"p{n}") for n, _ in enumerate(nodes))
    return tuple(
        {**one, "spec": {**one["spec"], "nodeName": node}} for one, node in zip(pods, nodes, strict=True)
    )


def patient(of: Json | None = None, settings: Settings | None = None, **fields: Any) -> Patient:
    whole: Json = {
        "workload": deployment(of or good()),
        "own": settings or own(strategy=SAFE),
        "services": (service(),),
        "pods": on_nodes("a", "b"),
        "budgets": (BUDGET,),
        "autoscalers": (),
        "listed": ("wallet",),
        "pre_stop_seconds": 5.0,
        "kubectl": "kubectl -n igaming",
    }
    return Patient(**{**whole, **fields})


def wrong(one: Patient) -> list[Finding]:
    return [found for found in findings(one) if found.level != "ok"]


def only(one: Patient) -> Finding:
    [found] = wrong(one)
    return found


def patched(found: Finding) -> Json:
    """Read the change of a patch as kubectl would."""
    change: Json = json.loads(shlex.split(found.fix)[-1])
    return change["spec"]


def test_an_app_that_lacks_nothing_is_ready() -> None:
    assert wrong(patient()) == []


def test_an_app_without_a_readiness_probe_gets_one_on_its_port() -> None:
    found = only(patient(without("readinessProbe")))
    assert (found.check, found.level, found.restarts) == ("readiness", "error", True)
    [container] = patched(found)["template"]["spec"]["containers"]
    assert (container["name"], container["readinessProbe"]["tcpSocket"]) == ("app", {"port": "http"})


def test_the_probe_asks_what_the_liveness_probe_asks() -> None:
    [container] = patched(only(patient(without("readinessProbe", livenessProbe=PROBE))))["template"]["spec"][
        "containers"
    ]
    assert container["readinessProbe"]["httpGet"] == PROBE["httpGet"]


def test_a_liveness_probe_with_a_secret_header_is_not_repeated() -> None:
    header = {"name": "Authorization", "value": "Bearer hunter2"}
    asked = {"httpGet": {**PROBE["httpGet"], "httpHeaders": [header]}}
    assert "hunter2" not in only(patient(without("readinessProbe", livenessProbe=asked))).fix


def test_an_app_without_a_pre_stop_is_warned_of_and_with_keep_it_is_wrong() -> None:
    lacking = without("lifecycle")
    assert [(one.check, one.level) for one in wrong(patient(lacking))] == [("preStop", "warning")]
    assert [(one.check, one.level) for one in wrong(patient(lacking, pre_stop_seconds=None))] == [
        ("preStop", "error")
    ]


@pytest.mark.parametrize(("sleep", "level"), [(24, "ok"), (27, "warning"), (30, "error")])
def test_the_app_needs_time_after_its_pre_stop(sleep: int, level: str) -> None:
    slow = without(lifecycle={"preStop": {"exec": {"command": ["sh", "-c", f"sleep {sleep}"]}}})
    found = next(one for one in findings(patient(slow)) if one.check == "grace")
    assert found.level == level


def test_the_patch_of_the_grace_leaves_time_after_the_sleep() -> None:
    slow = without(lifecycle={"preStop": {"sleep": {"seconds": 30}}})
    assert patched(only(patient(slow)))["template"]["spec"] == {"terminationGracePeriodSeconds": 40}


def test_a_rollout_by_kubectl_may_take_pods_first() -> None:
    found = only(patient(settings=own(strategy=OWN)))
    assert found.check == "maxUnavailable"
    assert "takes 1 of 6 pods" in found.message
    assert patched(found) == {"strategy": {"rollingUpdate": {"maxUnavailable": 0}}}


def test_where_nothing_may_surge_the_patch_lets_something() -> None:
    found = only(patient(settings=own(strategy=rolling_update(2, 0))))
    assert patched(found)["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": "25%"}


def test_recreate_stops_everything() -> None:
    found = only(patient(settings=own(strategy={"type": "Recreate"})))
    assert (found.check, found.level) == ("strategy", "error")


def test_one_pod_is_none_while_its_node_goes() -> None:
    one = deployment(good(), 1)
    assert "singleton" in {found.check for found in wrong(patient(workload=one, pods=on_nodes("a")))}


def test_an_autoscaler_that_may_go_to_one_pod_is_patched_itself() -> None:
    scaler = {"metadata": {"name": "wallet-scaler"}, "spec": {"minReplicas": 1}}
    assert only(patient(autoscalers=(scaler,))).fix.startswith("kubectl -n igaming patch hpa/wallet-scaler")


def test_pods_on_one_node_are_spread() -> None:
    found = only(patient(pods=on_nodes("a", "a")))
    [wish] = patched(found)["template"]["spec"]["topologySpreadConstraints"]
    assert wish["labelSelector"] == {"matchLabels": {"app": "wallet"}}


def test_no_budget_is_warned_of_and_made() -> None:
    fix = only(patient(budgets=())).fix
    assert (
        fix
        == "kubectl -n igaming create poddisruptionbudget wallet --selector=app=wallet --max-unavailable=1"
    )


def test_two_budgets_allow_no_eviction() -> None:
    other = {"metadata": {"name": "other"}, "spec": {"minAvailable": 1, "selector": {}}}
    assert only(patient(budgets=(BUDGET, other))).level == "error"


@pytest.mark.parametrize("spec", [{"maxUnavailable": 0}, {"minAvailable": 6}, {"minAvailable": "100%"}])
def test_a_budget_that_allows_nothing_hangs_drains(spec: Json) -> None:
    one = {**BUDGET, "spec": {**spec, "selector": {"matchLabels": {"app": "wallet"}}}}
    assert "a node drain hangs" in only(patient(budgets=(one,))).message


def test_budgets_that_may_not_be_listed_are_no_budgets_that_are_missing() -> None:
    assert "cannot be listed" in only(patient(budgets=None)).message


def test_a_service_that_is_not_listed_is_named_with_the_line_that_lists_it() -> None:
    found = only(patient(services=(service(), service("wallet-internal"))))
    assert (found.check, found.level) == ("services", "error")
    assert "[wallet, wallet-internal]" in found.fix


def test_a_service_that_a_release_has_pinned_still_is_one() -> None:
    pinned = service(**{"pod-template-hash": "abc"})
    assert wrong(patient(services=(pinned,))) == []


def test_an_app_without_a_service_has_no_traffic() -> None:
    assert "no Service selects its pods" in only(patient(services=())).message


def test_a_service_that_publishes_early_is_patched() -> None:
    early = service()
    early["spec"]["publishNotReadyAddresses"] = True
    assert patched(only(patient(services=(early,)))) == {"publishNotReadyAddresses": False}


def test_what_is_not_requested_is_named() -> None:
    found = only(patient(without(resources={"requests": {"cpu": "1"}})))
    assert found.fix == "kubectl -n igaming set resources deployment/wallet -c app --requests=memory=128Mi"


def test_an_app_that_keeps_no_revision_has_no_way_back() -> None:
    one = deployment(good(), revisionHistoryLimit=1)
    assert patched(only(patient(workload=one))) == {"revisionHistoryLimit": 10}
