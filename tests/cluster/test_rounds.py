"""Players in rounds, held over WebSocket, while the table service is released: none is cut, whatever happens."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.cluster.platform import App
from tests.cluster.running import Running, as_before, begun

PLAYERS = 12
FOREVER_SECONDS = 600.0


@pytest.fixture
def table(sessions: App) -> App:
    """The table service, rolling; its app exits the moment it gets SIGTERM."""
    return sessions.install()


@pytest.fixture
def blue_green_table(sessions: App) -> App:
    def change(spec: dict[str, Any]) -> None:
        spec["spec"]["strategy"] = {"blueGreen": {"keepOld": "3s"}}
        spec["spec"]["gates"].pop("during")

    sessions.edit("deployctl.yaml", change)
    return sessions.install()


@contextmanager
def played(app: App, length: float = 6.0) -> Iterator[None]:
    """Let players open one round after the other; afterwards not one was cut."""
    with app.rounds(players=PLAYERS, length=length) as load:
        time.sleep(2)
        yield
        time.sleep(1)
    print(f"\n{app.name}: {load.report}")
    assert (load.report.cut, load.report.failures) == ((), ())


def drain(app: App, **options: Any) -> None:
    app.edit("deployctl.yaml", lambda spec: spec["spec"]["drain"].update(options))


def test_a_rolling_release_cuts_no_round(table: App) -> None:
    table.env(REVISION="r2")
    with played(table):
        done = table.release()
    assert (done.returncode, table.live_revisions()) == (0, {"r2": 6}), done.stderr
    assert "open round" in done.stderr
    assert as_before(table)


def test_an_abort_in_mid_walk_cuts_no_round_of_either_side(table: App) -> None:
    """Stable is brought back beside the pods that were let in; they end their rounds, and then they go."""
    table.strategy(bake="5s")
    with played(table):
        running = begun(table, says="4 preview pods to bake")
        back = table.run("abort", table.name)
        assert (back.returncode, table.live_revisions()) == (0, {"r1": 6}), running.story + back.stderr
        assert running.ends() == 6
    assert "beside the preview, which serves meanwhile" in back.stderr
    assert as_before(table)


def test_blue_green_keeps_the_old_side_until_its_rounds_are_over(blue_green_table: App) -> None:
    table = blue_green_table
    table.env(REVISION="r2")
    with played(table):
        done = table.release()
        assert (done.returncode, table.live_revisions()) == (0, {"r2": 6}), done.stderr
        table.env(REVISION="r3")
        running = begun(table, says="keepOld", revision="r3")
        back = table.run("rollback", table.name)
        assert (back.returncode, table.live_revisions()) == (0, {"r2": 6}), back.stderr
        running.ends()
    assert as_before(table)


def test_a_release_that_waits_for_rounds_outlives_its_process(table: App) -> None:
    with played(table, length=15.0):
        running = begun(table, says="open round")
        running.dies()
        time.sleep(5)
        done = table.run("resume", table.name)
    assert (done.returncode, table.live_revisions()) == (0, {"r2": 6}), running.story + done.stderr
    assert as_before(table)


def test_a_round_that_never_ends_waits_for_a_person_who_may_cut_it(table: App) -> None:
    drain(table, timeout="4s")
    with table.rounds(players=PLAYERS, length=FOREVER_SECONDS) as load:
        time.sleep(2)
        running = begun(table, says="did not end in 4s; their pods stay", revision="r2")
        assert running.ends() == 4, running.story
        assert f"next: deployctl resume {table.name} --proceed" in running.story
        assert table.live_revisions() == {"r1": 6, "r2": 2}
        shown = table.run("status", table.name)
        assert "open round" in shown.stdout, shown.stdout + shown.stderr
        done = table.run("resume", table.name, "--proceed")
    assert (done.returncode, table.live_revisions()) == (0, {"r2": 6}), done.stderr
    cut = [line for line in done.stderr.splitlines() if "cut" in line and "open round" in line]
    assert cut, done.stderr
    assert load.report.cut


def test_rounds_that_outlast_their_time_go_where_the_spec_says_so(table: App) -> None:
    drain(table, timeout="3s", onTimeout="proceed")
    table.env(REVISION="r2")
    with table.rounds(players=PLAYERS, length=FOREVER_SECONDS):
        time.sleep(2)
        done = table.release()
    assert (done.returncode, table.live_revisions()) == (0, {"r2": 6}), done.stderr
    assert "their time was over" in done.stderr


@pytest.mark.parametrize(
    ("mood", "says"),
    [("ROUNDS_MISSING", "/internal/rounds: 404"), ("ROUNDS_COUNT_UP", "open round"), ("ROUNDS_HANG", "")],
)
def test_old_pods_that_do_not_tell_the_truth_are_not_removed(sessions: App, mood: str, says: str) -> None:
    """Unknown is not none; and the way back is open all the same."""
    sessions.env(**{mood: "1"})
    table = sessions.install()
    drain(table, timeout="4s")
    table.env(REVISION="r2", **{mood: None})
    stood = Running(table, "release", str(table.spec))
    assert stood.ends() == 4, stood.story
    assert says in stood.story
    assert "their pods stay" in stood.story
    back = table.run("rollback", table.name)
    assert (back.returncode, table.live_revisions()) == (0, {"r1": 6}), back.stderr
    assert as_before(table)


def test_a_new_version_that_does_not_tell_its_rounds_cannot_hold_up_the_way_back(table: App) -> None:
    running = begun(table, says="2 preview pods to bake", revision="r2")
    running.dies()
    table.env(REVISION="r3", ROUNDS_HANG="1")
    back = table.run("abort", table.name)
    assert back.returncode == 0, back.stderr
    running = begun(table, says="2 preview pods to bake", revision="r4")
    back = table.run("rollback", table.name)
    assert (back.returncode, table.live_revisions()) == (0, {"r1": 6}), back.stderr
    running.ends()
    assert as_before(table)
