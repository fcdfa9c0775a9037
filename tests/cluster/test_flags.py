"""Flags kept by a real Unleash, moved by releases on a real cluster: first on the way back, and never for long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.cluster.bed.cluster import Cluster
from tests.cluster.bed.network import inside
from tests.cluster.platform import App
from tests.cluster.running import Running, as_before
from tests.servers.running import eventually, scratch
from tests.servers.unleash import ADMIN, CLIENT, Unleash, unleash

TOKENS = {"UNLEASH_ADMIN": ADMIN, "UNLEASH_CLIENT": CLIENT}
BOUND_SECONDS, STEP_SECONDS = 2.0, 1.0  # what the traffic waits at most, and one write of a busy machine


@pytest.fixture(scope="module")
def server(cluster: Cluster) -> Iterator[Unleash]:
    """Give an Unleash that is in the bed's network, where the tool is."""
    assert cluster.at
    with ExitStack() as stack:
        with inside():
            found = stack.enter_context(unleash(stack.enter_context(scratch("unleash"))))
        yield found


def is_on(server: Unleash, flag: str) -> bool:
    with inside():
        return bool(server.call("GET", flag)["enabled"])


@pytest.fixture
def flag(server: Unleash, namespace: str) -> str:
    """Give the path of a flag that is off."""
    everybody = {
        "name": "flexibleRollout",
        "parameters": {"rollout": "100", "stickiness": "default", "groupId": "g"},
    }
    with inside():
        path = server.make(f"new-wallet-{namespace[-8:]}")
        server.call("POST", f"{path}/strategies", everybody)
    return path


@pytest.fixture
def kept(balances: App, server: Unleash, flag: str, monkeypatch: pytest.MonkeyPatch) -> App:
    """Balances, whose release turns that flag on once all traffic is the new version's, and keeps the old one."""
    for name, token in TOKENS.items():
        monkeypatch.setenv(name, token)
    keeps: dict[str, Any] = {
        "url": server.url,
        "environment": "development",
        "token": {"env": "UNLEASH_ADMIN"},
    }
    keeps |= {"clientToken": {"env": "UNLEASH_CLIENT"}, "endpoints": [server.url]}
    flags = {"provider": {"unleash": keeps}, "after": {flag.split("/")[-3]: True}}
    balances.edit("deployctl.yaml", lambda one: one["spec"].update(flags=flags))
    balances.strategy(keepOld="5m")
    return balances.install()


def went_back(app: App, server: Unleash, flag: str, *, frozen: bool) -> tuple[float, str]:
    """Release under load, go back while the old side is kept; give how long the traffic waited for the flag.

    How long it all took is printed, from the command's start to the last answer of the new version.
    """
    app.env(REVISION="r2")
    with app.load(rate=60) as load:
        running = Running(app, "release", str(app.spec))
        running.told("keepOld to pass")
        assert is_on(server, flag)
        time.sleep(1)
        if frozen:
            server.server.freeze()
        began = time.time()
        back = Running(app, "rollback", app.name, "-y")
        back.told("waiting for the flags to go back first")
        waits = time.monotonic()
        back.told("return 100% of balances")
        waited = time.monotonic() - waits
        assert back.ends() == 0, back.story
        server.server.thaw()
        running.ends()
    took = load.report.last_answer("r2") - began
    print(
        f"\n{took:.2f} s to the last answer of the new version, {waited:.2f} s of it for the flag; {load.report}"
    )
    assert load.report.failed == 0, [str(one) for one in load.report.failures[:10]]
    assert as_before(app)
    return waited, back.story


@pytest.mark.proof
def test_the_flag_is_off_before_the_traffic_moves_back(kept: App, server: Unleash, flag: str) -> None:
    _, story = went_back(kept, server, flag, frozen=False)
    name = flag.split("/")[-3]
    assert 0 < story.find(f"flag {name} is false again") < story.find("return 100% of balances"), story
    assert not is_on(server, flag)


def test_a_dead_flag_server_holds_the_way_back_no_longer_than_its_bound(
    kept: App, server: Unleash, flag: str
) -> None:
    waited, story = went_back(kept, server, flag, frozen=True)
    assert waited < BOUND_SECONDS + STEP_SECONDS
    last = story.splitlines()[-1]
    name = flag.split("/")[-3]
    assert last == f"  next: deployctl flag set balances {name} false", story
    eventually(lambda: is_on(server, flag))
    done = kept.run(*last.split()[2:], "--reason", "the server is back")
    assert done.returncode == 0, done.stderr
    assert not is_on(server, flag)
