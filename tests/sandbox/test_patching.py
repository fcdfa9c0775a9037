"""Patches merge as Kubernetes 1.35 merges them."""

from __future__ import annotations

import pytest

from deployctl.sandbox.calls import Refused
from deployctl.sandbox.objects.patching import json_patch, merge_patch, strategic_patch
from deployctl.sandbox.resources import BY_NAME
from tests.sandbox.told import changed, tells, told

DOCUMENT = told("document")
HELD = told("held")


def applied(patch):
    try:
        return json_patch(DOCUMENT, patch)
    except Refused:
        return None


@pytest.mark.parametrize("case", told("json_patch"), ids=tells)
def test_json_patch_gives_what_the_servers_library_gives(case):
    assert applied(case["patch"]) == case["gives"]


@pytest.mark.parametrize("case", [it for it in told("strategic_patch") if "gives" in it], ids=tells)
def test_strategic_patch_merges_as_the_server_does(case):
    held = HELD[case["resource"]]
    merged = strategic_patch(BY_NAME[case["resource"]].kind, held, case["patch"])
    assert merged == changed(held, case["gives"])


@pytest.mark.parametrize("case", [it for it in told("strategic_patch") if "says" in it], ids=tells)
def test_strategic_patch_is_refused_in_the_servers_words(case):
    with pytest.raises(Refused) as refused:
        strategic_patch(BY_NAME[case["resource"]].kind, HELD[case["resource"]], case["patch"])
    assert refused.value.message == case["says"]


def test_a_failed_operation_is_422_and_says_nothing_more():
    with pytest.raises(Refused) as refused:
        json_patch({"a": 1}, [{"op": "test", "path": "/a", "value": 2}])
    assert (refused.value.code, refused.value.reason) == (422, "Invalid")
    assert refused.value.message == "the server rejected our request due to an error in our request"


def test_what_is_no_json_patch_is_400():
    with pytest.raises(Refused) as refused:
        json_patch({"a": 1}, {"op": "add"})
    assert refused.value.code == 400


def test_replace_of_an_absent_key_sets_it():
    ops = [{"op": "replace", "path": "/spec/minReadySeconds", "value": 5}]
    assert json_patch({"spec": {}}, ops) == {"spec": {"minReadySeconds": 5}}


def test_a_patch_leaves_what_it_is_applied_to_alone():
    held = {"spec": {"list": [1, 2], "other": {}}}
    json_patch(held, [{"op": "add", "path": "/spec/list/0", "value": 0}])
    merge_patch(held, {"spec": {"list": None}})
    assert held == {"spec": {"list": [1, 2], "other": {}}}


def test_a_patch_shares_what_it_does_not_change():
    held = {"spec": {"template": {"a": 1}, "replicas": 1}}
    patched = json_patch(held, [{"op": "add", "path": "/spec/replicas", "value": 2}])
    assert patched["spec"]["template"] is held["spec"]["template"]


def test_merge_patch_removes_by_null_and_replaces_lists():
    held = {"a": {"b": 1, "c": 2}, "l": [1, 2]}
    assert merge_patch(held, {"a": {"b": None, "d": {"e": None}}, "l": [{"x": None}]}) == {
        "a": {"c": 2, "d": {}},
        "l": [{}],
    }
