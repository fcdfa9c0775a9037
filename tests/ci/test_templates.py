"""The pipelines of docs/ci: they are what their vendors take, their commands parse, and their steps run."""

from __future__ import annotations

import os
import subprocess
import venv
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.pages import CALLED, ROOT
from tests.docs.shell import wrapper
from tests.docs.test_pages import parsed
from tests.sandbox.practice import PracticeApp

Json = dict[str, Any]
FOLDER = ROOT / "docs/ci"
FILES = sorted(FOLDER.rglob("*.yml"))
CHECKER = "check-jsonschema==0.39.0"
SCHEMAS = {
    "github": ("vendor.github-workflows",),
    "gitlab": ("vendor.gitlab-ci", "--data-transform", "gitlab-ci"),
    "circleci": ("vendor.circle-ci",),
}
ENV = {
    "WHY": "a test", "CI_PIPELINE_URL": "a test", "CI_JOB_URL": "a test", "CIRCLE_BUILD_URL": "a test",
    "APP": "balances", "TO": "", "REASON": "a test", "DEPLOYCTL_NAMESPACE": "igaming",
}  # fmt: skip


@pytest.mark.parametrize("file", FILES, ids=lambda one: f"{one.parent.name}/{one.name}")
def test_every_command_of_a_template_parses(file: Path) -> None:
    called = [f"deployctl {one.strip()}" for one in CALLED.findall(file.read_text())]
    found = {one: parsed(one.replace('${TO:+--to "$TO"}', "")) for one in called}
    assert found
    assert set(found.values()) == {""}


@pytest.mark.long
@pytest.mark.parametrize("vendor", SCHEMAS)
def test_every_template_is_what_its_vendor_takes(vendor: str, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv/bin"
    subprocess.run([programs / "pip", "install", "--quiet", CHECKER], check=True)
    files = [str(one) for one in FILES if one.parent.name == vendor]
    command = [programs / "check-jsonschema", "--builtin-schema", *SCHEMAS[vendor], *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (len(files) > 0, done.returncode) == (True, 0), done.stdout


def github() -> dict[str, list[str]]:
    """Give the commands of each job, as the runner's shell gets them."""
    jobs = [job for file in FILES if file.parent.name == "github" for job in _jobs(file).items()]
    return {
        name: [
            step["run"]
            for step in job["steps"]
            if step.get("name") not in (None, "kubeconfig", "comment") and "run" in step
        ]
        for name, job in jobs
    }


def gitlab() -> dict[str, list[str]]:
    [file] = [one for one in FILES if one.parent.name == "gitlab"]
    whole = yaml.safe_load(file.read_text())
    jobs = {name: job for name, job in whole.items() if isinstance(job, dict) and "script" in job}
    return {name: ["\n".join(job["script"]), *job.get("after_script", [])] for name, job in jobs.items()}


def circleci() -> dict[str, list[str]]:
    [file] = [one for one in FILES if one.parent.name == "circleci"]
    return {
        name: [one["run"]["command"] for one in job["steps"] if isinstance(one, dict) and "run" in one]
        for name, job in _jobs(file).items()
    }


def _jobs(file: Path) -> Json:
    found: Json = yaml.safe_load(file.read_text())["jobs"]
    return found


MARK = {"github": "GITHUB_ACTIONS", "gitlab": "GITLAB_CI", "circleci": "CIRCLECI"}


@pytest.mark.parametrize("scripts", [github, gitlab, circleci], ids=lambda one: one.__name__)
def test_the_steps_plan_release_promote_and_roll_back(scripts: Any, app: PracticeApp, tmp_path: Path) -> None:
    work, programs = tmp_path / "work", wrapper(tmp_path / "bin")
    outputs = {"GITHUB_OUTPUT": str(work / "output"), "GITHUB_STEP_SUMMARY": str(work / "summary.md")}
    env = {**ENV, **outputs, MARK[scripts.__name__]: "true", "PATH": f"{programs}:{os.environ['PATH']}"}

    def run(job: str) -> None:
        for script in scripts()[job]:
            done = app.cluster.run(["bash", "-eo", "pipefail", "-c", script], cwd=work, env=env)
            assert done.returncode == 0, done.stdout + done.stderr

    def outcome(job: str) -> str:
        run(job)
        command = [str(programs / "deployctl"), "history", "balances", "-o", "json"]
        return str(yaml.safe_load(app.cluster.run(command, env=env).stdout)["releases"][0]["outcome"])

    run("plan")
    [plan] = work.rglob("plan.md")
    assert "plan of balances in igaming" in plan.read_text()
    assert outcome("preview") == "running"
    assert outcome("promote") == "promoted"
    assert (work / "report.html").read_text().startswith("<!doctype html>")
    assert outcome("rollback") == "rolledBack"
