"""The whole platform in motion: all four services released, aborted and rolled back at once, while it plays."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from tests.cluster import figures
from tests.cluster.bed.cluster import Cluster
from tests.cluster.platform import QUICK, App, Platform, grant, platform
from tests.cluster.running import Running

LONG = {"blueGreen": {"keepOld": "5m"}, "rolling": {"bake": "5m"}}
SHORT = {"blueGreen": {"keepOld": "2s"}, "rolling": {"bake": "1s"}}
OTHER = {
    "blueGreen": {"rolling": {"batch": "50%", "bake": "1s"}},
    "rolling": {"blueGreen": {"keepOld": "2s"}},
}


@dataclass
class Played:
    """What was asked of every service while the platform was in motion, and what went wrong."""

    loads: dict[str, Any] = field(default_factory=dict)

    def wrong(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, load in self.loads.items():
            report = load.report
            lost = [*report.failures[:5], *getattr(report, "cut", ())[:5], *getattr(report, "broken", ())[:5]]
            found |= {name: [str(one) for one in lost]} if lost else {}
        return found


@contextmanager
def playing(igaming: Platform) -> Iterator[Played]:
    """Bets and balances on new and on kept connections, payments through their pool, rounds, price streams."""
    apps, played = igaming.apps, Played()
    with ExitStack() as stack:
        for name, load in {
            "balances": apps["balances"].load(rate=30),
            "balances, kept": apps["balances"].load(keepalive=True, rate=30),
            "payments": apps["payments"].load("/", keepalive=True, rate=30, post="payments", post_share=0.5),
            "rounds": apps["game-sessions"].rounds(players=6, length=5),
            "prices": apps["odds"].streams(readers=6),
        }.items():
            played.loads[name] = stack.enter_context(load)
        time.sleep(2)
        yield played
        time.sleep(2)
    for name, load in played.loads.items():
        print(f"\n{name}: {load.report}", end="")
        figures.any_of(f"all four at once: {name}", load.report)


def all_at_once(igaming: Platform, command: Callable[[App], tuple[str, ...]]) -> dict[str, int]:
    """Run one command for each service side by side, and give the exit codes."""
    running = {name: Running(app, *command(app)) for name, app in igaming.apps.items()}
    return {name: one.ends(240.0) for name, one in running.items()}


def released(igaming: Platform, revision: str) -> None:
    for app in igaming.apps.values():
        app.env(REVISION=revision)
    codes = all_at_once(igaming, lambda app: ("release", str(app.spec)))
    assert set(codes.values()) == {0}, codes
    assert revisions(igaming) == {revision}


def aborted(igaming: Platform, revision: str, stays: str) -> None:
    """Turn all round in mid-release: where the first batch is in, or the preview has been shifted to."""
    running = {}
    for name, app in igaming.apps.items():
        app.env(REVISION=revision)
        app.strategy(**LONG[strategy_of(app)])
        running[name] = Running(app, "release", str(app.spec))
    for one in running.values():
        one.told("keepOld to pass" if strategy_of(one.app) == "blueGreen" else "to bake", timeout=120.0)
    codes = all_at_once(igaming, lambda app: ("abort", app.name))
    assert set(codes.values()) == {0}, codes
    assert {name: one.ends() for name, one in running.items()} == dict.fromkeys(running, 6)
    assert revisions(igaming) == {stays}
    for app in igaming.apps.values():
        app.strategy(**SHORT[strategy_of(app)])


def rolled_back(igaming: Platform, to: str) -> None:
    codes = all_at_once(igaming, lambda app: ("rollback", app.name, "-y"))
    assert set(codes.values()) == {0}, codes
    assert revisions(igaming) == {to}


def revisions(igaming: Platform) -> set[str]:
    return {one for app in igaming.apps.values() for one in app.live_revisions()}


@pytest.fixture(scope="module")
def igaming(cluster: Cluster, shared_namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    grant(cluster, shared_namespace)
    return platform(cluster, shared_namespace, tmp_path_factory.mktemp("platform")).installed()


def strategy_of(app: App) -> str:
    (name,) = yaml.safe_load(app.spec.read_text())["spec"]["strategy"]
    return str(name)


def swapped(app: App) -> None:
    """Let it be released by the other strategy."""

    def change(spec: Any) -> None:
        spec["spec"]["strategy"] = OTHER[strategy_of(app)]
        spec["spec"]["gates"].pop("during", None)

    app.edit("deployctl.yaml", change)


@pytest.mark.parametrize(
    "strategies",
    [
        "as they are",
        pytest.param("the other way round", marks=pytest.mark.proof),
        pytest.param("and back", marks=pytest.mark.proof),
    ],
)
def test_all_four_services_are_released_aborted_and_rolled_back_at_once(
    igaming: Platform, strategies: str
) -> None:
    if strategies != "as they are":
        for app in igaming.apps.values():
            swapped(app)
    (now,) = revisions(igaming)
    with playing(igaming) as played:
        released(igaming, now + "a")
        aborted(igaming, now + "b", stays=now + "a")
        rolled_back(igaming, now)
    assert played.wrong() == {}
    assert {name: app.settings() == app.before for name, app in igaming.apps.items()} == dict.fromkeys(
        QUICK, True
    )
