"""A release in a CI job, on a practice cluster: what each vendor finds afterwards."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from xml.etree.ElementTree import parse

import pytest

from tests.sandbox.practice import PracticeApp, balances


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PracticeApp]:
    with balances(tmp_path_factory) as one:
        one.env(HEALTHZ_STATUS="500")
        yield one


def refused(app: PracticeApp, folder: Path, *words: str, **env: str) -> CompletedProcess[str]:
    """Release the bad build; give what was said, both streams as a CI has them."""
    command = [sys.executable, "-m", "deployctl", "release", str(app.spec), "-n", "igaming", *words]
    done = app.cluster.run(command, cwd=folder, env=env)
    assert done.returncode == 3, done.stderr
    return done


def test_github_gets_annotations_a_summary_and_outputs(app: PracticeApp, tmp_path: Path) -> None:
    files = {"GITHUB_STEP_SUMMARY": "summary.md", "GITHUB_OUTPUT": "output", "GITHUB_ACTIONS": "true"}
    lines = refused(app, tmp_path, **files).stderr.splitlines()
    assert lines[0] == "::group::deployctl: balances in igaming"
    heard = [one for one in lines if one.startswith("::error")]
    assert heard[0].startswith("::error title=balances aborted::")
    assert "gate smoke (before) said no" in heard[1]
    assert "| smoke | before | said no |" in (tmp_path / "summary.md").read_text()
    assert "aborted" in (tmp_path / "output").read_text().splitlines()


def test_gates_are_cases_of_junit(app: PracticeApp, tmp_path: Path) -> None:
    refused(app, tmp_path, "--junit", "gates.xml", "--dotenv", "release.env", GITLAB_CI="true")
    cases = {one.get("name"): one for one in parse(tmp_path / "gates.xml").iter("testcase")}
    assert cases["smoke"].find("failure") is not None
    assert "DEPLOYCTL_LAST_EXIT_CODE=3\n" in (tmp_path / "release.env").read_text()


def test_a_file_that_cannot_be_written_is_told_before_anything_is_touched(
    app: PracticeApp, tmp_path: Path
) -> None:
    command = [
        sys.executable,
        "-m",
        "deployctl",
        "release",
        str(app.spec),
        "-n",
        "igaming",
        "--junit",
        "no/x.xml",
    ]
    done = app.cluster.run(command, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr == "error: no/x.xml: No such file or directory\n  next: name a file that can be written\n"
    )
