"""Faults between the tool and a real API server, under load: each release ends all new or all old, and no request fails.

`make faults` lets every fault befall every call in virtual time; here some of them befall calls of a real release.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import figures
from tests.cluster.bed.cluster import Cluster
from tests.cluster.between import FAULTS
from tests.cluster.platform import App, example, grant
from tests.cluster.running import as_before, under_load

STRATEGIES: dict[str, dict[str, Any]] = {
    "blue-green": {"blueGreen": {"keepOld": "2s"}},
    "rolling": {"rolling": {"batch": "50%", "bake": "1s"}},
}
PARTS = (0.4, 0.65, 0.85)  # of a release's calls: before the first third it has only looked
ENDS = ("resume", "rollback")
USUAL = {("blue-green", "killed after"), ("rolling", "dropped after"), ("rolling", "outage")}


@dataclass
class Fault:
    """The process in between, and what passed through it."""

    process: subprocess.Popen[str]
    calls: list[str]
    kubeconfig: Path
    kill: threading.Event

    @property
    def befell(self) -> str:
        """Name the call that it befell."""
        return next((one for one in self.calls if len(one.split()) > 3), "none")


@contextmanager
def between(app: App, fault: str, call: int, folder: Path) -> Iterator[Fault]:
    """Stand between the tool and the API server."""
    command = [sys.executable, "-m", "tests.cluster.between", fault, str(call)]
    process = app.cluster.popen(command, user=app.user, stdout=subprocess.PIPE)
    assert process.stdout
    port = process.stdout.readline().split()[-1]
    config = yaml.safe_load(app.cluster.kubeconfig_for(app.user).read_text())
    config["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{port}"}
    kubeconfig = folder / f"between-{port}"
    kubeconfig.write_text(yaml.safe_dump(config))
    found = Fault(process, [], kubeconfig, threading.Event())

    def follow() -> None:
        assert process.stdout
        for line in process.stdout:
            found.calls.append(line.strip())
            if line.endswith("kill\n"):
                found.kill.set()

    reader = threading.Thread(target=follow)
    reader.start()
    try:
        yield found
    finally:
        process.terminate()
        process.wait()
        reader.join()
        process.stdout.close()


def released(app: App, fault: str, call: int, folder: Path) -> tuple[int, str, Fault]:
    """Release with one fault on its way; killed where the fault is that. Give the exit code and the story."""
    with between(app, fault, call, folder) as seen:
        process = app.start("release", str(app.spec), env={"KUBECONFIG": str(seen.kubeconfig)})
        story: list[str] = []
        reader = threading.Thread(target=lambda: story.extend(process.stderr or ()))
        reader.start()
        while process.poll() is None:
            if seen.kill.wait(0.05):
                process.kill()
        code = process.wait()
        reader.join()
        for pipe in (process.stdout, process.stderr):
            assert pipe
            pipe.close()
    return code, "".join(story), seen


def ended(app: App, word: str, new: str, old: str) -> tuple[str, str]:
    """Let another process end what stands, if anything does; give by what it ended, and the revision that has to be there alone."""
    if "deployctl.dev/" not in json.dumps(app.get("deployment")["metadata"]["annotations"]):
        # There is nothing to resume; it takes off what a death in the last step left.
        app.run("resume", app.name)
        return "itself", new if new in app.live_revisions() else old
    done = app.run(word, app.name, *(("-y",) if word == "rollback" else ()))
    assert done.returncode == 0, done.stderr
    return word, new if word == "resume" else old


@pytest.fixture
def app(cluster: Cluster, namespace: str, tmp_path: Path) -> App:
    grant(cluster, namespace)
    made = example(cluster, namespace, "balances", tmp_path)
    made.user = "releaser"
    made.edit("deployment.yaml", lambda one: one["spec"].update(replicas=4))
    return made


def cases() -> Iterator[Any]:
    for strategy in STRATEGIES:
        for fault in FAULTS:
            marks = () if (strategy, fault) in USUAL else (pytest.mark.proof,)
            yield pytest.param(strategy, fault, marks=marks)


@pytest.mark.parametrize(("strategy", "fault"), list(cases()))
def test_a_fault_at_a_call_of_a_release_costs_no_request(
    app: App, tmp_path: Path, strategy: str, fault: str
) -> None:
    app.edit("deployctl.yaml", lambda one: one["spec"].update(strategy=STRATEGIES[strategy]))
    app.install()
    now = "r1"
    with under_load(app, named="balances, faults at calls of its releases"):
        app.env(REVISION="r2")
        code, story, seen = released(app, "", 0, tmp_path)
        assert code == 0, story
        now, calls = "r2", len(seen.calls)
        print(f"\n{strategy}: {calls} calls", end="")
        for number, part in enumerate(PARTS, 3):
            app.env(REVISION=f"r{number}")
            code, story, seen = released(app, fault, round(part * calls), tmp_path)
            assert seen.befell != "none", story
            assert "Traceback" not in story, story
            new = f"r{number}"
            by, now = ("itself", new) if code == 0 else ended(app, ENDS[number % 2], new, now)
            print(f"\n{seen.befell}: exit {code}; {now}", end="")
            live = app.live_revisions()
            figures.fault(fault, by if live == {now: 4} else "astray", seen.befell)
            assert live == {now: 4}, f"{seen.befell}\n{story}"
            assert as_before(app), seen.befell
