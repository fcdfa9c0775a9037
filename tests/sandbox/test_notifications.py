"""A real release tells of itself: to a server that hears, to one that does not, and on the Deployment."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.answering import Reply, Server, serving
from tests.sandbox.practice import PracticeApp, balances

IMAGE = ("--image", "localhost/igaming:2")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PracticeApp]:
    with balances(tmp_path_factory) as one:
        yield one


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(lambda _: Reply(200, b"ok")) as one:
        yield one


def tells(app: PracticeApp, *notify: dict[str, Any]) -> None:
    app.edit("deployctl.yaml", lambda each: each["spec"].update(notify=list(notify)))


def whats(server: Server) -> list[str]:
    return [json.loads(one.body)["what"] for one in server.calls]


def events(app: PracticeApp) -> list[tuple[str, str]]:
    api = app.cluster.api  # type: ignore[attr-defined]
    found = api.get(f"/api/v1/namespaces/{app.namespace}/events")["items"]
    ours = [one for one in found if one.get("reportingComponent") == "deployctl"]
    return [(one["reason"], one["message"]) for one in sorted(ours, key=lambda one: one["metadata"]["name"])]


def test_a_release_and_its_rollback_tell_a_webhook_and_the_deployment(
    installed: PracticeApp, server: Server
) -> None:
    webhook = {"name": "incidents", "webhook": {"url": server.url}}
    tells(installed, webhook, {"name": "here", "events": {}, "text": "${what} by ${by}"})
    done = installed.run("release", str(installed.spec), *IMAGE)
    assert (done.returncode, whats(server)) == (0, ["begun", "shifted", "promoted"]), done.stderr
    told = json.loads(server.calls[-1].body)
    assert told["preview"] in done.stderr
    assert told["text"].startswith("balances in igaming: promoted")
    done = installed.run("rollback", "balances", "--reason", "errors in checkout")
    assert done.returncode == 0, done.stderr
    assert whats(server)[3:] == ["begun", "rolledBack"]
    assert json.loads(server.calls[-1].body)["reason"].endswith("errors in checkout")
    assert [one for one, _ in events(installed)] == [
        "ReleaseBegun", "ReleaseShifted", "ReleasePromoted", "ReleaseBegun", "ReleaseRolledBack",
    ]  # fmt: skip


def test_who_does_not_hear_holds_nothing_up_and_is_told_of_once(
    installed: PracticeApp, tmp_path: Path
) -> None:
    (tmp_path / "url").write_text("http://127.0.0.1:1/services/T0/B0/hunter2secret\n")
    with serving(lambda _: Reply(200, lines=(), silent_seconds=60)) as deaf:
        tells(
            installed,
            {"name": "team", "slack": {"url": {"file": str(tmp_path / "url")}}},
            {"name": "deaf", "webhook": {"url": deaf.url}, "timeout": "1s"},
        )
        began = time.monotonic()
        done = installed.run("release", str(installed.spec), "--image", "localhost/igaming:3")
        assert time.monotonic() - began < 60
    assert done.returncode == 0
    assert done.stderr.count("team is not told, and the release goes on: 127.0.0.1") == 1
    assert done.stderr.count("deaf is not told") == 1
    assert "hunter2secret" not in done.stdout + done.stderr


def test_a_refused_build_tells_why_and_one_that_stands_that_it_waits(
    installed: PracticeApp, server: Server
) -> None:
    tells(installed, {"name": "incidents", "webhook": {"url": server.url}})
    installed.env(HEALTHZ_STATUS="500")
    done = installed.run("release", str(installed.spec), "--image", "localhost/igaming:4")
    assert (done.returncode, whats(server)) == (3, ["begun", "turned", "aborted"])
    assert "gate smoke said no" in json.loads(server.calls[-1].body)["reason"]
    installed.env(HEALTHZ_STATUS=None)
    done = installed.run(
        "release", str(installed.spec), "--image", "localhost/igaming:5", "--promote", "manual"
    )
    assert (done.returncode, whats(server)[3:]) == (4, ["begun", "waiting"])
    installed.run("abort", "balances")
    assert whats(server)[5:] == ["aborted"]
