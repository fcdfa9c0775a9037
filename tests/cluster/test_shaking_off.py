"""Pools of kept connections, which no shift of a Service moves: they leave within preStop and a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cluster.bed.cluster import Cluster
from tests.cluster.platform import App, Platform, example, grant, modest
from tests.cluster.running import Running

PRE_STOP_SECONDS = 5.0
LOOK_SECONDS = 0.2
CALL_SECONDS = 0.3  # what one look at the metrics may take on a busy machine


@dataclass
class Watched:
    """When balances' old revision last answered payments' pool, as payments counts it."""

    payments: App
    last: float = 0.0
    counted: int = -1
    _stop: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        while not self._stop.is_set():
            counted, at = self._old(), time.monotonic()
            if counted != self.counted:
                self.counted, self.last = counted, at
            self._stop.wait(LOOK_SECONDS)

    def _old(self) -> int:
        pages = [self.payments.page(pod, "/metrics") for pod in self.payments.pods()]
        lines = [line for page in pages for line in page.splitlines()]
        mine = (one for one in lines if one.startswith("upstream_requests_total") and '"r1"' in one)
        return sum(int(one.rpartition(" ")[2]) for one in mine)

    @contextmanager
    def watching(self) -> Iterator[None]:
        thread = threading.Thread(target=self.watch)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()


@pytest.fixture
def pair(cluster: Cluster, namespace: str, tmp_path: Path) -> Platform:
    """Give balances with a pool of payments on it."""
    grant(cluster, namespace)
    apps = {name: example(cluster, namespace, name, tmp_path) for name in ("balances", "payments")}
    for app in apps.values():
        app.user = "releaser"
        app.edit("deployment.yaml", modest)
    balances, payments = apps["balances"], apps["payments"]
    balances.edit("deployment.yaml", sleeping)
    balances.install()
    payments.env(BALANCES_URL=balances.url("").removesuffix(":80"))
    payments.install()
    return Platform(cluster, namespace, tmp_path, apps)


def sleeping(deployment: dict[str, object]) -> None:
    """Let the old pods have the preStop that a release gives to the new ones."""
    box = deployment["spec"]["template"]["spec"]["containers"][0]  # type: ignore[index]
    box["lifecycle"] = {"preStop": {"sleep": {"seconds": int(PRE_STOP_SECONDS)}}}


@pytest.mark.parametrize("way", ["shakeOffAfter", "finish"])
def test_a_pool_leaves_the_old_side_within_pre_stop_and_a_second(pair: Platform, way: str) -> None:
    balances, payments = pair.apps["balances"], pair.apps["payments"]
    balances.env(REVISION="r2")
    balances.strategy(keepOld="60s", **({"shakeOffAfter": "2s"} if way == "shakeOffAfter" else {}))
    watched = Watched(payments)
    with payments.load("/", rate=60, post="payments", post_share=1.0) as load, watched.watching():
        time.sleep(2)
        release = Running(balances, "release", str(balances.spec))
        release.told("keepOld to pass", timeout=150.0)
        if way == "finish":
            assert watched.last > time.monotonic() - 1.0, "the pool is still on the old side"
            began = time.monotonic()
            assert balances.run("finish", "balances").returncode == 0
            assert release.ends() == 0, release.story
            took = watched.last - began
        else:
            time.sleep(PRE_STOP_SECONDS + 2)
            quiet = time.monotonic() - watched.last
            assert balances.live_revisions() == {"r1": 6, "r2": 6}, "a warm old side stands"
            assert quiet > 0.5, "nothing comes to it any more"
            took = PRE_STOP_SECONDS + 2 - quiet
            assert balances.run("finish", "balances").returncode == 0
            assert release.ends() == 0, release.story
    print(f"\n{way}: the pool had moved {took:.2f} s after; {load.report}")
    assert took <= PRE_STOP_SECONDS + 1.0 + CALL_SECONDS
    assert load.report.failed == 0, [str(one) for one in load.report.failures[:20]]
    assert balances.live_revisions() == {"r2": 6}
