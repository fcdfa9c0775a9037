"""Brings the cluster up, takes it down, tells how it is."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from string import Template

from tests.cluster.bed import binary, certificates, cgroup, daemons, images, network, packages
from tests.cluster.bed.cluster import Cluster
from tests.cluster.bed.layout import HERE, NAME, NODE, BedError, Layout
from tests.cluster.bed.say import say
from tests.cluster.bed.users import USERS, User

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
        _refuse_others(at)
        if (found := node(at)).startswith("True"):
            return _keep(at, found)
        binary.ensure(at)
        images.prepare(at)
        if at.state.exists():
            say(f"starting afresh: found a cluster without {', '.join(_dead(at)) or 'a ready node'}")
        _sweep(at)
        _bring_up(at)
    return None


def _keep(at: Layout, found: str) -> None:
    running = found.removeprefix("True v")
    if running != at.version:
        raise BedError(f"Kubernetes {running} is up, not {at.version}; take it down first: {_DOWN}")
    images.load(at)
    say(f"Kubernetes {running} is up already")


_DOWN = "python -m tests.cluster.bed down"


def _command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return []


def _refuse_others(at: Layout) -> None:
    """Two beds on one machine would share the network namespace and the cgroup; other clusters are no concern."""
    for pid in cgroup.members():
        states = [word for word in _command_line(pid) if word.endswith(f"/{NAME}/kubelet")]
        if states and states != [str(at.state / "kubelet")]:
            cache = Path(states[0]).parents[1]
            raise BedError(
                f"the cluster of another cache is up; take it down first: CLUSTER_CACHE={cache} {_DOWN}"
            )


def _unmount(at: Layout) -> None:
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for path in sorted((path for path in mounts if path.startswith(f"{at.state}/")), reverse=True):
        subprocess.run(["umount", "--lazy", path], check=False)


def _forget(at: Layout) -> None:
    """Remove the few things that containerd and the kubelet keep outside the state."""
    results = Path("/var/lib/cni/results")
    for result in results.glob("deployctl-pods-*-eth0"):
        sandbox = result.name.removeprefix("deployctl-pods-").removesuffix("-eth0")
        (results / f"cni-loopback-{sandbox}-lo").unlink(missing_ok=True)
        result.unlink()
    for link in Path("/var/log/containers").glob("*.log"):
        if str(link.readlink()).startswith(f"{at.state}/"):
            link.unlink()


def _sweep(at: Layout) -> None:
    """Take away whatever is left of a cluster, healthy, half dead or long gone; nothing is not an error."""
    cgroup.kill_all()
    _unmount(at)
    cgroup.remove()
    network.delete()
    _forget(at)
    if at.state.exists():
        shutil.rmtree(at.state)


def _write(at: Layout, template: str, target: str, **words: str) -> None:
    text = Template((HERE / "etc" / template).read_text()).substitute(state=at.state, **words)
    (at.state / target).parent.mkdir(parents=True, exist_ok=True)
    (at.state / target).write_text(text)


def _write_user(at: Layout, user: User) -> None:
    _write(at, "kubeconfig.yaml", f"kubeconfigs/{user.name}", user=user.user, token=user.token)


def _configure(at: Layout) -> None:
    for folder in ("logs", "bin", "pod-logs"):
        (at.state / folder).mkdir(parents=True)
    certificates.make(at)
    _write(at, "kubelet.yaml", "kubelet.yaml")
    _write(at, "containerd.toml", "containerd.toml")
    _write(at, "pods.conflist", "cni/10-pods.conflist")
    for user in USERS.values():
        _write_user(at, user)
    (at.state / "tokens.csv").write_text("".join(f"{user.line}\n" for user in USERS.values()))
    kubectl = at.state / "bin" / "kubectl"
    kubectl.write_text(f'#!/bin/sh\nexec "{at.binary}" kubectl "$@"\n')
    kubectl.chmod(0o755)


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
    _configure(at)
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


def down(at: Layout) -> None:
    """Take it away, pods and all; the cache stays."""
    packages.require_root()
    with _alone(at):
        _refuse_others(at)
        _sweep(at)
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
