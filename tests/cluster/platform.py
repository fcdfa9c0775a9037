"""The example platform in a namespace of its own, the tool as a user runs it, and load on its front door."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from deployctl.sandbox.load import Load, Rounds, Streams
from tests.cluster.bed import images
from tests.cluster.bed.cluster import Cluster
from tests.cluster.bed.layout import REPOSITORY

EXAMPLE = REPOSITORY / "manifests" / "igaming"
ROLE = REPOSITORY / "manifests" / "rbac" / "role.yaml"
Json = dict[str, Any]
Change = Callable[[Json], None]
QUICK = {
    "balances": {"keepOld": "2s"},
    "game-sessions": {"bake": "1s"},
    "odds": {"keepOld": "2s"},
    "payments": {"bake": "1s"},
}


@dataclass
class App:
    """One service of the example platform: its files in a folder of the test's own, and the tool run on them."""

    cluster: Cluster
    namespace: str
    name: str
    folder: Path
    user: str = "admin"
    before: Json = field(default_factory=dict)

    @property
    def spec(self) -> Path:
        return self.folder / "deployctl.yaml"

    def edit(self, file: str, change: Change) -> None:
        """Change one manifest of the test's own copy."""
        whole = yaml.safe_load((self.folder / file).read_text())
        change(whole)
        (self.folder / file).write_text(yaml.safe_dump(whole, sort_keys=False))

    def env(self, **variables: str | None) -> None:
        """Set variables of the app's container in the manifest; None takes one away."""

        def change(deployment: Json) -> None:
            box = deployment["spec"]["template"]["spec"]["containers"][0]
            kept = [one for one in box.get("env", []) if one["name"] not in variables]
            added = [{"name": key, "value": value} for key, value in variables.items() if value is not None]
            box["env"] = [*kept, *added]

        self.edit("deployment.yaml", change)

    def strategy(self, **options: Any) -> None:
        """Set options of the spec's strategy."""
        self.edit(
            "deployctl.yaml", lambda spec: next(iter(spec["spec"]["strategy"].values())).update(options)
        )

    def install(self) -> App:
        """Apply the manifests as kubectl users do, and wait until all pods serve."""
        for file in ("deployment.yaml", "service.yaml", "pdb.yaml"):
            self.cluster.apply(self.folder / file, self.namespace)
        self.kubectl("rollout", "status", f"deployment/{self.name}", "--timeout=90s")
        size = self.get("deployment")["spec"]["replicas"]
        self.cluster.wait(lambda: len(self.endpoints()) == size, what=f"the endpoints of {self.name}")
        time.sleep(2)  # kube-proxy programs the last endpoint
        self.before = self.settings()
        return self

    def kubectl(self, *args: str, check: bool = True) -> str:
        return self.cluster.kubectl("-n", self.namespace, *args, check=check)

    def get(self, kind: str, name: str = "") -> Json:
        found: Json = self.cluster.json("get", "-n", self.namespace, kind, name or self.name)
        return found

    def settings(self) -> Json:
        """Give everything of the Deployment and the Service that a release must leave as it was."""
        deployment, service = self.get("deployment"), self.get("service")
        deployment["spec"].pop("template")
        for one in (deployment, service):
            one["metadata"] = {
                key: one["metadata"].get(key) for key in ("labels", "annotations", "finalizers")
            }
            (one["metadata"]["annotations"] or {}).pop("deployment.kubernetes.io/revision", None)
            one.pop("status", None)
        return {"deployment": deployment, "service": service}

    def leftovers(self) -> list[str]:
        """Name what of ours is on pods and ReplicaSets."""
        things = [
            *self.pods(),
            *self.cluster.json("get", "-n", self.namespace, "rs", "-l", self.selector)["items"],
        ]
        return [
            one["metadata"]["name"]
            for one in things
            if "deployctl.dev" in json.dumps(one["metadata"])
            or "pod-deletion-cost" in json.dumps(one["metadata"])
        ]

    @property
    def selector(self) -> str:
        return f"app.kubernetes.io/name={self.name}"

    def pods(self) -> list[Json]:
        found = self.cluster.json("get", "-n", self.namespace, "pods", "-l", self.selector)["items"]
        return [one for one in found if "deletionTimestamp" not in one["metadata"]]

    def live_revisions(self) -> dict[str, int]:
        """Count the live pods of each REVISION."""
        found: dict[str, int] = {}
        for pod in self.pods():
            variables = {one["name"]: one.get("value") for one in pod["spec"]["containers"][0].get("env", [])}
            found[variables["REVISION"]] = found.get(variables["REVISION"], 0) + 1
        return found

    def hash_of(self, revision: str) -> str:
        """Find the pod-template-hash of a REVISION."""
        sets = self.cluster.json("get", "-n", self.namespace, "rs", "-l", self.selector)["items"]
        found = [one for one in sets if f'"value": "{revision}"' in json.dumps(one["spec"]["template"])]
        return str(found[0]["metadata"]["labels"]["pod-template-hash"])

    def endpoints(self) -> set[str]:
        slices = self.cluster.json(
            "get", "-n", self.namespace, "endpointslices", "-l", f"kubernetes.io/service-name={self.name}"
        )
        return {
            end["targetRef"]["name"]
            for one in slices["items"]
            for end in one.get("endpoints") or []
            if end["conditions"].get("ready")
        }

    def url(self, path: str, port: str = "") -> str:
        """Give the URL of a path at the Service: at its first port, or at the one of that name."""
        service = self.get("service")
        ports = [one["port"] for one in service["spec"]["ports"] if port in {"", one["name"]}]
        return f"http://{service['spec']['clusterIP']}:{ports[0]}{path}"

    def load(
        self,
        path: str = "/balances/{player}",
        *,
        keepalive: bool = False,
        rate: float = 100.0,
        post: str = "bets",
        post_share: float = 0.1,
    ) -> Load:
        return Load(
            self.url(path, "http"),
            popen=self.cluster.popen,
            rate=rate,
            keepalive=keepalive,
            post=post,
            post_share=post_share,
            in_namespace=True,
            seconds=600,
        )

    def rounds(self, *, players: int = 12, length: float = 5.0) -> Rounds:
        """Let players open one round after the other over WebSocket."""
        return Rounds(
            self.url("/rounds/ws"),
            popen=self.cluster.popen,
            players=players,
            length=length,
            in_namespace=True,
            seconds=600,
        )

    def streams(self, *, readers: int = 12) -> Streams:
        """Let readers each hold a stream of prices open over gRPC."""
        return Streams(
            self.url("", "grpc"), popen=self.cluster.popen, readers=readers, in_namespace=True, seconds=600
        )

    def page(self, pod: Json, path: str) -> str:
        """Ask one pod for one of its pages."""
        name, port = pod["metadata"]["name"], 8080
        return self.kubectl(
            "get", "--raw", f"/api/v1/namespaces/{self.namespace}/pods/{name}:{port}/proxy{path}"
        )

    def command(self, *args: str) -> list[str]:
        return [sys.executable, "-m", "deployctl", *args, "-n", self.namespace]

    def run(self, *args: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run the tool to its end."""
        return self.cluster.run(self.command(*args), user=self.user, env=env, timeout=240)

    def start(self, *args: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start the tool; its standard error is a pipe."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return self.cluster.popen(self.command(*args), user=self.user, env=env, **pipes)

    def release(self, *args: str) -> subprocess.CompletedProcess[str]:
        return self.run("release", str(self.spec), *args)


def until(process: subprocess.Popen[str], text: str) -> str:
    """Read the story until a line holds `text`; give what was read."""
    read = ""
    assert process.stderr
    for line in process.stderr:
        read += line
        if text in line:
            return read
    raise AssertionError(f"the story ended without {text!r}:\n{read}")


def example(cluster: Cluster, namespace: str, name: str, folder: Path) -> App:
    """Copy a service of the example platform into a folder and speed it up for a test."""
    shutil.copytree(EXAMPLE / name, folder / name)
    app = App(cluster, namespace, name, folder / name)
    app.strategy(**QUICK[name])
    return app


@dataclass
class Platform:
    """All four services, installed from a copy of the example platform with one command."""

    cluster: Cluster
    namespace: str
    folder: Path
    apps: dict[str, App]

    def apply(self) -> str:
        return self.cluster.kubectl("apply", "-k", str(self.folder))

    def installed(self) -> Platform:
        """Install all; payments is told where balances is, for the bed has no DNS."""
        self.cluster.apply(self.folder / "balances" / "service.yaml", self.namespace)
        self.apps["payments"].env(BALANCES_URL=self.apps["balances"].url("").removesuffix(":80"))
        self.apply()
        for app in self.apps.values():
            app.kubectl("rollout", "status", f"deployment/{app.name}", "--timeout=120s")
        for app in self.apps.values():
            size = app.get("deployment")["spec"]["replicas"]
            self.cluster.wait(lambda app=app, size=size: len(app.endpoints()) == size, what=app.name)
            app.before = app.settings()
        time.sleep(2)  # kube-proxy programs the last endpoint
        return self


def platform(cluster: Cluster, namespace: str, folder: Path) -> Platform:
    """Copy the example platform and speed it up for a test."""
    whole = folder / "igaming"
    shutil.copytree(EXAMPLE, whole)
    kustomization = yaml.safe_load((whole / "kustomization.yaml").read_text())
    (whole / "kustomization.yaml").write_text(yaml.safe_dump({**kustomization, "namespace": namespace}))
    apps = {name: App(cluster, namespace, name, whole / name, "releaser") for name in QUICK}
    for name, options in QUICK.items():
        apps[name].strategy(**options)
        apps[name].edit("deployment.yaml", modest)
    return Platform(cluster, namespace, whole, apps)


def modest(deployment: Json) -> None:
    """Let a Deployment run the image of this very tree, and leave room on the node for other tests."""
    box = deployment["spec"]["template"]["spec"]["containers"][0]
    box["image"] = images.current(box["image"].removesuffix(":1"))
    box["resources"]["requests"]["cpu"] = "1m"


def grant(cluster: Cluster, namespace: str, user: str = "releaser", role: Path = ROLE) -> None:
    """Give a user the Role that deployctl needs, and nothing else."""
    cluster.apply(role, namespace)
    cluster.kubectl(
        "-n", namespace, "create", "rolebinding", "deployctl", "--role=deployctl", f"--user={user}"
    )
