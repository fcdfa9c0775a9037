"""A metrics server for the cluster, built from its Go module and started only where a test asks for it.

It runs beside the other parts, as the administrator, with the metrics of a pod at most ten seconds old.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path

from tests.cluster.bed import binary, daemons, network, packages
from tests.cluster.bed.cluster import Cluster
from tests.cluster.bed.layout import HERE, BedError, Layout
from tests.cluster.bed.say import say

VERSION = "0.9.0"
MODULE = "sigs.k8s.io/metrics-server"
PART = "metrics"
API = "apiservice/v1beta1.metrics.k8s.io"


def path(at: Layout) -> Path:
    return at.cache / "bin" / f"metrics-server-{VERSION}"


def ensure(at: Layout) -> None:
    """Build it once: its own requirements, with itself as a tool."""
    if path(at).exists():
        return
    binary.require_go()
    path(at).parent.mkdir(parents=True, exist_ok=True)
    say(f"building the metrics server {VERSION} (a few minutes, once)")
    with tempfile.TemporaryDirectory(prefix="build-", dir=at.cache) as folder:
        build = Path(folder)
        (build / "go.mod").write_text(_gomod(build))
        unfinished = path(at).with_suffix(".building")
        _go(
            build,
            "build",
            "-trimpath",
            "-ldflags",
            "-s -w",
            "-o",
            str(unfinished),
            f"{MODULE}/cmd/metrics-server",
        )
        unfinished.rename(path(at))


def _gomod(build: Path) -> str:
    found = json.loads(_go(build, "mod", "download", "-json", f"{MODULE}@v{VERSION}"))
    theirs = Path(found["GoMod"]).read_text().replace(f"module {MODULE}", "module metrics", 1)
    return f"{theirs}\nrequire {MODULE} v{VERSION}\n\ntool {MODULE}/cmd/metrics-server\n"


def _go(build: Path, *words: str) -> str:
    env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"}
    done = subprocess.run(["go", *words], cwd=build, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BedError(f"go {words[0]}: {done.stderr[-2000:].strip()}")
    return done.stdout


def start(at: Layout) -> None:
    """Start it where it does not run, and wait until it knows the node."""
    packages.require_root()
    ensure(at)
    cluster = Cluster(at)
    if not daemons.alive(at, PART):
        cluster.apply(HERE / "etc" / "metrics.yaml", "kube-system")
        network.enter()
        daemons.start(at, PART)
    asked = ["kubectl", "get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes"]
    cluster.wait(lambda: '"usage"' in cluster.run(asked).stdout, 90, "the metrics of the node")
    say("the metrics server knows the node")


def stop(at: Layout) -> None:
    """Stop it, and take its API out of the cluster's."""
    packages.require_root()
    Cluster(at).kubectl("delete", API, "--ignore-not-found")
    daemons.kill(at, PART, signal.SIGKILL)
    say("the metrics server is stopped")
