"""The kinds have the fields that the installed client has, and values of wrong types are told as the server does."""

from __future__ import annotations

import pytest
from kubernetes.client import models

from deployctl.sandbox.calls import Refused
from deployctl.sandbox.objects.defaulting import defaulted
from deployctl.sandbox.objects.fields import fields_of, unknown
from deployctl.sandbox.objects.shaping import decoded
from deployctl.sandbox.resources import BY_NAME, RESOURCES
from tests.sandbox.told import changed, tells, told

OBJECTS = told("objects")
DECODED = told("decode")
ELSEWHERE = {
    "EndpointPort": "DiscoveryV1EndpointPort",
    "Event": "CoreV1Event",
    "HorizontalPodAutoscaler": "V2HorizontalPodAutoscaler",
    "HorizontalPodAutoscalerSpec": "V2HorizontalPodAutoscalerSpec",
    "HorizontalPodAutoscalerBehavior": "V2HorizontalPodAutoscalerBehavior",
    "MetricSpec": "V2MetricSpec",
}
CHECKED = (
    *(one.kind for one in RESOURCES),
    *("DeploymentSpec", "DeploymentStatus", "ReplicaSetStatus", "PodTemplateSpec", "PodSpec", "PodStatus"),
    *(
        "Container",
        "ContainerPort",
        "EnvVar",
        "Probe",
        "Lifecycle",
        "LifecycleHandler",
        "Volume",
        "VolumeMount",
    ),
    *("ServiceSpec", "ServicePort", "ObjectMeta", "OwnerReference", "LabelSelector", "HTTPGetAction"),
    *("HorizontalPodAutoscalerSpec", "HorizontalPodAutoscalerBehavior", "MetricSpec", "LeaseSpec"),
    *("PodDisruptionBudgetSpec", "PodDisruptionBudgetStatus", "NodeStatus", "Endpoint", "EndpointPort"),
)


def said(case):
    kind = BY_NAME[case["resource"]].kind
    one = changed(OBJECTS[case["resource"]], case["change"])
    strange = unknown(kind, one)
    if case["strict"] and strange:
        return f"strict decoding error: {', '.join(strange)}"
    try:
        decoded(kind, one)
    except Refused as refused:
        return refused.message.partition(": ")[2]
    return None


@pytest.mark.parametrize("struct", CHECKED)
def test_the_fields_are_those_of_the_installed_client(struct):
    model = getattr(models, ELSEWHERE.get(struct, f"V1{struct}"))
    assert set(fields_of(struct)) == set(model.attribute_map.values())


@pytest.mark.parametrize("case", DECODED, ids=tells)
def test_what_cannot_be_read_is_told_as_the_server_tells_it(case):
    assert said(case) == case["says"]


def test_a_refusal_names_the_kind_that_could_not_be_read():
    one = changed(OBJECTS["deployments"], [[["spec", "replicas"], "3"]])
    with pytest.raises(Refused) as refused:
        defaulted("deployments", one)
    assert (refused.value.code, refused.value.reason) == (400, "BadRequest")
    assert refused.value.message == (
        'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into '
        "Go struct field DeploymentSpec.spec.replicas of type int32"
    )


def test_unknown_fields_are_told_with_their_paths():
    one = changed(
        OBJECTS["deployments"],
        [[["spec", "foo"], 1], [["spec", "template", "spec", "containers", 0, "imag"], 1]],
    )
    assert unknown("Deployment", one) == [
        'unknown field "spec.template.spec.containers[0].imag"',
        'unknown field "spec.foo"',
    ]
