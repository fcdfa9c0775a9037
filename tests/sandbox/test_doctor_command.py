"""`doctor` on a practice cluster: what it prints as a fix mends what it found."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from deployctl.cluster.api import Request
from deployctl.sandbox.calls import STRATEGIC_PATCH
from tests.cluster.platform import EXAMPLE
from tests.sandbox.practice import Practice, namespace

Json = dict[str, Any]
WHERE = "/apis/apps/v1/namespaces/igaming/deployments"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    one = Practice(tmp_path_factory.mktemp("sandbox"))
    namespace(one, "igaming")
    yield one
    one.close()


@pytest.fixture
def poor(sandbox: Practice) -> Iterator[Json]:
    """The example's balances, and everything taken from it that keeps requests from being lost."""
    deployment = yaml.safe_load((EXAMPLE / "balances/deployment.yaml").read_text())
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    for key in ("readinessProbe", "resources"):
        del container[key]
    deployment["spec"].update(strategy={"type": "Recreate"}, replicas=2, revisionHistoryLimit=1)
    yield sandbox.api.post(WHERE, deployment)
    sandbox.api.send(Request("DELETE", f"{WHERE}/balances"))


def diagnosed(sandbox: Practice, *words: str) -> tuple[int, Json]:
    done = sandbox.run([sys.executable, "-m", "deployctl", "doctor", *words, "-n", "igaming", "-o", "json"])
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def wrong(whole: Json) -> dict[str, str]:
    return {one["check"]: one["fix"] for one in whole["findings"] if one["level"] != "ok"}


def test_without_a_subject_the_cluster_and_the_rights_are_checked(sandbox: Practice) -> None:
    code, whole = diagnosed(sandbox)
    assert (code, whole["kind"], whole["version"], whole["findings"]) == (0, "Diagnosis", "1.35", [])
    assert all(one["allowed"] for one in whole["rights"])


def test_the_patches_mend_what_they_say(sandbox: Practice, poor: Json) -> None:
    code, before = diagnosed(sandbox, "balances")
    assert code == 2
    patches = [fix for fix in wrong(before).values() if " patch deployment/balances " in fix]
    for fix in patches:
        change = json.loads(shlex.split(fix)[-1])
        sandbox.api.send(Request("PATCH", f"{WHERE}/balances", change, STRATEGIC_PATCH))
    _, after = diagnosed(sandbox, "balances")
    assert {"readiness", "preStop", "strategy", "history"} <= set(wrong(before)) - set(wrong(after))


def test_an_app_that_is_not_there_is_told(sandbox: Practice) -> None:
    done = sandbox.run([sys.executable, "-m", "deployctl", "doctor", "nothing", "-n", "igaming"])
    assert done.returncode == 2
    assert "Deployment nothing not found in namespace igaming" in done.stderr
