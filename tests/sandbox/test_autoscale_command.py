"""`autoscale` on a practice cluster: what it writes, what it prints in every form, what it refuses."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployctl.autoscaling import held
from deployctl.cluster.api import MERGE_PATCH, NotFound, Request
from tests.cluster.platform import EXAMPLE
from tests.sandbox.practice import Practice, namespace

Json = dict[str, Any]
HPA = "/apis/autoscaling/v2/namespaces/igaming/horizontalpodautoscalers/balances"
BUDGET = "/apis/policy/v1/namespaces/igaming/poddisruptionbudgets/balances"
NAMES = "horizontalpodautoscaler.autoscaling/balances\npoddisruptionbudget.policy/balances\n"
SPEC = """
apiVersion: deployctl.dev/v1alpha1
kind: App
metadata: {name: balances, namespace: igaming}
spec:
  workload: {deployment: balances, services: [balances]}
  strategy: {blueGreen: {}}
"""
POLICY = """
  autoscaling:
    min: 1
    max: 12
    cpu: 60%
    pdb: {maxUnavailable: 1}
    peaks:
      - {name: derby, at: 2036-06-08 16:00 Europe/London, floor: 3x}
      - {name: final, at: 2036-06-29T19:00Z, floor: 9}
"""


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    """A cluster with one pod of balances and nothing that scales it."""
    one = Practice(tmp_path_factory.mktemp("sandbox"))
    namespace(one, "igaming")
    deployment = yaml.safe_load((EXAMPLE / "balances/deployment.yaml").read_text())
    deployment["spec"]["replicas"] = 1
    one.api.post("/apis/apps/v1/namespaces/igaming/deployments", deployment)
    one.apply(EXAMPLE / "balances/service.yaml", "igaming")
    yield one
    one.close()


@pytest.fixture
def policy(sandbox: Practice, tmp_path: Path) -> str:
    """A policy of an app of one pod, whatever the tests before have made of it."""
    change = {"spec": {"replicas": 1}}
    where = "/apis/apps/v1/namespaces/igaming/deployments/balances"
    sandbox.api.send(Request("PATCH", where, change, MERGE_PATCH))
    (tmp_path / "policy.yaml").write_text(SPEC + POLICY)
    return str(tmp_path / "policy.yaml")


@pytest.fixture
def applied(sandbox: Practice, policy: str) -> Iterator[str]:
    """The policy in the cluster; it goes with the test."""
    code, _, said = run(sandbox, "apply", policy)
    assert code == 0, said
    yield policy
    for one in (HPA, BUDGET):
        try:
            sandbox.api.send(Request("DELETE", one))
        except NotFound:
            continue


def run(sandbox: Practice, *words: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "deployctl", "autoscale", *words]
    done = sandbox.run([*command, *(() if "-n" in words else ("-n", "igaming"))])
    return done.returncode, done.stdout, done.stderr


def document(sandbox: Practice, *words: str) -> Json:
    _, text, said = run(sandbox, *words, "-o", "json")
    assert text, said
    whole: Json = json.loads(text)
    return whole


def floor(sandbox: Practice) -> int:
    return int(sandbox.api.get(HPA)["spec"]["minReplicas"])


def edit(sandbox: Practice, **spec: Any) -> None:
    sandbox.api.send(Request("PATCH", HPA, {"spec": spec}, MERGE_PATCH))


def begun(sandbox: Practice, hours: float) -> None:
    """Write an event that began so many hours ago over those of the policy."""
    at = sandbox.api.now() - timedelta(hours=hours)
    event = {"name": "cup", "at": at.isoformat(timespec="seconds").replace("+00:00", "Z"), "floor": "5"}
    request = held.write(sandbox.api.get(HPA), (), (event,))
    assert request is not None
    sandbox.api.send(request)


def test_a_plan_tells_each_field_the_events_and_what_its_owner_should_know(
    sandbox: Practice, policy: str
) -> None:
    code, text, _ = run(sandbox, "plan", policy)
    lines = text.splitlines()
    assert code == 0
    assert lines[0] == "balances in igaming"
    assert "  create HorizontalPodAutoscaler balances" in lines
    assert "    spec.minReplicas: nothing -> 1" in lines
    assert "  create PodDisruptionBudget balances" in lines
    assert "  now 1 pod; no autoscaler has measured it yet" in lines
    assert (
        "  derby: at least 3 from 2036-06-08T14:00:00Z, whole until 2036-06-08T17:00:00Z, gone by 2036-06-08T17:20:00Z"
        in lines
    )
    assert lines[-1].startswith("warning: the template says no topologySpreadConstraints")


def test_a_plan_touches_nothing_and_tells_a_job_by_its_exit_code(sandbox: Practice, policy: str) -> None:
    assert run(sandbox, "plan", policy, "--detailed-exitcode")[0] == 2
    assert run(sandbox, "diff", policy)[0] == 2
    assert run(sandbox, "apply", policy, "--dry-run")[0] == 0
    with pytest.raises(NotFound):
        sandbox.api.get(HPA)


def test_what_is_applied_is_there_and_the_second_time_nothing_is_to_do(
    sandbox: Practice, applied: str
) -> None:
    assert (floor(sandbox), sandbox.api.get(BUDGET)["spec"]["maxUnavailable"]) == (1, 1)
    code, text, _ = run(sandbox, "apply", applied)
    assert (code, text) == (0, "balances: nothing to do\n")
    assert run(sandbox, "diff", applied) == (0, "", "")
    assert run(sandbox, "plan", applied, "--detailed-exitcode")[0] == 0


def test_a_plan_is_a_document_to_a_program(sandbox: Practice, policy: str) -> None:
    whole = document(sandbox, "plan", policy)
    assert (whole["kind"], whole["app"], whole["namespace"]) == ("AutoscalePlan", "balances", "igaming")
    assert [one["verb"] for one in whole["changes"]] == ["create", "create"]
    assert [one["floor"] for one in whole["peaks"]] == [3, 9]
    assert document(sandbox, "apply", policy, "--dry-run")["dryRun"] is True
    assert yaml.safe_load(run(sandbox, "diff", policy, "-o", "yaml")[1])["kind"] == "AutoscalePlan"


@pytest.mark.parametrize("words", [("plan",), ("diff",), ("apply", "--dry-run")])
def test_objects_are_named_as_kubectl_names_them(
    sandbox: Practice, policy: str, words: tuple[str, ...]
) -> None:
    assert run(sandbox, *words, policy, "-o", "name")[1] == NAMES


def test_an_autoscaler_is_named_by_whatever_prints_it(sandbox: Practice, applied: str) -> None:
    name = NAMES.splitlines(keepends=True)[0]
    assert run(sandbox, "show", "-o", "name") == (0, name, "")
    assert run(sandbox, "show", "balances", "-o", "name") == (0, name, "")
    assert run(sandbox, "restore", "balances", "-o", "name") == (0, name, "")


def test_where_nothing_is_to_be_named_there_is_no_line(sandbox: Practice, applied: str) -> None:
    assert run(sandbox, "diff", applied, "-o", "name") == (0, "", "")
    assert run(sandbox, "restore", "--due", "-o", "name") == (0, "", "")
    namespace(sandbox, "empty")
    assert run(sandbox, "show", "-n", "empty", "-o", "name") == (0, "", "")
    assert run(sandbox, "show", "-n", "empty") == (0, "no autoscaler in namespace empty\n", "")


def test_a_surge_raises_the_floor_tells_who_and_until_when_and_is_ended(
    sandbox: Practice, applied: str
) -> None:
    code, text, _ = run(
        sandbox, "surge", "balances", "--to", "4", "--until", "2036-06-01T22:00Z", "--reason", "cup"
    )
    assert (code, floor(sandbox)) == (0, 4)
    held = text.splitlines()[2]
    assert held.startswith("  held at 4 by surge of ")
    assert held.endswith(" until 2036-06-01T22:00:00Z: cup")
    assert run(sandbox, "restore", "balances")[0] == 0
    assert floor(sandbox) == 1


def test_what_somebody_writes_under_a_surge_is_what_they_get_back(sandbox: Practice, applied: str) -> None:
    run(sandbox, "surge", "balances", "--to", "4", "--until", "3h", "--reason", "cup")
    edit(sandbox, minReplicas=2)
    run(sandbox, "restore", "balances")
    assert floor(sandbox) == 2


def test_a_surge_over_the_maximum_or_into_the_past_is_refused(sandbox: Practice, applied: str) -> None:
    code, _, said = run(sandbox, "surge", "balances", "--to", "13", "--until", "3h", "--reason", "x")
    assert code == 2
    assert "--to 13 is over the maximum 12 of HorizontalPodAutoscaler balances" in said
    code, _, said = run(
        sandbox, "surge", "balances", "--to", "3", "--until", "2026-01-01T00:00Z", "--reason", "x"
    )
    assert code == 2
    assert "--until 2026-01-01T00:00Z: that is past" in said
    assert floor(sandbox) == 1


def test_a_surge_that_a_quota_has_no_room_for_takes_what_fits_where_that_is_asked(
    sandbox: Practice, applied: str
) -> None:
    where = "/api/v1/namespaces/igaming/resourcequotas"
    quota = {"metadata": {"name": "small"}, "spec": {"hard": {"pods": "3"}}}
    sandbox.api.post(where, {"apiVersion": "v1", "kind": "ResourceQuota", **quota})
    sandbox.wait(lambda: sandbox.api.get(f"{where}/small").get("status", {}).get("used"), what="the quota")
    asked = ("surge", "balances", "--to", "6", "--until", "3h", "--reason", "x")
    try:
        code, _, said = run(sandbox, *asked)
        assert code == 2
        assert "quota small (pods 3) has room for 3 pods, 3 short of 6" in said
        assert run(sandbox, *asked, "--fit")[0] == 0
        assert floor(sandbox) == 3
    finally:
        sandbox.api.send(Request("DELETE", f"{where}/small"))


def test_an_event_that_is_on_is_raised_by_whoever_looks_and_comes_down(
    sandbox: Practice, applied: str
) -> None:
    begun(sandbox, hours=0)
    whole = document(sandbox, "restore", "--due")
    assert [one["floor"] for one in whole["items"]] == [5]
    begun(sandbox, hours=9)
    assert run(sandbox, "restore", "balances", "--due")[0] == 0
    assert floor(sandbox) == 1
    assert run(sandbox, "restore", "--due")[1] == "nothing is due\n"


def test_what_is_held_is_not_taken_off_and_what_was_made_goes(sandbox: Practice, applied: str) -> None:
    run(sandbox, "surge", "balances", "--to", "4", "--until", "3h", "--reason", "cup")
    code, _, said = run(sandbox, "remove", "balances")
    assert (code, "is held by surge" in said) == (6, True)
    run(sandbox, "restore", "balances")
    assert run(sandbox, "remove", "balances", "--dry-run")[0] == 0
    assert floor(sandbox) == 1
    assert run(sandbox, "remove", "balances", "-o", "name")[1] == NAMES
    assert run(sandbox, "remove", "balances")[1] == "balances: no policy of ours is there\n"


def test_what_scales_nothing_says_what_to_do(sandbox: Practice) -> None:
    code, _, said = run(sandbox, "show", "balances")
    assert code == 2
    assert "nothing scales Deployment balances" in said
    code, text, _ = run(sandbox, "restore", "balances")
    assert (code, text) == (0, "balances: nothing scales it any more, so nothing is held\n")
    assert run(sandbox, "restore")[0] == 2


def test_a_file_without_a_policy_is_told_where_one_begins(sandbox: Practice, tmp_path: Path) -> None:
    (tmp_path / "plain.yaml").write_text(SPEC)
    code, _, said = run(sandbox, "plan", str(tmp_path / "plain.yaml"))
    assert code == 2
    assert "says no spec.autoscaling" in said
    assert "docs/autoscaling.md" in said


def test_the_cron_job_is_one_that_the_cluster_takes(sandbox: Practice) -> None:
    code, text, _ = run(sandbox, "cron", "--image", "example/deployctl:1", "--every", "10")
    job = yaml.safe_load(text)
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert (code, job["spec"]["schedule"]) == (0, "*/10 * * * *")
    assert pod["containers"][0]["args"] == ["autoscale", "restore", "--due", "-n", "igaming"]
    made = {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "due-"}, "spec": pod}
    sandbox.api.send(Request("POST", "/api/v1/namespaces/igaming/pods", made).dry())


def test_events_of_a_calendar_are_planned_and_applied_and_of_those_that_overlap_the_higher_floor_wins(
    sandbox: Practice, tmp_path: Path
) -> None:
    at = sandbox.api.now() + timedelta(hours=30)
    first, second = (f"{at + timedelta(minutes=late):%Y-%m-%dT%H:%MZ}" for late in (0, 90))
    (tmp_path / "calendar.yaml").write_text(f"""
