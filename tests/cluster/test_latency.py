"""What a release costs in latency: its p99 beside that at rest, and beside that of a plain rollout, in the same run.

All turn about, so that whatever else the machine does befalls each alike, and each counts all its turns together.
One machine is here the node, the API server, the tool and the client: what the start of a pod costs is in all of it, as
the plain rollout shows. Where the turns at rest differ among themselves, the machine is no stopwatch and nothing is judged.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from deployctl.sandbox.load.client import percentiles_ms
from tests.cluster import figures
from tests.cluster.platform import App

pytestmark = pytest.mark.alone
RATE, TURNS, REST_SECONDS = 50.0, 6, 8.0
SETTLE_SECONDS = 6.0  # until the last old pod has ended: it sleeps for 5 s in its preStop
MOST, STEADY = 2.0, 1.5
REST, PLAIN = "at rest", "during `kubectl rollout restart`"
STRATEGIES: dict[str, dict[str, Any]] = {
    "during a blue-green release": {"blueGreen": {"keepOld": "2s"}},
    "during a rolling release": {"rolling": {"batch": "50%", "bake": "2s"}},
}


@dataclass
class Took:
    """How long answers took, turn by turn."""

    turns: list[Counter[float]] = field(default_factory=list)

    def percentiles(self, turns: slice = slice(None)) -> dict[str, float]:
        whole = sum(self.turns[turns], Counter[float]())
        return percentiles_ms([took / 1000 for took in whole.elements()])

    @property
    def p99(self) -> float:
        return self.percentiles()["p99"]

    @property
    def halves(self) -> list[float]:
        """Give the p99 of every other turn, and of those between them."""
        return [self.percentiles(slice(first, None, 2))["p99"] for first in (0, 1)]

    @property
    def is_steady(self) -> bool:
        return max(self.halves) <= STEADY * min(self.halves)

    @contextmanager
    def turn(self, app: App) -> Iterator[None]:
        """Ask on new connections and on kept ones, and add what it took."""
        with app.load(rate=RATE) as new, app.load(rate=RATE, keepalive=True) as kept:
            yield
        reports = new.report, kept.report
        self.turns.append(sum((Counter(one.took_ms) for one in reports), Counter[float]()))


def released(app: App, strategy: dict[str, Any], revision: str) -> None:
    app.edit("deployctl.yaml", lambda one: one["spec"].update(strategy=strategy))
    app.env(REVISION=revision)
    done = app.release()
    assert done.returncode == 0, done.stderr


def restarted(app: App) -> None:
    app.kubectl("rollout", "restart", f"deployment/{app.name}")
    app.kubectl("rollout", "status", f"deployment/{app.name}", "--timeout=90s")


def taken(app: App) -> dict[str, Took]:
    """Rest, release and restart, turn about."""
    took = {name: Took() for name in (REST, *STRATEGIES, PLAIN)}
    for turn in range(TURNS):
        for name, strategy in STRATEGIES.items():
            time.sleep(SETTLE_SECONDS)
            with took[REST].turn(app):
                time.sleep(REST_SECONDS)
            with took[name].turn(app):
                released(app, strategy, f"{turn}-{next(iter(strategy)).lower()}")
        with took[PLAIN].turn(app):
            restarted(app)
    return took


def test_a_release_keeps_the_p99_within_twice_that_at_rest(balances: App) -> None:
    balances.install()
    took = taken(balances)
    for name, one in took.items():
        counted = {"requests": sum(turn.total() for turn in one.turns), **one.percentiles()}
        print(f"\n{name}: {counted}", end="")
        figures.note("latency", name=name, halves=one.halves, **counted)
    rest, most = took[REST], max(took[name].p99 for name in STRATEGIES)
    print(f"\np99 {most:g} ms during a release, {rest.p99:g} ms at rest: {most / rest.p99:.1f}x")
    if not rest.is_steady:
        pytest.skip(f"no stopwatch: p99 at rest differs from turn to turn by more than {STEADY:g}x")
    assert most <= MOST * rest.p99
