"""Consumers that go over with a release of the example app in a sandbox, while events come in and requests too."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pytest

from deployctl.cluster.api import Request
from tests.cluster.platform import until
from tests.sandbox.practice import Practice, PracticeApp, copied

EVENTS_A_SECOND = 100
PAGE = "/internal/consume"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    practice = Practice(tmp_path_factory.mktemp("sandbox"))
    yield practice
    practice.close()


class Queue:
    """A queue as the example app knows one, and the events that were put into it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.sent = folder, 0
        self._over = threading.Event()
        for name in ("new", "taken", "drafts"):
            (folder / name).mkdir(parents=True)
        (folder / "handled").touch()
        (folder / "holders").touch()

    def _send(self) -> None:
        while not self._over.wait(1 / EVENTS_A_SECOND):
            draft = self.folder / "drafts" / f"{self.sent:06}"
            draft.touch()
            draft.rename(self.folder / "new" / draft.name)
            self.sent += 1

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Let events come in, and at the end wait until every one was handled."""
        sending = threading.Thread(target=self._send)
        sending.start()
        try:
            yield
            time.sleep(1)
        finally:
            self._over.set()
            sending.join()
        end = time.monotonic() + 20
        while len(self.handled()) < self.sent and time.monotonic() < end:
            time.sleep(0.1)

    def handled(self) -> list[tuple[str, str]]:
        """Give the events in the order in which they were handled, each with its revision."""
        lines = (self.folder / "handled").read_text().splitlines()
        return [(line.split(" ")[0], line.split(" ")[1]) for line in lines]

    def turns(self) -> list[str]:
        """Name the revisions in the order in which they had their turn."""
        return [revision for revision, _ in groupby(revision for _, revision in self.handled())]

    def wrong(self) -> dict[str, int]:
        """Count the events that nobody handled, and those that were handled more than once."""
        counted = Counter(event for event, _ in self.handled())
        lost = self.sent - len(counted)
        return {"lost": lost, "twice": sum(many > 1 for many in counted.values())}

    def gap(self) -> float:
        """Measure the longest time in which nobody took an event, by when they were taken."""
        times = sorted(
            float(line.split(" ")[3]) for line in (self.folder / "handled").read_text().splitlines()
        )
        return max(b - a for a, b in pairwise(times))

    def holders(self) -> list[str]:
        return [" ".join(line.split(" ")[:2]) for line in (self.folder / "holders").read_text().splitlines()]


def made(
    sandbox: Practice, tmp_path: Path, name: str, mode: str, queue: Queue, pods: int = 6, **env: str
) -> PracticeApp:
    """Install a service of the example platform that takes events, and let its pods begin."""
    app = copied(sandbox, f"events-{abs(hash(str(tmp_path))) % 10**6}", tmp_path, name)
    app.edit("deployment.yaml", lambda deployment: deployment["spec"].update(replicas=pods))
    app.env(EVENTS=str(queue.folder), **env)
    app.edit("deployctl.yaml", lambda spec: consuming(spec, mode))
    app.install()
    tell(app, consume=True)
    app.env(REVISION="r2")
    return app


def consuming(spec: dict[str, Any], mode: str) -> None:
    spec["spec"]["consumes"] = {"mode": mode, "path": PAGE, "atStart": "paused", "timeout": "5s"}
    spec["spec"]["gates"] = {"before": [{"name": "smoke", "http": {"path": "/healthz", "expect": 200}}]}


def tell(app: PracticeApp, *, consume: bool) -> None:
    """Tell every pod, as somebody does by hand."""
    for pod in app.pods():
        where = f"/api/v1/namespaces/{app.namespace}/pods/{pod['metadata']['name']}:8080/proxy{PAGE}"
        app.cluster.api.raw(Request("POST", where, {"consume": consume}), 5.0)  # type: ignore[attr-defined]


def test_a_preview_handles_no_event_before_it_is_promoted_and_then_all(sandbox, tmp_path):
    queue = Queue(tmp_path / "queue")
    app = made(sandbox, tmp_path, "balances", "pauseUntilPromote", queue)
    app.strategy(keepOld="1s")
    with queue.busy(), app.load(rate=50.0) as load:
        waits = app.release("--promote", "manual")
        assert waits.returncode == 4, waits.stderr
        time.sleep(1)
        assert queue.turns() == ["r1"]
        done = app.run("promote", app.name)
        assert done.returncode == 0, done.stderr
    handled = Counter(revision for _, revision in queue.handled())
    print(f"\n{queue.sent} events: {handled}, nobody took any for {queue.gap():.2f} s; {load.report}")
    assert (queue.turns(), queue.wrong()) == (["r1", "r2"], {"lost": 0, "twice": 0})
    assert load.report.failed == 0, load.report
    told = waits.stderr + done.stderr
    assert 0 < told.find("shift 100%") < told.find("to consume no more") < told.find("pods to consume\n"), (
        told
    )


def test_an_aborted_preview_has_handled_nothing(sandbox, tmp_path):
    queue = Queue(tmp_path / "queue")
    app = made(sandbox, tmp_path, "balances", "pauseUntilPromote", queue)
    with queue.busy():
        assert app.release("--promote", "manual").returncode == 4
        done = app.run("abort", app.name)
    assert done.returncode == 0, done.stderr
    assert (queue.turns(), queue.wrong()) == (["r1"], {"lost": 0, "twice": 0})


def test_a_rollback_while_the_old_side_stands_gives_it_the_events_again(sandbox, tmp_path):
    queue = Queue(tmp_path / "queue")
    app = made(sandbox, tmp_path, "balances", "pauseUntilPromote", queue)
    app.strategy(keepOld="60s")
    with queue.busy():
        releasing = app.start("release", str(app.spec))
        until(releasing, "waiting for keepOld")
        app.cluster.wait(lambda: queue.turns() == ["r1", "r2"], what="the preview to consume")
        done = app.run("rollback", app.name, "--yes")
        releasing.communicate(timeout=60)
        app.cluster.wait(lambda: queue.turns() == ["r1", "r2", "r1"], what="stable to consume")
    assert done.returncode == 0, done.stderr
    assert (queue.turns(), queue.wrong()) == (["r1", "r2", "r1"], {"lost": 0, "twice": 0})


def test_a_rollback_after_the_end_hands_the_events_over_too(sandbox, tmp_path):
    queue = Queue(tmp_path / "queue")
    app = made(sandbox, tmp_path, "balances", "pauseUntilPromote", queue)
    app.strategy(keepOld="0s")
    with queue.busy():
        assert app.release().returncode == 0
        done = app.run("rollback", app.name, "--yes")
        app.cluster.wait(lambda: queue.turns() == ["r1", "r2", "r1"], what="stable to consume")
    assert done.returncode == 0, done.stderr
    assert (queue.turns(), queue.wrong()) == (["r1", "r2", "r1"], {"lost": 0, "twice": 0})


def test_a_rolling_release_lets_the_events_go_over_with_the_last_batch(sandbox, tmp_path):
    queue = Queue(tmp_path / "queue")
    app = made(sandbox, tmp_path, "game-sessions", "pauseUntilPromote", queue)
    app.strategy(batch=3, bake="1s")
    with queue.busy(), app.load("/", rate=50.0, post_share=0.0) as load:
        done = app.release()
    handled = Counter(revision for _, revision in queue.handled())
    print(f"\n{queue.sent} events: {handled}, nobody took any for {queue.gap():.2f} s; {load.report}")
    assert done.returncode == 0, done.stderr
    assert (queue.turns(), queue.wrong()) == (["r1", "r2"], {"lost": 0, "twice": 0})
    assert load.report.failed == 0, load.report


def test_a_rolling_release_that_is_aborted_half_way_leaves_the_events_where_they_were(sandbox, tmp_path):
    queue = Queue(tmp_path / "queue")
    app = made(sandbox, tmp_path, "game-sessions", "pauseUntilPromote", queue)
    app.strategy(batch=3, bake="60s")
    with queue.busy():
        releasing = app.start("release", str(app.spec))
        until(releasing, "preview pods to bake")
        done = app.run("abort", app.name)
        releasing.communicate(timeout=60)
    assert done.returncode == 0, done.stderr
    assert (queue.turns(), queue.wrong()) == (["r1"], {"lost": 0, "twice": 0})


def test_a_preview_that_consumes_from_its_start_is_turned_round(sandbox, tmp_path):
    queue = Queue(tmp_path / "queue")
    app = made(sandbox, tmp_path, "balances", "pauseUntilPromote", queue)
    app.env(CONSUMES="consuming")
    with queue.busy():
        done = app.release()
    assert done.returncode == 3, done.stderr
    assert "has to come up paused (spec.consumes.atStart)" in done.stderr
    assert queue.turns()[-1] == "r1"


def test_pods_that_do_not_say_whether_they_consume_stop_a_release_before_it_begins(sandbox, tmp_path):
    queue = Queue(tmp_path / "queue")
    app = made(sandbox, tmp_path, "balances", "handOver", queue)
    app.edit("deployctl.yaml", lambda spec: spec["spec"]["consumes"].update(path="/internal/eat"))
    before = app.get("deployment")["metadata"]["resourceVersion"]
    done = app.release()
    assert done.returncode == 2, done.stderr
    assert "does not say whether it consumes: /internal/eat: 404" in done.stderr
    assert app.get("deployment")["metadata"]["resourceVersion"] == before


@pytest.mark.parametrize("name", ["balances", "game-sessions"])
def test_two_pods_never_hold_at_once(sandbox, tmp_path, name):
    queue = Queue(tmp_path / "queue")
    app = made(sandbox, tmp_path, name, "handOver", queue, HOLDS="1")
    app.strategy(**({"keepOld": "1s"} if name == "balances" else {"batch": 3, "bake": "1s"}))
    with queue.busy():
        done = app.release()
        back = app.run("rollback", app.name, "--yes")
        app.cluster.wait(lambda: queue.turns() == ["r1", "r2", "r1"], what="stable to hold")
    assert (done.returncode, back.returncode) == (0, 0), done.stderr + back.stderr
    assert queue.wrong()["twice"] == 0
    assert not [one for one in queue.holders() if "BESIDE" in one], queue.holders()


@pytest.mark.long
@pytest.mark.parametrize("then", ["resume", "rollback"])
@pytest.mark.parametrize("dies_at", ["shift 100%", "to consume no more", "pods to consume\n"])
def test_killed_in_the_middle_of_a_hand_over_there_is_one_holder_in_the_end(sandbox, tmp_path, dies_at, then):
    queue = Queue(tmp_path / "queue")
    app = made(sandbox, tmp_path, "balances", "handOver", queue, HOLDS="1")
    app.strategy(keepOld="1s")
    with queue.busy():
        releasing = app.start("release", str(app.spec), "--verbose")
        until(releasing, dies_at.replace("pods to consume\n", " to consume\n"))
        os.kill(releasing.pid, signal.SIGKILL)
        releasing.communicate(timeout=10)
        done = app.run(then, app.name, *(["--yes"] if then == "rollback" else []))
        assert done.returncode == 0, done.stderr
        ends = "r2" if then == "resume" else "r1"
        app.cluster.wait(lambda: queue.turns()[-1] == ends, what=f"{ends} to hold")
    assert queue.turns()[-1] == ends
    assert queue.wrong() == {"lost": 0, "twice": 0}
    assert not [one for one in queue.holders() if "BESIDE" in one], queue.holders()


def test_status_and_why_say_who_consumes_and_that_a_hand_over_is_what_is_waited_for(sandbox, tmp_path):
    """Every old pod has an event in hand for longer than it is waited for, so the release stands in mid hand-over."""
    queue = Queue(tmp_path / "queue")
    app = made(sandbox, tmp_path, "balances", "handOver", queue, EVENT_TAKES="30s")
    app.edit("deployctl.yaml", lambda spec: spec["spec"]["consumes"].update(timeout="2s"))
    for number in range(6):
        (queue.folder / "new" / f"{number}").touch()
    app.cluster.wait(lambda: len(list((queue.folder / "taken").iterdir())) == 6, what="an event in each hand")
    assert app.release("--promote", "manual").returncode == 4
    waits = consumers(app)
    assert (waits["mode"], waits["awaited"]) == ("handOver", False)
    assert [(one["consuming"], one["paused"]) for one in waits["sides"]] == [(6, 0), (0, 5)]
    assert all(one["since"] for one in waits["sides"])
    following = app.start("status", app.name, "-w")
    assert app.run("promote", app.name).returncode == 4
    stands = consumers(app)
    assert [(one["consuming"], one["paused"]) for one in stands["sides"]] == [(6, 0), (0, 6)]
    said = app.run("why", app.name).stdout
    assert " may consume still: it was told to stop" in said
    assert "Consumers (handOver): stable " in said
    assert ": 6 of 6 pods consume, the last change " in said
    assert app.run("abort", app.name).returncode == 0
    _, told = following.communicate(timeout=60)
    assert "6 of 6 stable, 0 of 6 preview pods consume" in told


def consumers(app: PracticeApp) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(app.run("status", app.name, "-o", "json").stdout)
    return found["release"]["consumers"]  # type: ignore[no-any-return]


def test_who_had_not_stopped_yet_when_the_release_turned_round_goes_on(sandbox, tmp_path):
    """Old pods are told to stop with an event in hand, and are stable again before they have ended it."""
    queue = Queue(tmp_path / "queue")
    app = made(sandbox, tmp_path, "balances", "pauseUntilPromote", queue, pods=2, EVENT_TAKES="20s")
    app.edit("deployctl.yaml", lambda spec: spec["spec"]["consumes"].update(timeout="2s"))
    refuses = {"name": "refuses", "http": {"path": "/healthz", "expect": 418}}
    app.edit("deployctl.yaml", lambda spec: spec["spec"]["gates"].update(after=[refuses]))
    for number in range(2):
        (queue.folder / "new" / f"{number}").touch()
    app.cluster.wait(lambda: len(list((queue.folder / "taken").iterdir())) == 2, what="an event in each hand")
    done = app.release()
    assert done.returncode == 3, done.stderr
    app.cluster.wait(lambda: len(queue.handled()) == 2, what="the events to be handled")
    time.sleep(1)
    assert says(app) == [True, True]


def test_the_plan_says_who_consumes_and_when(sandbox, tmp_path):
    queue = Queue(tmp_path / "queue")
    app = made(sandbox, tmp_path, "balances", "handOver", queue)
    done = app.run("plan", str(app.spec))
    assert done.returncode == 0, done.stderr
    shifted, stop, begin = (
        done.stdout.find(one)
        for one in (
            "shift 100% of balances",
            "tell 6 pods of the old side to consume no more",
            "tell 6 pods of the preview to consume",
        )
    )
    assert 0 < shifted < stop < begin, done.stdout
    assert "the way back: the new pods let go first" in done.stdout


def test_a_group_of_its_own_is_told_of_and_nothing_is_done_to_pods(sandbox, tmp_path):
    queue = Queue(tmp_path / "queue")
    app = made(sandbox, tmp_path, "balances", "pauseUntilPromote", queue)
    app.strategy(keepOld="1s")
    group = {"mode": "separateGroup", "group": "settlement-${preview}"}
    app.edit("deployctl.yaml", lambda spec: spec["spec"].update(consumes=group))
    plan = app.run("plan", str(app.spec)).stdout
    assert "handling must be idempotent" in plan
    assert (
        "the new pods consume in group settlement-${preview}: from here on each event is handled by both"
        in plan
    )
    done = app.release()
    assert done.returncode == 0, done.stderr
    assert "to consume" not in done.stderr


def test_a_pod_that_starts_at_rest_does_as_its_peers_do(sandbox, tmp_path):
    queue = Queue(tmp_path / "queue")
    app = made(sandbox, tmp_path, "balances", "pauseUntilPromote", queue)
    app.strategy(keepOld="0s")
    app.edit("deployctl.yaml", lambda spec: spec["spec"]["consumes"].update(atStart="asPeers"))
    app.env(CONSUMES="asPeers", PEERS_URL=app.url(PAGE))
    with queue.busy():
        done = app.release()
        assert done.returncode == 0, done.stderr
        for pod in app.pods():
            where = f"/api/v1/namespaces/{app.namespace}/pods/{pod['metadata']['name']}"
            app.cluster.api.send(Request("DELETE", where))  # type: ignore[attr-defined]
            app.cluster.wait(lambda: says(app) == [True] * 6, what="the newborn to consume")
    assert (queue.turns(), queue.wrong()["twice"]) == (["r1", "r2"], 0)


def says(app: PracticeApp) -> list[bool]:
    """Give what each live pod says, once all of them are ready."""
    pods = app.pods()
    names = [pod["metadata"]["name"] for pod in pods if pod["metadata"]["name"] in app.endpoints()]
    return [json.loads(app_page(app, name))["consuming"] for name in names]


def app_page(app: PracticeApp, name: str) -> bytes:
    where = f"/api/v1/namespaces/{app.namespace}/pods/{name}:8080/proxy{PAGE}"
    page: bytes = app.cluster.api.raw(Request("GET", where), 5.0)[1]  # type: ignore[attr-defined]
    return page
