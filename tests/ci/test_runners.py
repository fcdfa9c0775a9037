"""The pipelines of docs/ci and docs/ci.md under actionlint and gitlab-ci-local, which read them as the vendors do."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from subprocess import run

import pytest

from tests.ci.test_templates import FILES
from tests.docs.pages import ROOT, blocks
from tests.docs.shell import wrapper
from tests.sandbox.practice import PracticeApp
from tests.servers import packages

ACTIONLINT = ("github.com/rhysd/actionlint/cmd/actionlint", "v1.7.12")
GITLAB_CI_LOCAL = ("gitlab-ci-local", "4.61.1")  # the last one that runs on Node 20
MERGE_REQUEST = ("--variable", "CI_PIPELINE_SOURCE=merge_request_event")

pytestmark = pytest.mark.long


def needs(program: str, why: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not on this machine; {why}")


def of_github() -> dict[str, str]:
    """Give every workflow: the templates, and those that the page shows whole."""
    shown = {one.where: one.text for one in blocks(ROOT / "docs/ci.md") if "runs-on:" in one.text}
    return shown | {one.name: one.read_text() for one in FILES if one.parent.name == "github"}


@needs("go", "it builds actionlint once")
def test_actionlint_has_no_complaint_about_a_workflow(tmp_path: Path) -> None:
    for number, text in enumerate(of_github().values()):
        (tmp_path / f"{number}.yml").write_text(text)
    files = sorted(str(one) for one in tmp_path.glob("*.yml"))
    command = [packages.go(*ACTIONLINT), "-no-color", "-shellcheck=", "-pyflakes=", *files]
    done = run(command, capture_output=True, text=True, check=False)
    assert (len(files) > 5, done.returncode) == (True, 0), done.stdout


class Runner:
    """A git repository with the app in deploy/, and gitlab-ci-local, which runs a pipeline's jobs in its shell."""

    def __init__(self, app: PracticeApp, pipeline: str) -> None:
        self.app, self.work = app, app.folder.parent
        (self.work / ".gitlab-ci.yml").write_text(pipeline)
        self.home = self.work.parent / "home"
        self.home.mkdir()
        self.env = {"PATH": f"{self._programs()}:{os.environ['PATH']}", "HOME": str(self.home)}
        self._commit()

    def _programs(self) -> Path:
        """Give a folder with deployctl and rsync, which gitlab-ci-local copies by."""
        folder = wrapper(self.work.parent / "bin")
        packages.command(folder, "rsync")
        return folder

    def _commit(self) -> None:
        who = ("-c", "user.name=ann", "-c", "user.email=ann@gitlab.example")
        self._call("git", "init", "--quiet", "--initial-branch", "main")
        self._call("git", "remote", "add", "origin", "https://gitlab.example/igaming/balances.git")
        self._call("git", "add", "--all")
        self._call("git", *who, "commit", "--quiet", "--message", "r2")

    def _call(self, *words: str) -> str:
        done = self.app.cluster.run(words, cwd=self.work, env=self.env)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def __call__(self, *words: str) -> str:
        program = packages.npm(*GITLAB_CI_LOCAL) / "node_modules/.bin/gitlab-ci-local"
        return self._call(
            str(program), "--force-shell-executor", "--no-color", "--home", str(self.home), *words
        )

    def artifact(self, job: str, name: str) -> str:
        return (self.work / ".gitlab-ci-local/artifacts" / job / name).read_text()

    def outcome(self, job: str) -> str:
        """Say what a job tells those after it."""
        told = self.artifact(job, ".gitlab-ci-reports/dotenv/release.env").splitlines()
        return dict(one.split("=", 1) for one in told)["DEPLOYCTL_LAST_OUTCOME"]


@needs("npm", "it brings gitlab-ci-local")
@pytest.mark.skipif(not packages.to_be_had("rsync"), reason="neither rsync nor apt-get is on this machine")
def test_gitlab_plans_releases_waits_for_a_person_promotes_and_rolls_back(app: PracticeApp) -> None:
    [template] = [one for one in FILES if one.parent.name == "gitlab"]
    pipeline = Runner(app, template.read_text())
    assert "PASS  plan" in pipeline(*MERGE_REQUEST, "plan")
    assert "plan of balances in igaming" in pipeline.artifact("plan", "plan.md")
    assert "PASS  promote" not in pipeline()
    assert pipeline.outcome("preview") == "waiting"
    pipeline("promote")
    assert pipeline.outcome("promote") == "promoted"
    assert pipeline.artifact("promote", "report.html").startswith("<!doctype html>")
    pipeline("rollback")
    assert pipeline.outcome("rollback") == "rolledBack"


@needs("npm", "it brings gitlab-ci-local")
@pytest.mark.skipif(not packages.to_be_had("rsync"), reason="neither rsync nor apt-get is on this machine")
def test_gitlab_hands_a_plan_from_the_job_that_made_it_to_the_one_that_carries_it_out(
    app: PracticeApp,
) -> None:
    [shown] = [one.text for one in blocks(ROOT / "docs/ci.md") if "stages: [plan, deploy]" in one.text]
    pipeline = Runner(app, shown)
    told = ("--shell-isolation", "--variable", "IMAGE=localhost/igaming:2")
    assert "balances promoted" not in pipeline(*told)
    assert '"Plan"' in pipeline.artifact("plan", "plan.json")
    assert "balances promoted" in pipeline(*told, "release")
