"""A hundred thousand requests through twenty releases and rollbacks, one after the other."""

from __future__ import annotations

import time
from typing import Any

import pytest

from deployctl.sandbox.load import Load
from tests.cluster import figures
from tests.cluster.platform import App
from tests.cluster.running import as_before

pytestmark = pytest.mark.proof
RATE, TIMES, REQUESTS = 100.0, 20, 100_000
STRATEGIES: tuple[dict[str, Any], ...] = (
    {"blueGreen": {"keepOld": "2s"}},
    {"rolling": {"batch": "50%", "bake": "2s"}},
)


def told(what: str, loads: dict[str, Load]) -> int:
    for kind, load in loads.items():
        print(f"\n{what}: {load.report}; latency in ms {dict(load.report.latency_ms)}", end="")
        figures.noted(f"balances, in a row, {kind} connections", load.report)
    for load in loads.values():
        assert load.report.failed == 0, [str(one) for one in load.report.failures[:10]]
    return sum(load.report.requests for load in loads.values())


def released(app: App, number: int) -> None:
    """Release a revision by the one strategy or the other, and every third time go back instead."""
    strategy = STRATEGIES[number % len(STRATEGIES)]
    app.edit("deployctl.yaml", lambda one: one["spec"].update(strategy=strategy))
    if number % 3 == 2:
        done = app.run("rollback", app.name, "-y")
    else:
        app.env(REVISION=f"r{number + 2}")
        done = app.release()
    assert done.returncode == 0, done.stderr


def test_a_hundred_thousand_requests_through_twenty_releases_and_rollbacks(balances: App) -> None:
    balances.install()
    requests, number = 0, 0
    while requests < REQUESTS or number < TIMES:
        began = number
        with balances.load(rate=RATE) as new, balances.load(rate=RATE, keepalive=True) as kept:
            until = time.monotonic() + 120
            while time.monotonic() < until:
                released(balances, number)
                number += 1
        requests += told(f"{number - began} releases and rollbacks", {"new": new, "kept": kept})
    print(f"\n{number} releases and rollbacks, {requests} requests, 0 failed")
    figures.note("row", times=number, requests=requests)
    assert as_before(balances)
