"""`report` on a practice cluster: after a real release, and where it cannot be written."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.platform import EXAMPLE
from tests.sandbox.practice import Practice, PracticeApp, namespace

RELEASED = ("--image", "localhost/igaming:2", "-o", "jsonl")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PracticeApp]:
    """The app balances, released once; what was told of it is in released.jsonl."""
    folder = tmp_path_factory.mktemp("balances") / "app"
    shutil.copytree(EXAMPLE / "balances", folder)
    sandbox = Practice(tmp_path_factory.mktemp("sandbox"))
    one = PracticeApp(sandbox, namespace(sandbox, "igaming"), "balances", folder)  # type: ignore[arg-type]
    one.strategy(keepOld="0s")
    one.edit("deployment.yaml", lambda each: each["spec"].update(replicas=2))
    one.install()
    done = one.run("release", str(one.spec), *RELEASED)
    assert done.returncode == 0, done.stderr
    (folder / "released.jsonl").write_text(done.stdout)
    yield one
    sandbox.close()


def report(app: PracticeApp, *words: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "deployctl", "report", "balances", "-n", "igaming", *words]
    done = app.cluster.run(command, cwd=app.folder)
    return done.returncode, done.stdout, done.stderr


def test_a_release_is_reported_from_its_record(app: PracticeApp) -> None:
    code, text, _ = report(app)
    assert code == 0
    assert "| outcome | promoted |" in text
    assert "- before smoke passed: /healthz: 200 from 1 of 1 pods" in text


def test_with_its_events_it_has_a_course_in_time(app: PracticeApp) -> None:
    code, text, _ = report(app, "-o", "json", "--events", "released.jsonl")
    assert code == 0
    assert json.loads(text)["timeline"]["moments"][-1]["share"] == 100


def test_the_page_is_written_by_the_ending_of_its_name(app: PracticeApp, tmp_path: Path) -> None:
    code, text, said = report(app, "--out", str(tmp_path / "report.html"))
    assert (code, text, said) == (0, "", f"{tmp_path / 'report.html'} written\n")
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("nothing",), "nothing: no such release on record"),
        (("--out", "/nowhere/report.md"), "--out /nowhere/report.md: No such file or directory"),
        (("--events", "deployment.yaml"), "no events of a release"),
        (("--events", "nothing.jsonl"), "--events nothing.jsonl: No such file or directory"),
        (("--format", "pdf"), "--format pdf: unknown; expected one of html, md, json"),
    ],
)
def test_what_cannot_be_done_is_told(app: PracticeApp, words: tuple[str, ...], says: str) -> None:
    code, text, said = report(app, *words)
    assert (code, text) == (2, "")
    assert says in said
    assert "next: " in said or "expected" in said
