"""Processes that are interrupted, suspended or killed in mid-release: what stands stands, and any other ends it."""

from __future__ import annotations

import random
import signal
import time
from typing import Any

import pytest

from tests.cluster.platform import App
from tests.cluster.running import Running, as_before, begun, under_load

POINTS = {
    "balances": ("of 5 pods ready", "promoteAfter", "keepOld"),
    "game-sessions": ("of 2 pods ready", "2 preview pods to bake", "of 4 pods ready"),
}


@pytest.fixture(params=["balances", "sessions"])
def app(request: pytest.FixtureRequest) -> App:
    chosen: App = request.getfixturevalue(request.param)
    return chosen


def slow(app: App) -> App:
    """Make each wait long enough to be met."""
    options = {"promoteAfter": "3s", "keepOld": "4s"} if app.name == "balances" else {"bake": "3s"}
    app.strategy(**options)
    app.env(READY_AFTER="3s")
    return app.install()


def written(app: App) -> list[Any]:
    """Give what any write of ours would change; the status is the controllers' own."""
    where = ("-n", app.namespace, "--show-managed-fields")
    found = [app.cluster.json("get", kind, app.name, *where) for kind in ("deployment", "service")]
    return [(one["metadata"].get("annotations"), one["spec"], ours(one)) for one in found]


def ours(thing: dict[str, Any]) -> list[Any]:
    return [one for one in thing["metadata"]["managedFields"] if one["manager"] == "deployctl"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_release_says_what_stands_and_what_stands_stands(
    app: App, number: signal.Signals
) -> None:
    """Three times interrupted and resumed; the last time turned round."""
    app = slow(app)
    first, second, third = POINTS[app.name]
    with under_load(app):
        running = begun(app, says=first)
        stopped(running, number)
        time.sleep(10)
        again = Running(app, "resume", app.name)
        again.told(second)
        stopped(again, number)
        again = Running(app, "resume", app.name)
        again.told(third)
        stopped(again, number)
        time.sleep(10 if number == signal.SIGTERM else 0)
        back = app.run("abort", app.name)
        assert (back.returncode, app.live_revisions()) == (0, {"r1": 6}), back.stderr
        done = app.release()
        assert (done.returncode, app.live_revisions()) == (0, {"r2": 6}), done.stderr
    assert as_before(app)


def stopped(running: Running, number: signal.Signals) -> None:
    running.process.send_signal(number)
    assert running.ends() == 128 + number, running.story
    assert "interrupted; the Deployment is" in running.story
    name = running.app.name
    assert f"next: deployctl resume {name}" in running.story
    assert f"next: deployctl abort {name}" in running.story


@pytest.mark.parametrize("point", [0, 1, 2])
def test_a_suspended_process_writes_nothing_when_it_wakes(app: App, point: int) -> None:
    app = slow(app)
    with under_load(app):
        running = begun(app, says=POINTS[app.name][point])
        running.process.send_signal(signal.SIGSTOP)
        back = app.run("abort", app.name)
        assert (back.returncode, app.live_revisions()) == (0, {"r1": 6}), back.stderr
        before = written(app)
        running.process.send_signal(signal.SIGCONT)
        assert running.ends() == 6, running.story
        time.sleep(3)
        assert (written(app), app.live_revisions()) == (before, {"r1": 6})
    assert as_before(app)


@pytest.mark.parametrize("word", [pytest.param("resume", marks=pytest.mark.proof), "abort"])
def test_a_killed_release_is_ended_by_another_process(app: App, word: str) -> None:
    """Killed anywhere: ends all new or all old, and the same command again writes nothing."""
    app = slow(app)
    chance = random.Random(word + app.name)
    ends = {"r1": 6}
    with under_load(app):
        for number in range(2, 5):
            app.env(REVISION=f"r{number}")
            running = Running(app, "release", str(app.spec))
            running.told("pause the Deployment")
            time.sleep(chance.uniform(0, 20))
            running.dies()
            ended = app.run(word, app.name)
            assert ended.returncode in (0, 3), running.story + ended.stderr
            found = app.live_revisions()
            assert found in (ends, {f"r{number}": 6}), running.story + ended.stderr
            assert word == "abort" or found == {f"r{number}": 6}, running.story + ended.stderr
            ends = found
            before = written(app)
            assert app.run(word, app.name).returncode == 0
            assert written(app) == before
            assert as_before(app)
