"""Wrong objects are refused in the words of Kubernetes 1.35."""

from __future__ import annotations

import pytest

from deployctl.sandbox.calls import Refused
from deployctl.sandbox.objects.defaulting import defaulted
from deployctl.sandbox.objects.validation import validate
from tests.sandbox.told import changed, tells, told

OBJECTS = told("objects")
CREATED = told("create")
SEEN = {"uid": "u", "resourceVersion": "1"}


def held(resource, change=()):
    one = changed(OBJECTS[resource], change)
    return defaulted(resource, {**one, "metadata": {**one["metadata"], **SEEN}})


def refused(resource, one, before=None):
    with pytest.raises(Refused) as no:
        validate(resource, defaulted(resource, one), before)
    return no.value


@pytest.mark.parametrize("case", [it for it in CREATED if "says" in it], ids=tells)
def test_a_wrong_object_is_refused_in_the_servers_words(case):
    no = refused(case["resource"], changed(OBJECTS[case["resource"]], case["change"]))
    assert no.message == case["says"]
    assert [cause["reason"] for cause in no.details["causes"]] == case["causes"]


@pytest.mark.parametrize("case", [it for it in CREATED if "becomes" in it], ids=tells)
def test_a_good_object_is_accepted(case):
    one = changed(OBJECTS[case["resource"]], [*case["change"], [["metadata", "name"], "good"]])
    validate(case["resource"], defaulted(case["resource"], one))


def test_a_refusal_names_the_object_and_each_cause():
    no = refused("deployments", changed(OBJECTS["deployments"], [[["spec", "replicas"], -1]]))
    assert (no.code, no.reason) == (422, "Invalid")
    assert no.details == {
        "name": "wallet",
        "group": "apps",
        "kind": "Deployment",
        "causes": [
            {
                "reason": "FieldValueInvalid",
                "message": "Invalid value: -1: must be greater than or equal to 0",
                "field": "spec.replicas",
            }
        ],
    }


def test_the_selector_of_a_deployment_stays():
    labels = {"app": "wallet", "x": "y"}
    change = [
        [["spec", "selector", "matchLabels"], labels],
        [["spec", "template", "metadata", "labels"], labels],
    ]
    no = refused("deployments", held("deployments", change), held("deployments"))
    assert no.message == (
        'Deployment.apps "wallet" is invalid: spec.selector: Invalid value: '
        '{"matchLabels":{"app":"wallet","x":"y"}}: field is immutable'
    )


def test_the_name_of_an_object_stays():
    no = refused("deployments", held("deployments", [[["metadata", "name"], "other"]]), held("deployments"))
    assert 'metadata.name: Invalid value: "other": field is immutable' in no.message


def test_what_is_being_deleted_takes_no_new_finalizer():
    going = [
        [["metadata", "deletionTimestamp"], "2026-01-01T00:00:00Z"],
        [["metadata", "finalizers"], ["a/b"]],
    ]
    more = [*going, [["metadata", "finalizers"], ["a/b", "c/d"]]]
    no = refused("deployments", held("deployments", more), held("deployments", going))
    assert 'found new finalizers []string{"c/d"}' in no.message


def test_of_a_pod_only_the_image_may_change():
    before = held("pods")
    validate("pods", held("pods", [[["spec", "containers", 0, "image"], "x:9"]]), before)
    no = refused("pods", held("pods", [[["spec", "containers", 0, "env", 0, "value"], "2"]]), before)
    assert no.message.startswith(
        'Pod "p" is invalid: spec: Forbidden: pod updates may not change fields other than '
        "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
        "`spec.tolerations` (only additions to existing tolerations),"
        "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n"
    )


def test_the_deletion_cost_of_a_pod_is_a_number():
    change = [[["metadata", "annotations"], {"controller.kubernetes.io/pod-deletion-cost": "x"}]]
    no = refused("pods", held("pods", change), held("pods"))
    assert no.message == (
        'Pod "p" is invalid: metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: '
        'Invalid value: "x": must be a 32bit integer'
    )


def test_the_address_of_a_service_stays():
    before = held("services", [[["spec", "clusterIP"], "10.0.0.1"], [["spec", "clusterIPs"], ["10.0.0.1"]]])
    after = changed(before, [[["spec", "clusterIP"], "10.0.0.2"]])
    no = refused("services", after, before)
    assert no.message == (
        'Service "wallet" is invalid: spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set'
    )


def test_an_immutable_config_map_stays():
    before = held("configmaps", [[["immutable"], True]])
    no = refused("configmaps", changed(before, [[["data"], {"x": "y"}]]), before)
    assert (
        no.message == 'ConfigMap "c" is invalid: data: Forbidden: field is immutable when `immutable` is set'
    )
