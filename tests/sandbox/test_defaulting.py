"""Objects are read and filled in as Kubernetes 1.35 does it."""

from __future__ import annotations

import pytest

from deployctl.sandbox.objects.defaulting import defaulted
from tests.sandbox.told import changed, difference, tells, told

OBJECTS = told("objects")
CREATED = told("create")
PLAIN = {it["resource"]: it["becomes"] for it in CREATED if not it["change"]}
REGISTRY = {"ipFamilies", "ipFamilyPolicy"}  # what the server fills in only as it hands out an address


def kept(resource, one):
    one = {key: value for key, value in defaulted(resource, one).items() if key != "status"}
    if resource != "services":
        return one
    return {**one, "spec": {key: value for key, value in one["spec"].items() if key not in REGISTRY}}


@pytest.mark.parametrize("case", [it for it in CREATED if "becomes" in it and not it["change"]], ids=tells)
def test_an_object_is_kept_with_its_defaults(case):
    assert kept(case["resource"], OBJECTS[case["resource"]]) == case["becomes"]


@pytest.mark.parametrize("case", [it for it in CREATED if "becomes" in it and it["change"]], ids=tells)
def test_a_change_is_kept_with_its_defaults(case):
    one = kept(case["resource"], changed(OBJECTS[case["resource"]], case["change"]))
    assert one == changed(PLAIN[case["resource"]], case["becomes"]), difference(PLAIN[case["resource"]], one)


def test_what_is_empty_is_left_out():
    one = changed(OBJECTS["deployments"], [[["spec", "paused"], False], [["spec", "minReadySeconds"], 0]])
    assert not {"paused", "minReadySeconds"} & defaulted("deployments", one)["spec"].keys()


def test_zero_replicas_are_kept():
    one = changed(OBJECTS["deployments"], [[["spec", "replicas"], 0]])
    assert defaulted("deployments", one)["spec"]["replicas"] == 0


def test_an_object_as_kept_reads_as_it_is():
    once = defaulted("deployments", OBJECTS["deployments"])
    assert defaulted("deployments", once) == once


def test_a_template_that_was_read_is_not_read_again():
    once = defaulted("deployments", OBJECTS["deployments"])
    again = defaulted("deployments", {**once, "spec": {**once["spec"], "replicas": 7}})
    assert again["spec"]["template"] is once["spec"]["template"]


def test_a_service_of_a_cluster_with_one_family_says_so():
    spec = defaulted("services", OBJECTS["services"])["spec"]
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"]) == (["IPv4"], "SingleStack")
