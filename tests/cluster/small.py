"""A small app for tests that refuse and break things, and what untouched means."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cluster.bed.cluster import Cluster
from tests.cluster.platform import App, example

Json = dict[str, Any]
OURS = ("resourceVersion", "managedFields", "creationTimestamp")  # not the user's, or a clock's


def small(cluster: Cluster, namespace: str, folder: Path, replicas: int = 2) -> App:
    """Give balances at a small size, with quick gates; not yet installed."""
    app = example(cluster, namespace, "balances", folder)
    app.edit("deployment.yaml", lambda one: one["spec"].update(replicas=replicas))
    app.edit("deployctl.yaml", lambda one: one["spec"]["gates"].pop("after"))
    app.edit("deployctl.yaml", lambda one: one["spec"]["drain"].update(preStop="2s"))
    app.user = "releaser"
    return app


def state(app: App) -> Json:
    """Give all that a refused release must not touch: the specs and metadata of the app's objects."""
    kinds = "deployments,replicasets,services,configmaps,leases"
    items = app.cluster.json("get", "-n", app.namespace, kinds)["items"]
    return {f"{one['kind']} {one['metadata']['name']}": _kept(one) for one in items}


def _kept(one: Json) -> Json:
    meta = {key: value for key, value in one["metadata"].items() if key not in OURS}
    return {"metadata": meta, "spec": one.get("spec"), "data": one.get("data")}


def refused(
    app: App,
    code: int,
    *says: str,
    command: tuple[str, ...] = (),
    env: Mapping[str, str] | None = None,
) -> str:
    """Run a command (release, unless told) that must be refused with this code and words, all untouched."""
    before = state(app)
    said = told(app.run(*(command or ("release", str(app.spec))), env=env), code, *says)
    assert state(app) == before
    return said


def told(done: subprocess.CompletedProcess[str], code: int, *says: str) -> str:
    """Check the exit code and the words of what was run."""
    assert done.returncode == code, done.stderr
    assert [one for one in says if one not in done.stderr] == [], done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr
