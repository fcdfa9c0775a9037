"""Where `deployctl` runs: no terminal, a CI, a closed pipe, a full disk, a terminal without Unicode, a pod that shouts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.cluster.bed.layout import REPOSITORY
from tests.cluster.platform import EXAMPLE
from tests.sandbox.practice import Practice, PracticeApp, namespace

SHOUTS = "\x1b[2J\x1b]0;owned\x07::error::owned"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PracticeApp]:
    """The app balances with a release on record whose reason is not ASCII."""
    folder = tmp_path_factory.mktemp("balances") / "app"
    shutil.copytree(EXAMPLE / "balances", folder)
    sandbox = Practice(tmp_path_factory.mktemp("sandbox"))
    try:
        yield released(PracticeApp(sandbox, namespace(sandbox, "igaming"), "balances", folder))  # type: ignore[arg-type]
    finally:
        sandbox.close()


def released(one: PracticeApp) -> PracticeApp:
    one.strategy(keepOld="0s")
    one.edit("deployment.yaml", lambda each: each["spec"].update(replicas=1))
    one.edit("deployctl.yaml", lambda each: each["spec"]["gates"].pop("after"))
    one.install()
    done = shell(one, "deployctl release deployctl.yaml --image localhost/igaming:2 --reason 'grüße ✓'")
    assert done.returncode == 0, done.stderr
    return one


def shell(app: PracticeApp, line: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which `deployctl` is the tool, with nothing on standard input."""
    sandbox: Practice = app.cluster  # type: ignore[assignment]
    dropped = {"PYTHONUNBUFFERED", "PYTHONIOENCODING", "CI", "NO_COLOR", "FORCE_COLOR"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    whole = {**kept, "KUBECONFIG": str(sandbox.home.kubeconfig), "PYTHONPATH": str(REPOSITORY), **env}
    tool = f'deployctl() {{ "{sys.executable}" -m deployctl "$@" -n igaming; }}; set -o pipefail; {line}'
    return subprocess.run(
        ["bash", "-c", tool], env=whole, cwd=app.folder, stdin=subprocess.DEVNULL,
        capture_output=True, encoding="utf-8", errors="replace", check=False, timeout=120,
    )  # fmt: skip


def test_a_question_without_a_terminal_is_an_error_that_names_the_flag(app: PracticeApp) -> None:
    asked = shell(
        app, "deployctl release deployctl.yaml --image localhost/igaming:3", DEPLOYCTL_PROTECTED_CONTEXTS="*"
    )
    assert asked.returncode == 2
    assert "is protected (DEPLOYCTL_PROTECTED_CONTEXTS)\n  next: pass --yes to go on" in asked.stderr
    asked = shell(app, "deployctl rollback")
    assert asked.returncode == 2
    assert "rollback of which app? balances was released last" in asked.stderr
    assert "next: deployctl rollback balances" in asked.stderr


def test_a_ci_that_forces_colours_gets_none(app: PracticeApp) -> None:
    line = (
        "deployctl status balances; deployctl plan deployctl.yaml --image any/image:9; deployctl history -v"
    )
    done = shell(app, line, FORCE_COLOR="1", CI="true", TTY_INTERACTIVE="1", GITHUB_ACTIONS="true")
    assert done.returncode == 0
    assert "pod template" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_unicode_sees_question_marks_and_no_traceback(
    app: PracticeApp, encoding: str
) -> None:
    line = "deployctl history balances -v && deployctl report balances && deployctl why balances"
    done = shell(app, line, PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "is at rest" in done.stdout


def test_a_release_is_told_on_a_terminal_without_unicode(app: PracticeApp) -> None:
    line = "deployctl release deployctl.yaml --image localhost/igaming:4 --reason 'grüße ✓' -o jsonl 2>&1"
    done = shell(app, line, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_pipe_that_closes_ends_a_command_without_a_word(app: PracticeApp, buffered: str) -> None:
    done = shell(app, "deployctl schema | head -n 1", PYTHONUNBUFFERED=buffered)
    assert (done.stdout, done.stderr) == ("{\n", "")
    done = shell(app, "deployctl status balances | true", PYTHONUNBUFFERED=buffered)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_full_disk_is_told(app: PracticeApp, buffered: str) -> None:
    done = shell(app, "deployctl history balances > /dev/full", PYTHONUNBUFFERED=buffered)
    assert done.returncode == 1
    assert done.stderr == "error: standard output: No space left on device\n"


def test_a_release_goes_on_when_nobody_listens_any_more(app: PracticeApp) -> None:
    """A pipe that closes, and a disk that is full, under its story, its events and its result."""
    line = "deployctl release deployctl.yaml --image localhost/igaming:5 -o jsonl 2>/dev/full | head -n 1"
    done = shell(app, line)
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert "at rest; last promoted" in shell(app, "deployctl status balances").stdout
    assert "localhost/igaming:5" in shell(app, "deployctl status balances").stdout
    done = shell(app, "deployctl release deployctl.yaml --image localhost/igaming:6 > /dev/full")
    assert done.returncode == 0
    assert "warning: the result was not printed: No space left on device" in done.stderr


def test_what_a_pod_shouts_is_obeyed_by_no_terminal_and_no_ci(app: PracticeApp) -> None:
    """Its health page answers with escape codes and a command of GitHub's, and its gate says no."""
    shutil.copy(app.spec, app.folder / "shouts.yaml")
    app.edit(
        "shouts.yaml",
        lambda each: each["spec"]["gates"].update(
            before=[{"name": "smoke", "http": {"path": "/healthz", "contains": SHOUTS}}]
        ),
    )
    line = "deployctl release shouts.yaml --image localhost/igaming:7 2>&1"
    done = shell(app, line, GITHUB_ACTIONS="true", CI="true")
    assert done.returncode == 3
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout
    told, _, _ = done.stdout.partition("\nbalances: back on")
    assert not [one for one in told.splitlines() if one.startswith("::error::")]
    shown = shell(app, "deployctl history balances -v; deployctl report balances").stdout
    assert "\x1b" not in shown
