"""Money: releases while players bet against a real PostgreSQL, and their every answer held against the books.

Nothing that was answered is lost, nothing is booked twice though it is told twice, no round stays open, and the sums agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import figures
from tests.cluster.bed import images
from tests.cluster.bed.cluster import Cluster
from tests.cluster.ledger import Ledger, Played, ledger, players
from tests.cluster.platform import App, example, grant
from tests.cluster.running import Running, as_before

BLUE_GREEN = {"blueGreen": {"keepOld": "5s"}}
ROLLING = {"rolling": {"batch": "50%", "bake": "1s"}}


@pytest.fixture(scope="module")
def server(cluster: Cluster) -> Iterator[Ledger]:
    """Give the books, once the bed is up."""
    assert cluster.at
    with ledger() as found:
        yield found


@pytest.fixture
def books(server: Ledger) -> Ledger:
    """Give empty books."""
    server.empty()
    return server


@pytest.fixture
def wallet(cluster: Cluster, namespace: str, tmp_path: Path, books: Ledger) -> App:
    """Balances, which keeps its books in PostgreSQL, on the rights of a releaser."""
    grant(cluster, namespace)
    app = example(cluster, namespace, "balances", tmp_path)
    app.user = "releaser"
    app.env(LEDGER=books.where)

    def change(deployment: dict[str, Any]) -> None:
        box = deployment["spec"]["template"]["spec"]["containers"][0]
        box["image"] = images.current("localhost/igaming-ledger")
        box["resources"]["requests"]["cpu"] = "1m"

    app.edit("deployment.yaml", change)
    return app


def by(app: App, strategy: dict[str, Any]) -> App:
    app.edit("deployctl.yaml", lambda one: one["spec"].update(strategy=strategy))
    return app.install()


def released(app: App, revision: str) -> None:
    app.env(REVISION=revision)
    done = app.release()
    assert done.returncode == 0, done.stderr


def killed_and_resumed(app: App, revision: str, point: str) -> None:
    """Kill the command in mid-release, and let another go on with it."""
    app.env(REVISION=revision)
    running = Running(app, "release", str(app.spec))
    running.told(point, timeout=90.0)
    running.dies()
    done = app.run("resume", app.name)
    assert done.returncode == 0, done.stderr


def turned_round(app: App, revision: str, point: str, verb: str) -> None:
    """Begin a release, kill the command, and let another turn it round."""
    app.env(REVISION=revision)
    running = Running(app, "release", str(app.spec))
    running.told(point, timeout=90.0)
    running.dies()
    done = app.run(verb, app.name, *(("-y",) if verb == "rollback" else ()))
    assert done.returncode == 0, done.stderr


def told(played: Played, name: str) -> None:
    print(f"\n{played}", end="")
    figures.note("money", name=name, **played.counted())
    assert played.differences() == {}
    assert played.sum("lost") == 0, [one["lost"][:3] for one in played.players.values()]


@pytest.mark.parametrize(
    ("strategy", "shifted"),
    [(BLUE_GREEN, "keepOld to pass"), (ROLLING, "to bake")],
    ids=["blue-green", "rolling"],
)
def test_no_bet_is_lost_and_none_is_booked_twice(
    cluster: Cluster, wallet: App, books: Ledger, strategy: dict[str, Any], shifted: str
) -> None:
    by(wallet, strategy)
    with players(cluster, books, wallet.url("").removesuffix(":80")) as played:
        released(wallet, "r2")
        turned_round(wallet, "r3", shifted, "abort")
        killed_and_resumed(wallet, "r4", shifted)
        turned_round(wallet, "r5", shifted, "rollback")
    told(played, "releases, " + ("blue-green" if strategy is BLUE_GREEN else "rolling"))
    assert set(wallet.live_revisions()) == {"r4"}
    assert as_before(wallet)
    assert {"r1", "r2", "r4"} <= set(played.revisions)


def test_the_count_sees_what_a_plain_rollout_does(cluster: Cluster, wallet: App, books: Ledger) -> None:
    """Without the tool and without a preStop, requests go without an answer: the counter counts."""
    by(wallet, BLUE_GREEN)
    with players(cluster, books, wallet.url("").removesuffix(":80")) as played:
        wallet.kubectl("rollout", "restart", f"deployment/{wallet.name}")
        wallet.kubectl("rollout", "status", f"deployment/{wallet.name}", "--timeout=90s")
    print(f"\n{played}", end="")
    figures.note("money", name="beside them, a plain `kubectl rollout restart`", **played.counted())
    assert played.differences() == {}
    assert played.sum("lost") > 0
