"""The keys of the live view, on a real terminal: what each does, and that the terminal is as it was afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import termios
from collections.abc import Iterator

import pytest

from tests.cluster.bed.layout import REPOSITORY
from tests.sandbox.practice import Practice, PracticeApp, balances
from tests.sandbox.terminal import Terminal

pytestmark = pytest.mark.long  # nine releases
WAITS = "p promote, a abort, space pause, q leave"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PracticeApp]:
    """The app balances, whose preview waits for ten minutes after its gates said yes."""
    with balances(tmp_path_factory, pods=2, keepOld="10m", promoteAfter="10m") as one:
        yield one


@pytest.fixture
def app(installed: PracticeApp) -> Iterator[PracticeApp]:
    yield installed
    run(installed, "abort", "balances", "--fast")
    run(installed, "rollback", "balances", "--to", "1", "--yes")


def run(app: PracticeApp, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deployctl", *words, "-n", "igaming"]
    return app.cluster.run(command, cwd=app.folder)


def released(app: PracticeApp, *words: str) -> Terminal:
    """Run `release` on a terminal."""
    sandbox: Practice = app.cluster  # type: ignore[assignment]
    kept = {name: value for name, value in os.environ.items() if name not in {"CI", "NO_COLOR"}}
    config, code = str(sandbox.home.kubeconfig), str(REPOSITORY)
    env = kept | {"KUBECONFIG": config, "PYTHONPATH": code, "TERM": "xterm-256color"}
    command = ("release", app.spec, "-n", "igaming", "--image", "localhost/igaming:2", *words)
    return Terminal(sys.executable, "-m", "deployctl", *command, env=env)


def live(app: PracticeApp) -> str:
    image: str = app.get("deployment")["spec"]["template"]["spec"]["containers"][0]["image"]
    return image


def test_p_promotes_and_q_then_leaves_the_rest_to_kubernetes(app: PracticeApp) -> None:
    with released(app) as terminal:
        terminal.see(WAITS)
        terminal.say_yes("p", "y/n  promote balances: let the preview have the traffic?")
        terminal.see("f finish, a abort, space pause, q leave")
        terminal.say_yes("q", "y/n  leave balances? Kubernetes retires the old side by itself")
        assert terminal.ended() == 0
        assert (
            "the old side stands until keepOld has passed; then: deployctl finish balances" in terminal.shown
        )
        assert terminal.settings == terminal.before
    assert "promote" in run(app, "history", "balances", "-v").stdout


def test_a_turns_round_and_the_release_did_not_get_there(app: PracticeApp) -> None:
    with released(app) as terminal:
        terminal.see(WAITS)
        terminal.say_yes("a", "y/n  abort balances: turn round, back to stable?")
        assert terminal.ended() == 3
        assert "by key" in terminal.shown
        assert terminal.shown.rstrip().endswith("balances aborted")
        assert terminal.settings == terminal.before
    assert live(app) == "localhost/igaming:1"


def test_space_pauses_and_what_stands_is_told(app: PracticeApp) -> None:
    with released(app) as terminal:
        terminal.see(WAITS)
        terminal.say_yes(" ", "y/n  pause balances at the next safe point?")
        assert terminal.ended() == 4
        assert "paused by" in terminal.shown
        assert "next: deployctl resume balances" in terminal.shown
        assert terminal.settings == terminal.before


def test_q_leaves_the_release_as_it_stands_and_resume_has_keys_too(app: PracticeApp) -> None:
    with released(app) as terminal:
        terminal.see(WAITS)
        terminal.say_yes("q", "y/n  leave balances as it stands, until somebody resumes it?")
        assert terminal.ended() == 4
        assert "balances: left; " in terminal.shown
        assert terminal.settings == terminal.before
    assert "the preview is on trial" in run(app, "status", "balances").stdout


def test_anything_but_y_is_no_and_pasted_text_is_no_key(app: PracticeApp) -> None:
    with released(app) as terminal:
        terminal.see(WAITS)
        terminal.press("ay")  # both at once
        terminal.press("\x1b[A")
        terminal.press("x")
        at = len(terminal.shown)
        terminal.press("a")
        at = terminal.see("y/n  abort balances: turn round, back to stable?", at)
        terminal.press("n")
        terminal.see(WAITS, at)
        terminal.press("y")
        terminal.say_yes("q", "y/n  leave balances as it stands, until somebody resumes it?")
        assert terminal.ended() == 4
    assert live(app) == "localhost/igaming:2"


def test_a_terminal_is_restored_after_ctrl_c_and_sigterm(app: PracticeApp) -> None:
    with released(app) as terminal:
        terminal.see(WAITS)
        assert not terminal.settings[3] & termios.ECHO
        terminal.press("\x03")
        assert terminal.ended() == 130
        assert terminal.settings == terminal.before
    with released(app) as terminal:
        terminal.see(WAITS)
        terminal.terminate()
        assert terminal.ended() == 143
        assert terminal.settings == terminal.before
        assert "\x1b[?25h" in terminal._shown.decode()[-2000:]  # the cursor is back


def test_a_terminal_is_restored_when_somebody_else_takes_the_release_over(app: PracticeApp) -> None:
    with released(app) as terminal:
        terminal.see(WAITS)
        assert run(app, "abort", "balances", "--fast").returncode == 0
        assert terminal.ended() == 6
        assert terminal.settings == terminal.before


def test_there_are_no_keys_where_nobody_may_be_asked(app: PracticeApp) -> None:
    with released(app, "--no-input") as terminal:
        terminal.see("waiting for promoteAfter")
        assert terminal.settings == terminal.before
        assert "a abort" not in terminal.shown
        terminal.press("\x03")
        assert terminal.ended() == 130
