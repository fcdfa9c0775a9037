"""Owners of fields are those that Kubernetes 1.35 finds."""

from __future__ import annotations

import pytest

from deployctl.sandbox.objects.defaulting import defaulted
from deployctl.sandbox.objects.ownership import managed
from deployctl.sandbox.resources import BY_NAME
from tests.sandbox.told import tells, told
from tests.sandbox.told.record import made

NOW = "2026-01-03T00:00:00Z"


def entry(manager, fields, at="2026-01-01T00:00:00Z", **more):
    plain = {
        "manager": manager,
        "operation": "Update",
        "apiVersion": "v1",
        "time": at,
        "fieldsType": "FieldsV1",
    }
    return {**plain, "fieldsV1": fields, **more}


def config(data, *entries):
    meta = {"name": "c", "namespace": "n", "managedFields": list(entries)}
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": meta, "data": data}


@pytest.mark.parametrize("case", told("managed"), ids=tells)
def test_each_write_owns_what_it_changed(case):
    before, after = made(case)
    read = defaulted(case["resource"], after)
    version = BY_NAME[case["resource"]].api_version
    entries = managed(before, read, case["manager"], version, NOW, case["subresource"])
    assert [{key: value for key, value in one.items() if key != "time"} for one in entries] == case["managed"]


def test_what_another_writes_is_taken_from_its_owner():
    before = config({"a": "1", "b": "1"}, entry("one", {"f:data": {".": {}, "f:a": {}, "f:b": {}}}))
    assert managed(before, config({"a": "2", "b": "1"}), "two", "v1", NOW) == [
        entry("one", {"f:data": {".": {}, "f:b": {}}}),
        entry("two", {"f:data": {"f:a": {}}}, NOW),
    ]


def test_an_owner_of_nothing_is_forgotten():
    before = config({"a": "1"}, entry("one", {"f:data": {"f:a": {}}}))
    assert [one["manager"] for one in managed(before, config({"a": "2"}), "two", "v1", NOW)] == ["two"]


def test_a_write_that_changes_nothing_leaves_the_times():
    before = config({"a": "1"}, entry("one", {"f:data": {"f:a": {}}}))
    assert managed(before, config({"a": "1"}), "one", "v1", NOW) == before["metadata"]["managedFields"]


def test_a_write_of_the_status_is_an_entry_of_its_own():
    pod = defaulted("pods", told("objects")["pods"])
    after = {**pod, "status": {"phase": "Running"}}
    [one] = managed(pod, after, "kubelet", "v1", NOW, "status")
    assert (one["subresource"], one["fieldsV1"]) == ("status", {"f:status": {"f:phase": {}}})