apiVersion: deployctl.dev/v1alpha1
kind: Calendar
events:
  - {{name: cup, at: {first}, floor: 4, step: 100%}}
  - {{name: late cup, at: {second}, floor: 7, step: 100%}}
  - {{name: elsewhere, at: {second}, floor: 9, apps: [odds]}}
""")
    policy = "  autoscaling: {min: 1, max: 12, cpu: 60%, calendars: [{file: calendar.yaml}]}\n"
    (tmp_path / "policy.yaml").write_text(SPEC + policy)
    try:
        code, text, said = run(sandbox, "plan", str(tmp_path / "policy.yaml"))
        assert code == 0, said
        floors = [f"{at + timedelta(minutes=late):%Y-%m-%dT%H:%M}:00Z" for late in (-60, 30, 210)]
        course = f"4 from {floors[0]}, 7 from {floors[1]}, none from {floors[2]}"
        assert f"  cup and late cup overlap, and the higher floor wins: {course}" in text.splitlines()
        assert run(sandbox, "apply", str(tmp_path / "policy.yaml"))[0] == 0
        [shown] = document(sandbox, "show")["items"]
        assert (shown["nextPeak"]["name"], shown["holds"]) == ("cup", [])
    finally:
        sandbox.api.send(Request("DELETE", HPA))


@pytest.mark.parametrize("command", [("finish", "balances"), ("autoscale", "remove", "balances")])
def test_a_surge_that_is_over_is_ended_by_whoever_comes_next(
    sandbox: Practice, applied: str, command: tuple[str, ...]
) -> None:
    at = sandbox.api.now() - timedelta(minutes=1)
    over = held.take(sandbox.api.get(HPA), held.Hold("surge", 4, until=at.isoformat()))
    assert over is not None
    sandbox.api.send(over)
    done = sandbox.run([sys.executable, "-m", "deployctl", *command, "-n", "igaming"])
    assert done.stderr.startswith("HorizontalPodAutoscaler balances: surge is over, as was due\n")
    assert done.returncode == 0, done.stderr


def test_whoever_watches_is_told_each_change_and_ends_it_with_ctrl_c(
    sandbox: Practice, applied: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "deployctl", "autoscale", "show", "balances", "-w", "-n", "igaming"]
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("w") as told, err.open("w") as said:
        watching = sandbox.popen(command, stdout=told, stderr=said)
    try:
        sandbox.wait(lambda: " 1 to 12" in out.read_text(), what="the first look")
        run(sandbox, "surge", "balances", "--to", "2", "--until", "3h", "--reason", "cup")
        sandbox.wait(lambda: "held at 2 by surge" in out.read_text(), what="the surge")
    finally:
        watching.send_signal(signal.SIGINT)
        code = watching.wait(30)
    assert (code, "Traceback" in err.read_text()) == (130, False)
