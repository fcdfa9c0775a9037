"""Flags that move with a release of the example app in a sandbox, under load: forward, and first on the way back."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.sandbox.practice import Practice, PracticeApp, copied

FLAGS = """{"flags": {"new-wallet": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off"}}}
"""
HEALTHY = "localhost/igaming:2"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    practice = Practice(tmp_path_factory.mktemp("sandbox"))
    yield practice
    practice.close()


@pytest.fixture
def app(sandbox: Practice, tmp_path: Path, request: pytest.FixtureRequest) -> PracticeApp:
    found = copied(sandbox, f"flags-{abs(hash(request.node.name)) % 10**6}", tmp_path)
    found.strategy(keepOld="2s")
    found.install()
    return found


def flagged(
    app: PracticeApp, provider: dict[str, Any], gate: dict[str, Any] | None = None, **flags: Any
) -> None:
    """Give the app's spec flags, and a gate after the shift."""
    whole = yaml.safe_load(app.spec.read_text())
    whole["spec"]["flags"] = {"provider": provider, **flags}
    whole["spec"]["gates"] = {"after": [gate]} if gate else {}
    app.spec.write_text(yaml.safe_dump(whole, sort_keys=False))


def kept(app: PracticeApp) -> Path:
    file = app.folder / "flags.json"
    file.write_text(FLAGS)
    return file


def value(file: Path) -> str:
    return str(json.loads(file.read_text())["flags"]["new-wallet"]["defaultVariant"])


NO: dict[str, Any] = {"name": "no", "http": {"path": "/healthz", "expect": 418}}


def test_a_flag_goes_on_after_the_shift_and_the_record_says_what_it_was(app):
    file = kept(app)
    flagged(app, {"file": {"path": str(file)}}, after={"new-wallet": True})
    done = app.run("release", str(app.spec), "--image", HEALTHY)
    assert (done.returncode, value(file)) == (0, "on"), done.stderr
    record = json.loads(app.get("configmap", "deployctl-balances")["data"]["releases"])[0]
    flag = record["flags"][0]
    assert (flag["key"], flag["before"]["value"], flag["ours"][-1]["value"], flag["done"]) == (
        "new-wallet",
        False,
        True,
        True,
    )


def test_a_finished_release_is_rolled_back_with_its_flag_first(app):
    file = kept(app)
    flagged(app, {"file": {"path": str(file)}}, after={"new-wallet": True})
    assert app.run("release", str(app.spec), "--image", HEALTHY).returncode == 0
    done = app.run("rollback", "balances", "--yes")
    assert (done.returncode, value(file)) == (0, "off"), done.stderr
    assert "flag new-wallet is false again" in done.stderr


def test_a_release_that_is_refused_leaves_the_flag_file_as_it_was(app):
    file = kept(app)
    flagged(app, {"file": {"path": str(file)}}, NO, after={"new-wallet": True})
    done = app.run("release", str(app.spec), "--image", HEALTHY)
    assert done.returncode == 3, done.stderr
    assert file.read_text() == FLAGS


def test_without_the_flags_server_a_release_does_not_begin(app):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        provider = {
            "unleash": {
                "url": url,
                "environment": "production",
                **{one: {"env": "HOME"} for one in ("token", "clientToken")},
            }
        }
        flagged(app, provider, after={"new-wallet": True})
        before = app.get("deployment")["metadata"]["resourceVersion"]
        done = app.run("release", str(app.spec), "--image", HEALTHY)
    assert done.returncode not in (0, 3), done.stderr
    assert url in done.stderr
    assert app.get("deployment")["metadata"]["resourceVersion"] == before


def test_with_flags_that_hang_the_traffic_is_back_in_three_seconds(app):
    """The file is a pipe into which nobody writes, as a dead mount: from the command to the last answer of the bad side."""
    file = kept(app)
    app.env(REVISION="r2")
    app.strategy(keepOld="60s")
    flagged(app, {"file": {"path": str(file)}}, after={"new-wallet": True})
    command = app.command("release", str(app.spec))
    with app.load(rate=50.0) as load, app.cluster.popen(command, stderr=subprocess.PIPE) as releasing:
        app.cluster.wait(lambda: value(file) == "on", what="the flag to be on")
        time.sleep(1)
        file.unlink()
        os.mkfifo(file)
        began = time.time()
        done = app.run("rollback", "balances", "--yes")
        releasing.communicate(timeout=60)
    assert done.returncode == 0, done.stderr
    assert load.report.answers("r2") > 0
    took = load.report.last_answer("r2") - began
    print(f"\n{took:.2f} s to the last answer of the bad side; {load.report}")
    assert took <= 1.0 + 2.0
    assert load.report.failed == 0, load.report
    last = done.stderr.splitlines()[-1]
    assert last == "  next: deployctl flag set balances new-wallet false"
    file.unlink()
    file.write_text(FLAGS.replace('"defaultVariant": "off"', '"defaultVariant": "on"'))
    done = app.run(*last.split()[2:], "--reason", "the mount is back")
    assert (done.returncode, file.read_text()) == (0, FLAGS), done.stderr
    assert done.stdout.startswith("new-wallet: false\n  false at ")


def test_a_flag_is_seen_and_set_from_the_spec_file(app):
    file = kept(app)
    flagged(app, {"file": {"path": str(file)}})
    assert app.run("flag", "get", str(app.spec), "new-wallet").stdout.startswith("new-wallet: false\n")
    assert app.run("flag", "set", str(app.spec), "new-wallet", "25%").stdout.startswith(
        "new-wallet: on for 25%\n"
    )
    assert app.run("flag", "set", str(app.spec), "new-wallet", "true").returncode == 0
    assert value(file) == "on"
    wrong = app.run("flag", "set", str(app.spec), "new-wallet", "loud")
    assert (wrong.returncode, "new-wallet" in wrong.stderr) == (2, True)
    assert app.run("flag", "get", str(app.spec), "no-such").returncode == 2


def test_in_the_ordinary_case_the_flag_is_off_before_the_traffic_moves(app):
    file = kept(app)
    app.env(REVISION="r2")
    app.strategy(keepOld="60s")
    flagged(app, {"file": {"path": str(file)}}, after={"new-wallet": True})
    command = app.command("release", str(app.spec))
    with app.load(rate=50.0) as load, app.cluster.popen(command, stderr=subprocess.PIPE) as releasing:
        app.cluster.wait(lambda: value(file) == "on", what="the flag to be on")
        time.sleep(1)
        began = time.time()
        done = app.run("rollback", "balances", "--yes")
        releasing.communicate(timeout=60)
    print(f"\n{load.report.last_answer('r2') - began:.2f} s to the last answer of the bad side")
    assert (done.returncode, file.read_text()) == (0, FLAGS), done.stderr
    told = done.stderr
    assert 0 < told.find("flag new-wallet is false again") < told.find("return 100% of balances"), told
