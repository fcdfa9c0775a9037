"""`plan --out` and `release --plan` as a pipeline runs them, against a sandbox of real processes."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from deployctl.planfile import seal_of
from tests.cluster.platform import EXAMPLE
from tests.sandbox.practice import Practice, PracticeApp, namespace

Json = dict[str, Any]
Done = subprocess.CompletedProcess[str]
HEALTHY = "localhost/igaming:2"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    practice = Practice(tmp_path_factory.mktemp("sandbox"))
    yield practice
    practice.close()


class Pipeline:
    """One app of one pod in a namespace of its own, and the jobs that plan and release it."""

    def __init__(self, app: PracticeApp) -> None:
        self.app, self.file = app, app.folder / "plan.json"

    def plan(self, *flags: str, env: Mapping[str, str] | None = None) -> Done:
        return self.app.run("plan", str(self.app.spec), "--out", str(self.file), *flags, env=env)

    def release(self, *flags: str) -> Done:
        return self.app.run("release", "--plan", str(self.file), *flags)

    @property
    def saved(self) -> Json:
        found: Json = json.loads(self.file.read_text())
        return found

    def change(self, **parts: Any) -> None:
        """Edit the plan file and seal it anew."""
        whole = {**self.saved, **parts}
        self.file.write_text(json.dumps({**whole, "seal": seal_of(whole)}))

    def untouched(self) -> Json:
        """Give all that a write to the app would change, and no status does."""
        parts = (self.app.get("deployment"), self.app.get("service"))
        return {one["kind"]: (one["metadata"].get("annotations"), one["spec"]) for one in parts}


@pytest.fixture
def pipeline(sandbox: Practice, tmp_path: Path, request: pytest.FixtureRequest) -> Pipeline:
    name = f"plan-{abs(hash(request.node.name)) % 10**8}"
    shutil.copytree(EXAMPLE / "balances", tmp_path / "balances")
    app = PracticeApp(sandbox, namespace(sandbox, name), "balances", tmp_path / "balances")  # type: ignore[arg-type]
    app.edit("deployment.yaml", lambda one: one["spec"].update(replicas=1))
    app.edit("deployctl.yaml", lambda one: one["spec"]["gates"].pop("after"))
    app.strategy(keepOld="0s")
    for file in ("deployment.yaml", "service.yaml"):
        sandbox.apply(app.folder / file, name)
    app.kubectl("rollout", "status", "deployment/balances")
    return Pipeline(app)


def told(done: Done, code: int, *says: str) -> None:
    assert done.returncode == code, done.stderr
    assert [one for one in says if one not in done.stderr] == [], done.stderr
    assert "Traceback" not in done.stderr


def test_a_plan_is_written_released_and_then_has_nothing_left_to_do(pipeline: Pipeline) -> None:
    planned = pipeline.plan("--image", HEALTHY, "--detailed-exitcode")
    told(planned, 2)
    digest = pipeline.saved["digest"][:12]
    first, last = planned.stdout.splitlines()[-2:]
    assert first == f"plan {digest} in {pipeline.file}, to be released by {pipeline.saved['expires']}"
    assert last == f"  next: deployctl release --plan {pipeline.file}"
    told(pipeline.release("--dry-run"), 0)
    done = pipeline.release()
    told(done, 0, f"balances: the plan {digest} of {pipeline.saved['created']} holds", "promoted")
    assert done.stdout == "balances promoted\n"
    box = pipeline.app.get("deployment")["spec"]["template"]["spec"]["containers"][0]
    assert box["image"] == HEALTHY
    again = pipeline.release()
    told(again, 0)
    assert again.stdout == "balances: nothing to do, this template is live\n"


def test_a_plan_of_nothing_to_do_is_carried_out_as_that(pipeline: Pipeline) -> None:
    """The first release adds preStop; what is planned after it is nothing."""
    told(pipeline.app.release(), 0)
    told(pipeline.plan("--detailed-exitcode"), 0)
    before = pipeline.untouched()
    done = pipeline.release()
    told(done, 0)
    assert (done.stdout, pipeline.untouched()) == ("balances: nothing to do, this template is live\n", before)


def test_standard_input_is_a_plan_too(pipeline: Pipeline) -> None:
    told(pipeline.plan("--image", HEALTHY), 0)
    with pipeline.file.open() as text:
        command = pipeline.app.command("release", "--plan", "-", "--dry-run")
        done = pipeline.app.cluster.run(command, stdin=text)
    told(done, 0)
    assert done.stdout.startswith("plan of balances in ")


def test_as_json_the_plan_says_where_it_was_saved(pipeline: Pipeline) -> None:
    done = pipeline.plan("--image", HEALTHY, "-o", "json")
    one, file = json.loads(done.stdout), pipeline.saved
    assert one["saved"] == {
        "file": str(pipeline.file),
        "digest": file["digest"],
        "expires": file["expires"],
        "next": f"deployctl release --plan {pipeline.file}",
    }
    assert {**one, "saved": None} == file["plan"]


def test_an_expired_plan_is_refused(pipeline: Pipeline) -> None:
    told(pipeline.plan("--image", HEALTHY), 0)
    pipeline.change(created="2020-01-01T00:00:00Z", expires="2020-01-01T01:00:00Z")
    told(pipeline.release(), 2, "expired at 2020-01-01T01:00:00Z", "next: plan again")


def test_how_long_a_plan_lives_can_be_said_in_the_environment(pipeline: Pipeline) -> None:
    told(pipeline.plan("--image", HEALTHY, env={"DEPLOYCTL_EXPIRES": "2h"}), 0)
    created, expires = pipeline.saved["created"], pipeline.saved["expires"]
    assert int(expires[11:13]) == (int(created[11:13]) + 2) % 24


@pytest.mark.parametrize("expires", ["0s", "soon"])
def test_a_plan_that_lives_no_time_is_refused(pipeline: Pipeline, expires: str) -> None:
    told(pipeline.plan("--expires", expires), 2, f"--expires {expires}: ")
    assert not pipeline.file.exists()


def test_another_namespace_than_the_plans_is_refused(pipeline: Pipeline) -> None:
    told(pipeline.plan("--image", HEALTHY), 0)
    command = pipeline.app.command("release", "--plan", str(pipeline.file))
    done = pipeline.app.cluster.run([*command[:-1], "elsewhere"])
    told(done, 2, f"the plan is of namespace {pipeline.app.namespace}, which is not --namespace elsewhere")


def test_what_has_moved_is_told_with_exit_6_and_nothing_is_touched(pipeline: Pipeline) -> None:
    told(pipeline.plan("--image", HEALTHY), 0)
    pipeline.app.kubectl("patch", "deployment", "balances", "-p", '{"spec": {"minReadySeconds": 2}}')
    before = pipeline.untouched()
    told(pipeline.release(), 6, "holds no longer; nothing was touched\n", "spec.minReadySeconds: 0 -> 2, by ")
    assert pipeline.untouched() == before


def test_a_plan_that_would_be_refused_is_not_written(pipeline: Pipeline) -> None:
    pipeline.app.kubectl("patch", "deployment", "balances", "-p", '{"spec": {"paused": true}}')
    done = pipeline.plan("--image", HEALTHY)
    told(done, 6, f"{pipeline.file} was not written: a release would be refused")
    assert "is paused, and not by deployctl" in done.stdout
    assert not pipeline.file.exists()
    told(pipeline.plan("--image", HEALTHY, "--detailed-exitcode"), 1)


def test_while_a_release_is_in_flight_no_plan_is_written(pipeline: Pipeline) -> None:
    told(pipeline.app.release("--image", HEALTHY, "--promote", "manual"), 4)
    told(pipeline.plan("--image", HEALTHY), 6, "was not written: a release of balances is in flight")
    told(pipeline.plan("--image", HEALTHY, "--detailed-exitcode"), 1, "`deployctl abort balances`")


def test_a_plan_until_promoted_is_armed_and_the_next_plan_finishes_it(pipeline: Pipeline) -> None:
    """Kubernetes retires the old side by itself; what is left of the release is finished by the next one."""
    pipeline.app.strategy(keepOld="1s")
    told(pipeline.plan("--image", HEALTHY, "--wait", "promoted"), 0)
    told(pipeline.release(), 0, "arm the finish")
    pipeline.app.cluster.wait(lambda: pipeline.plan("--restart").returncode == 0, what="the old side to go")
    assert pipeline.app.leftovers() != []
    told(pipeline.release(), 0, "finishing the release before", "holds", "promoted")
    assert pipeline.app.leftovers() == []


def test_a_secret_is_in_no_plan(pipeline: Pipeline) -> None:
    pipeline.app.env(DB_PASSWORD="hunter2")
    done = pipeline.plan()
    told(done, 2, "env[DB_PASSWORD]", "may be a secret and is not the live one", "secretKeyRef")
    assert "hunter" not in done.stdout + done.stderr
    assert not pipeline.file.exists()
