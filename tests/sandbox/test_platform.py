"""The services of the example platform that are not in a fresh sandbox, as one applies them there."""

from __future__ import annotations

import json
import shutil
import socket
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deployctl.sandbox.load import Rounds
from tests.cluster.platform import EXAMPLE, QUICK
from tests.sandbox.practice import Practice, PracticeApp, namespace

Install = Callable[..., PracticeApp]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    practice = Practice(tmp_path_factory.mktemp("sandbox"))
    yield practice
    practice.close()


@pytest.fixture
def install(sandbox: Practice, tmp_path: Path) -> Install:
    """Apply the files of a service with `deployctl sandbox apply`, two pods of it."""

    def applied(name: str, **env: str) -> PracticeApp:
        shutil.copytree(EXAMPLE / name, tmp_path / name)
        (tmp_path / name / "hpa.yaml").unlink()  # it would scale to its minReplicas
        app = PracticeApp(sandbox, namespace(sandbox, "igaming"), name, tmp_path / name)
        app.strategy(**QUICK[name])
        app.env(**env)
        app.edit("deployment.yaml", lambda one: one["spec"].update(replicas=2))
        command = [sys.executable, "-m", "deployctl", "sandbox", "apply", str(tmp_path / name)]
        done = sandbox.run(command, env={"DEPLOYCTL_SANDBOX": str(sandbox.home.folder)})
        assert done.returncode == 0, done.stderr
        app.kubectl("rollout", "status", f"deployment/{name}")
        sandbox.wait(lambda: len(app.endpoints()) == 2 and _is_reached(app), what=f"the endpoints of {name}")
        return app

    return applied


def _is_reached(app: PracticeApp) -> bool:
    """Whether the Service has an address, and its front door stands open there."""
    try:
        return bool(fetched(app.url("/", "http")))
    except (KeyError, OSError):
        return False


def fetched(url: str, fields: Any = None) -> Any:
    data = None if fields is None else json.dumps(fields).encode()
    with urllib.request.urlopen(url, data, timeout=5) as answer:
        return json.loads(answer.read())


def is_answered(address: str) -> bool:
    """Whether anybody says anything to one who speaks HTTP/2 there."""
    host, port = address.split(":")
    try:
        with socket.create_connection((host, int(port)), timeout=5) as sock:
            sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            return sock.recv(1) != b""
    except ConnectionError:
        return False


def test_payments_books_on_balances_that_it_is_told_of(install: Install) -> None:
    balances = install("balances")
    payments = install("payments", BALANCES_URL=balances.url(""))
    payment = {"transaction": "t1", "kind": "deposit", "player": "p1", "cents": 500}
    paid = fetched(payments.url("/payments"), payment)
    assert (paid["balances"]["booking"], paid["balances"]["revision"]) == ("booking-t1", "r1")


def test_odds_has_its_pages_and_no_grpc_and_is_released_by_its_readiness(install: Install) -> None:
    odds = install("odds")
    assert fetched(odds.url("/", "http"))["service"] == "odds"
    assert not is_answered(odds.url("", "grpc").removeprefix("http://"))
    odds.env(REVISION="r2", NEVER_READY="1")
    odds.edit("deployment.yaml", lambda one: one["spec"].update(progressDeadlineSeconds=1))
    odds.kubectl("patch", "deployment", "odds", "-p", '{"spec":{"progressDeadlineSeconds":1}}')
    refused = odds.release()
    assert (refused.returncode, odds.live_revisions()) == (3, {"r1": 2}), refused.stderr


def test_rounds_are_played_through_the_front_door(install: Install) -> None:
    sessions = install("game-sessions")
    with Rounds(sessions.url("/rounds/ws"), players=4, length=0.5, every=0.1) as load:
        sessions.cluster.wait(lambda: fetched(sessions.url("/internal/rounds"))["open"] > 0, timeout=5)
    assert load.report.rounds >= 4
    assert (load.report.cut, load.report.failures) == ((), ())
