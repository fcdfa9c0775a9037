"""Brings the cluster up, takes it down, tells how it is."""

from __future__ import annotations

import contextlib
import fcntl
import ssl
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.cluster.bed import binary, cgroup, configuration, daemons, images, network, packages, sweeping
from tests.cluster.bed.cluster import Cluster
from tests.cluster.bed.layout import HERE, NODE, BedError, Layout
from tests.cluster.bed.say import say

_READY = '{.status.conditions[?(@.type=="Ready")].status} {.status.nodeInfo.kubeletVersion}'


@contextlib.contextmanager
def _alone(at: Layout) -> Iterator[None]:
    """One cluster a machine, so one bed at work at a time; a second one waits."""
    with Path("/run/deployctl-test.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another bed is at work: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        at.cache.mkdir(parents=True, exist_ok=True)
        yield


def _dead(at: Layout) -> list[str]:
    return [part for part in daemons.PARTS if not daemons.alive(at, part)]


def node(at: Layout) -> str:
    """Give "True v1.35.4" of a healthy cluster, "" where there is none."""
    if _dead(at) or not network.PATH.exists():
        return ""
    cluster = Cluster(at)
    said = cluster.run(["kubectl", "--request-timeout=5s", "get", "node", NODE, "-o", f"jsonpath={_READY}"])
    return said.stdout if not said.returncode else ""


def up(at: Layout) -> None:
    """Bring it up from nothing, from what a crash left, or leave a healthy one as it is."""
    packages.require_root()
    with _alone(at):
        packages.ensure()
        sweeping.refuse_others(at)
        if (found := node(at)).startswith("True"):
            return _keep(at, found)
        binary.ensure(at)
        images.prepare(at)
        if at.state.exists():
            say(f"starting afresh: found a cluster without {', '.join(_dead(at)) or 'a ready node'}")
        sweeping.sweep(at)
        _bring_up(at)
    return None


def _keep(at: Layout, found: str) -> None:
    running = found.removeprefix("True v")
    if running != at.version:
        raise BedError(f"Kubernetes {running} is up, not {at.version}; take it down first: {sweeping.DOWN}")
    images.load(at)
    say(f"Kubernetes {running} is up already")


def _api(at: Layout, path: str) -> bytes:
    """Ask the API server as the administrator; empty where it does not answer yet."""
    asked = urllib.request.Request(
        f"https://127.0.0.1:6443{path}", headers={"Authorization": "Bearer admin-token"}
    )
    trusted = ssl.create_default_context(cafile=at.state / "pki" / "ca.crt")
    direct = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusted)
    )
    try:
        with direct.open(asked, timeout=5) as answer:
            return bytes(answer.read())
    except OSError:
        return b""


def _await(at: Layout, part: str, ready: Callable[[], bool], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if not daemons.alive(at, part):
            raise BedError(f"{part} died; {daemons.last_lines(at, part)}")
        if time.monotonic() > deadline:
            raise BedError(f"{part} was not ready in {seconds:g} s; {daemons.last_lines(at, part)}")
        time.sleep(0.1)


def _node_ready(at: Layout) -> bool:
    return b'"type":"Ready","status":"True"' in _api(at, f"/api/v1/nodes/{NODE}")


def _bring_up(at: Layout) -> None:
    cgroup.create()
    network.create()
    configuration.write(at)
    network.enter()
    network.forward()
    say("network namespace, certificates and configuration are made")
    for part in ("etcd", "apiserver", "containerd"):
        daemons.start(at, part)
    _await(at, "containerd", lambda: images.answers(at))
    images.load(at)
    _await(at, "apiserver", lambda: _api(at, "/readyz") == b"ok")
    say("the API server is ready")
    for part in ("kubelet", "controllers", "scheduler", "proxy"):
        daemons.start(at, part)
    Cluster(at).apply(HERE / "etc" / "dns.yaml", "kube-system")
    _await(at, "kubelet", lambda: _node_ready(at))
    say(f"the node is ready: Kubernetes {at.version}, kubeconfig {at.kubeconfig('admin')}")


def restart(at: Layout, part: str, dead_seconds: float = 0.0) -> None:
    """Kill one part and start it again, after a time in which it is not there."""
    packages.require_root()
    if part not in daemons.PARTS:
        raise BedError(f"{part}: no part of it; expected one of {', '.join(daemons.PARTS)}")
    with _alone(at):
        network.enter()
        daemons.kill(at, part)
        time.sleep(dead_seconds)
        daemons.start(at, part)
        say(f"{part} was killed and began anew")


def down(at: Layout) -> None:
    """Take it away, pods and all; the cache stays."""
    packages.require_root()
    with _alone(at):
        sweeping.refuse_others(at)
        sweeping.sweep(at)
        say("the cluster is down")


def status(at: Layout) -> None:
    """Say what runs; not up is an error."""
    packages.require_root()
    if (found := node(at)).startswith("True"):
        return say(f"up: Kubernetes {found.removeprefix('True v')}, kubeconfig {at.kubeconfig('admin')}")
    dead = _dead(at)
    if len(dead) == len(daemons.PARTS):
        raise BedError("not up: nothing runs")
    raise BedError(f"not up: {', '.join(dead) + ' died' if dead else 'the node is not ready'}")
