"""SIGKILL at chosen points of detaching and of keeping the old side, while players are in rounds.

Each ends all new by `resume` and all old by `rollback`, with no round cut and nothing of ours left.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.cluster import figures
from tests.cluster.platform import App
from tests.cluster.running import Running, as_before

DETACH = (
    "label 6 pods",
    "only labelled pods serve",
    "hold 6 stable and 2 preview pods",
    "let ",
    "detach ",
    "open round",
    "hold 4 stable and 4 preview pods",
    "every pod serves",
)
KEEP_OLD = (
    "hold 6 stable and 6 preview pods",
    "shift 100%",
    "keepOld to pass",
    "retire the old side",
    "unpin",
)
ENDS = pytest.mark.parametrize("word", ["resume", pytest.param("rollback", marks=pytest.mark.proof)])


@contextmanager
def played(app: App) -> Iterator[None]:
    with app.rounds(players=8, length=4.0) as load, app.load(rate=40) as requests:
        time.sleep(2)
        yield
        time.sleep(1)
    print(f"\n{app.name}: {load.report}; {requests.report}")
    figures.noted("game-sessions, killed at every step", requests.report)
    figures.rounds("game-sessions, killed at every step", load.report)
    assert (load.report.cut, load.report.failures) == ((), ())
    assert requests.report.failed == 0, [str(one) for one in requests.report.failures[:10]]


def killed_at(app: App, point: str, revision: str) -> None:
    app.env(REVISION=revision)
    running = Running(app, "release", str(app.spec))
    running.told(point, timeout=90.0)
    running.dies()


def ended(app: App, word: str, point: str) -> str:
    """Let another process end it, and the same command again find nothing to do; give the one revision that is left."""
    print(f"\n{point}, {word}", end="", flush=True)
    done = app.run(word, app.name, *(("-y",) if word == "rollback" else ()))
    assert done.returncode == 0, f"{point}\n{done.stderr}"
    (left,) = app.live_revisions()
    assert app.live_revisions() == {left: 6}, point
    left_alone = as_before(app)
    assert left_alone, point
    return left


def through(app: App, points: tuple[str, ...], word: str) -> None:
    now = "r1"
    with played(app):
        for number, point in enumerate(points, 2):
            killed_at(app, point, f"r{number}")
            left = ended(app, word, point)
            meant = f"r{number}" if word == "resume" else now
            figures.fault("killed at a step", word if left == meant else "astray", point)
            assert left == meant, point
            now = left


@pytest.mark.proof
@ENDS
def test_killed_at_any_point_of_detaching(sessions: App, word: str) -> None:
    sessions.strategy(bake="1s")
    through(sessions.install(), DETACH, word)


@ENDS
def test_killed_at_any_point_of_keeping_the_old_side(sessions: App, word: str) -> None:
    def change(spec: dict[str, Any]) -> None:
        spec["spec"]["strategy"] = {"blueGreen": {"keepOld": "3s"}}
        spec["spec"]["gates"].pop("during")

    sessions.edit("deployctl.yaml", change)
    through(sessions.install(), KEEP_OLD, word)
