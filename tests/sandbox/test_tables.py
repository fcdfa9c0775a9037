"""`kubectl get` shows what it shows on a real cluster."""

from __future__ import annotations

import pytest

from deployctl.sandbox.objects.defaulting import defaulted
from deployctl.sandbox.store import moment
from deployctl.sandbox.tables.ages import short
from deployctl.sandbox.tables.table import table
from tests.sandbox.told import told

NOW = moment("2026-01-01T01:00:00Z")
OBJECTS = told("objects")


def cells(resource, status=None, change=None, **table_options):
    one = defaulted(resource, OBJECTS[resource])
    one["metadata"] = {**one["metadata"], "creationTimestamp": "2026-01-01T00:55:00Z", **(change or {})}
    return table(resource, [{**one, "status": status or {}}], NOW, **table_options)["rows"][0]["cells"]


def container(state, ready=False, restarts=0, last=None):
    return {"name": "app", "ready": ready, "restartCount": restarts, "state": state, "lastState": last or {}}


RUNNING = container({"running": {}}, ready=True)
CRASHED = {"terminated": {"exitCode": 1, "finishedAt": "2026-01-01T00:59:30Z"}}


def test_a_deployment_shows_its_counts_and_wide_its_containers():
    status = {"readyReplicas": 2, "updatedReplicas": 1, "availableReplicas": 2}
    assert cells("deployments", status) == ["wallet", "2/3", 1, 2, "5m", "app", "wallet:1", "app=wallet"]


def test_a_table_that_is_not_wide_has_fewer_columns():
    assert cells("deployments", wide=False) == ["wallet", "0/3", 0, 0, "5m"]


def test_columns_say_how_they_are_read():
    columns = table("replicasets", [], NOW)["columnDefinitions"]
    assert [(it["name"], it["type"], it["format"], it["priority"]) for it in columns] == [
        ("Name", "string", "name", 0),
        ("Desired", "integer", "", 0),
        ("Current", "integer", "", 0),
        ("Ready", "integer", "", 0),
        ("Age", "string", "", 0),
        ("Containers", "string", "", 1),
        ("Images", "string", "", 1),
        ("Selector", "string", "", 1),
    ]


@pytest.mark.parametrize(
    ("status", "ready", "word", "restarts"),
    [
        ({"phase": "Pending"}, "0/1", "Pending", "0"),
        (
            {
                "phase": "Pending",
                "containerStatuses": [container({"waiting": {"reason": "ContainerCreating"}})],
            },
            *("0/1", "ContainerCreating", "0"),
        ),
        ({"phase": "Running", "containerStatuses": [RUNNING]}, "1/1", "Running", "0"),
        (
            {
                "phase": "Running",
                "containerStatuses": [
                    container({"waiting": {"reason": "CrashLoopBackOff"}}, False, 3, CRASHED)
                ],
            },
            *("0/1", "CrashLoopBackOff", "3 (30s ago)"),
        ),
        (
            {"phase": "Failed", "containerStatuses": [container({"terminated": {"exitCode": 2}})]},
            *("0/1", "ExitCode:2", "0"),
        ),
        ({"phase": "Failed", "reason": "Evicted"}, "0/1", "Evicted", "0"),
        (
            {
                "phase": "Succeeded",
                "containerStatuses": [container({"terminated": {"exitCode": 0, "reason": "Completed"}})],
            },
            *("0/1", "Completed", "0"),
        ),
    ],
)
def test_a_pod_shows_what_its_status_comes_to(status, ready, word, restarts):
    assert cells("pods", status)[1:4] == [ready, word, restarts]


def test_a_pod_that_goes_is_terminating():
    status = {"phase": "Running", "containerStatuses": [RUNNING]}
    assert cells("pods", status, {"deletionTimestamp": "2026-01-01T00:59:59Z"})[2] == "Terminating"


def test_a_service_shows_its_ports():
    assert cells("services") == ["wallet", "ClusterIP", "<none>", "<none>", "80/TCP", "5m", "app=wallet"]


def test_an_autoscaler_shows_what_it_measures():
    assert cells("horizontalpodautoscalers")[1:6] == ["Deployment/wallet", "cpu: <unknown>/50%", "2", 5, 0]


def test_a_quota_shows_what_is_used():
    status = {"hard": {"pods": "4", "limits.cpu": "2"}, "used": {"pods": "1"}}
    assert cells("resourcequotas", status)[1:3] == ["pods: 1/4", "limits.cpu: 0/2"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        *(
            (-5, "<invalid>"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (150, "2m30s"),
            (660, "11m"),
            (10800, "3h"),
        ),
        *((11100, "3h5m"), (30000, "8h"), (180000, "2d2h"), (800000, "9d"), (70000000, "2y80d")),
    ],
)
def test_ages_are_short(seconds, said):
    assert short(seconds) == said
