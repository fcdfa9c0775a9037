"""What looking costs, beside kubectl in the same run: `status` of fifty apps, and the live view at two hundred pods.

CPU seconds of the processes that are measured, not of the practice cluster, whose pods are imagined.
Printed, never asserted: a shared machine is no stopwatch. `make bench` runs it.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from deployctl.cluster.api import Request
from deployctl.cluster.paths import path
from tests.cluster.bed.layout import layout
from tests.sandbox.crowd import NAMESPACE, Crowd, spec
from tests.sandbox.terminal import Terminal

pytestmark = pytest.mark.bench
ME = (sys.executable, "-m", "deployctl")
IMPORT = "import deployctl.cluster.official"
APPS, PODS, RELEASES, TIMES = 50, 200, 20, 5  # a node takes 250 pods
WATCHED_SECONDS = 30


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Crowd]:
    one = Crowd(tmp_path)
    yield one
    one.close()


def kubectl(folder: Path) -> list[str]:
    """Name this machine's kubectl, else the one in the binary of the real cluster of these tests."""
    if found := shutil.which("kubectl"):
        return [found]
    if not layout().binary.exists():
        pytest.skip("no kubectl here, and no cluster was built: make cluster-test builds one")
    program = folder / "kubectl"
    program.symlink_to(layout().binary)
    return [str(program)]


def cpu(*command: str, env: dict[str, str]) -> float:
    """Give the CPU seconds of one run, the best of several."""
    return min(_once(command, env) for _ in range(TIMES))


def _once(command: tuple[str, ...], env: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=env, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def spent(process: subprocess.Popen[bytes]) -> float:
    """Give the CPU seconds of a process that runs."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_status_of_fifty_apps(crowd: Crowd, tmp_path: Path) -> None:
    env = {**os.environ, "KUBECONFIG": str(crowd.kubeconfig)}
    for number in range(APPS):
        crowd.deploy(f"app-{number:02}", replicas=2)
    release(tmp_path, "app-00", env)
    record(crowd)
    bare = cpu(sys.executable, "-c", "pass", env=env)
    rows = [
        (f"deployctl status, {APPS} apps with {RELEASES} releases each", cpu(*ME, "status", env=env)),
        ("  of it Python's own start", bare),
        ("  of it importing the client", cpu(sys.executable, "-c", IMPORT, env=env) - bare),
        (f"kubectl get deploy, {APPS} of them", cpu(*kubectl(tmp_path), "get", "deploy", env=env)),
    ]
    print("\n" + "\n".join(f"{what:<58} {seconds * 1000:>6.0f} ms CPU" for what, seconds in rows))


def release(folder: Path, name: str, env: dict[str, str]) -> None:
    command = (
        *ME,
        "release",
        str(spec(folder / "released", name, keep_old="0s")),
        "--image",
        "localhost/igaming:2",
    )
    subprocess.run(command, env=env, check=True, capture_output=True)


def record(crowd: Crowd) -> None:
    """Give every app the record of the first one, as long as a record gets."""
    where = path(NAMESPACE, "configmaps")
    first = crowd.api.get(f"{where}/deployctl-app-00")
    [entry] = msgspec.json.decode(first["data"]["releases"])
    many = [{**entry, "id": f"{entry['id']}{number}"} for number in range(RELEASES)]
    text = msgspec.json.encode(
        {**first, "data": {**first["data"], "releases": msgspec.json.encode(many).decode()}}
    )
    for number in range(1, APPS):
        one = msgspec.json.decode(text.replace(b"app-00", b"app-%02d" % number))
        one["metadata"] = {key: one["metadata"][key] for key in ("name", "labels")}
        crowd.api.send(Request("POST", where, one))


def test_the_live_view_at_two_hundred_pods(crowd: Crowd, tmp_path: Path) -> None:
    env = {**os.environ, "KUBECONFIG": str(crowd.kubeconfig), "TERM": "xterm"}
    crowd.deploy("balances", replicas=PODS // 2)
    file = spec(tmp_path / "released", "balances", keep_old="10m")
    with Terminal(*ME, "release", file, "--image", "localhost/igaming:2", env=env) as terminal:
        terminal.see("waiting for keepOld", timeout=300)
        coming = spent(terminal.process)
        beside = subprocess.Popen(
            [*kubectl(tmp_path), "get", "pods", "-w"], env=env, stdout=subprocess.DEVNULL
        )
        began, before, theirs = time.monotonic(), spent(terminal.process), spent(beside)
        time.sleep(WATCHED_SECONDS)
        took = time.monotonic() - began
        rows = [
            (f"deployctl release, live view of {PODS} pods", spent(terminal.process) - before),
            ("kubectl get pods -w beside it", spent(beside) - theirs),
        ]
        beside.terminate()
        beside.wait()
    print(f"\n{'deployctl release, from its start until all have come':<58} {coming:>6.2f} s CPU")
    print("\n".join(f"{what:<58} {100 * seconds / took:>6.1f} % of a core" for what, seconds in rows))
