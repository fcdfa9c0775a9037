"""A sandbox as the end-to-end tests see a cluster: the same verbs, no kubectl needed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from deployctl.cluster.api import Api, NotFound, Request
from deployctl.cluster.login import Target
from deployctl.sandbox.calls import STRATEGIC_PATCH
from deployctl.sandbox.load import Load
from deployctl.sandbox.practice.home import Home
from deployctl.sandbox.resources import BY_KIND, RESOURCES
from tests.cluster.bed.layout import REPOSITORY
from tests.cluster.platform import EXAMPLE, App

Json = dict[str, Any]
Found = TypeVar("Found")


class Practice:
    """A sandbox process of its own, empty."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder)
        command = [
            sys.executable,
            "-m",
            "deployctl.sandbox.practice.daemon",
            "--state",
            str(folder),
            "--pods",
            "0",
        ]
        self._process = subprocess.Popen(command, cwd=REPOSITORY)
        self.wait(lambda: self.home.state() and self.home.kubeconfig.exists(), what="the sandbox")
        self.api = Api(Target(str(self.home.kubeconfig)))

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(30)

    def run(
        self, command: Sequence[str], *, user: str = "", env: Mapping[str, str] | None = None, **kw: Any
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=self._env(env), text=True, check=False, capture_output=True, **kw)

    def popen(
        self, command: Sequence[str], *, user: str = "", env: Mapping[str, str] | None = None, **kw: Any
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(command, env=self._env(env), **{"text": True, **kw})

    def _env(self, env: Mapping[str, str] | None) -> dict[str, str]:
        ours = {"KUBECONFIG": str(self.home.kubeconfig), "PYTHONPATH": str(REPOSITORY)}
        return {**os.environ, **ours, **(env or {})}

    def apply(self, manifest: Path, namespace: str) -> None:
        """Create what a file holds; it is not there yet."""
        for one in yaml.safe_load_all(manifest.read_text()):
            self.api.post(_path(one["kind"], namespace), one)

    def kubectl(self, *args: str, check: bool = True) -> str:
        """Do what the tests ask of kubectl: `rollout status` and `patch deployment NAME -p PATCH`."""
        match args:
            case ["-n", namespace, "rollout", "status", name, *_]:
                deployment = _path("Deployment", namespace, name.partition("/")[2])
                self.wait(lambda: _rolled_out(self.api.get(deployment)), what=f"the rollout of {name}")
            case ["-n", namespace, "patch", kind, name, "-p", change]:
                where = _path(kind.capitalize(), namespace, name)
                self.api.send(Request("PATCH", where, json.loads(change), STRATEGIC_PATCH))
            case _:
                raise NotImplementedError(" ".join(args))
        return ""

    def json(self, *args: str) -> Any:
        """Give what `get -n NAMESPACE KIND NAME` or `get -n NAMESPACE KIND -l SELECTOR` asks for."""
        _, _, namespace, word, *rest = args
        if rest[0] == "-l":
            return self.api.get(_path(_kind(word), namespace), labelSelector=rest[1])
        return self.api.get(_path(_kind(word), namespace, rest[0]))

    def wait(self, predicate: Callable[[], Found], timeout: float = 60.0, what: str = "") -> Found:
        deadline = time.monotonic() + timeout
        while not (found := predicate()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {timeout:g} s for {what or predicate}")
            time.sleep(0.05)
        return found


def _kind(word: str) -> str:
    return next(one.kind for one in RESOURCES if word in (one.name, one.singular, *one.short))


def _path(kind: str, namespace: str, *name: str) -> str:
    one = BY_KIND[kind]
    root = f"/apis/{one.api_version}" if one.group else "/api/v1"
    return "/".join((root, "namespaces", namespace, one.name, *name))


def _rolled_out(deployment: Json) -> bool:
    status, meta = deployment.get("status", {}), deployment["metadata"]
    seen = status.get("observedGeneration", 0) >= meta["generation"]
    return bool(
        seen
        and status.get("availableReplicas") == deployment["spec"]["replicas"] == status.get("updatedReplicas")
    )


@dataclass
class PracticeApp(App):
    """A service of the example platform in a sandbox: its front door is a port of the loopback."""

    def url(self, path: str, port: str = "") -> str:
        sandbox: Any = self.cluster
        services = sandbox.home.state().services
        ports = [one["port"] for one in self.get("service")["spec"]["ports"] if port in {"", one["name"]}]
        return f"http://{services[f'{self.namespace}/{self.name}:{ports[0]}']}{path}"

    def load(
        self,
        path: str = "/balances/{player}",
        *,
        keepalive: bool = False,
        rate: float = 100.0,
        post: str = "bets",
        post_share: float = 0.1,
    ) -> Load:
        options = {"keepalive": keepalive, "rate": rate, "post": post, "post_share": post_share}
        return Load(self.url(path, "http"), seconds=600, **options)


def namespace(sandbox: Practice, name: str) -> str:
    try:
        sandbox.api.get(f"/api/v1/namespaces/{name}")
    except NotFound:
        sandbox.api.post("/api/v1/namespaces", {"metadata": {"name": name}})
    return name


def copied(sandbox: Practice, where: str, folder: Path, name: str = "balances") -> PracticeApp:
    """Give a service of the example platform with files of its own in a folder, and a namespace; not yet installed."""
    shutil.copytree(EXAMPLE / name, folder / name)
    return PracticeApp(sandbox, namespace(sandbox, where), name, folder / name)  # type: ignore[arg-type]


@contextmanager
def balances(folders: pytest.TempPathFactory, *, pods: int = 1, **strategy: Any) -> Iterator[PracticeApp]:
    """Give the app balances, installed in a sandbox of its own, small and without gates after the shift."""
    sandbox = Practice(folders.mktemp("sandbox"))
    try:
        one = copied(sandbox, "igaming", folders.mktemp("app"))
        one.strategy(**{"keepOld": "0s", **strategy})
        one.edit("deployment.yaml", lambda each: each["spec"].update(replicas=pods))
        one.edit("deployctl.yaml", lambda each: each["spec"]["gates"].pop("after"))
        one.install()
        yield one
    finally:
        sandbox.close()
