"""A hundred thousand requests through twenty releases and rollbacks, one after the other; and what they cost in latency.

The latency is printed beside that at rest in the same run, never asserted: a shared machine is no stopwatch.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from deployctl.sandbox.load import Load
from tests.cluster.platform import App
from tests.cluster.running import as_before

pytestmark = pytest.mark.proof
RATE, REST_SECONDS, TIMES, REQUESTS = 100.0, 20.0, 20, 100_000
STRATEGIES: tuple[dict[str, Any], ...] = (
    {"blueGreen": {"keepOld": "2s"}},
    {"rolling": {"batch": "50%", "bake": "2s"}},
)


def told(what: str, loads: tuple[Load, ...]) -> int:
    for load in loads:
        print(f"\n{what}: {load.report}; latency in ms {dict(load.report.latency_ms)}", end="")
        assert load.report.failed == 0, [str(one) for one in load.report.failures[:10]]
    return sum(load.report.requests for load in loads)


def rested(app: App) -> None:
    with app.load(rate=RATE) as new, app.load(rate=RATE, keepalive=True) as kept:
        time.sleep(REST_SECONDS)
    told("at rest", (new, kept))


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
    rested(balances)
    requests, number = 0, 0
    while requests < REQUESTS or number < TIMES:
        began = number
        with balances.load(rate=RATE) as new, balances.load(rate=RATE, keepalive=True) as kept:
            until = time.monotonic() + 120
            while time.monotonic() < until:
                released(balances, number)
                number += 1
        requests += told(f"{number - began} releases and rollbacks", (new, kept))
    print(f"\n{number} releases and rollbacks, {requests} requests, 0 failed")
    assert as_before(balances)
