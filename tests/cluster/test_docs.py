"""The sessions of the documentation, on a real cluster, line by line."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.cluster.bed.cluster import Cluster
from tests.cluster.bed.layout import REPOSITORY
from tests.cluster.platform import grant
from tests.docs.pages import ROOT
from tests.docs.shell import Shell, check, wrapper

PLAYED = {"README.md": "admin", "docs/first-release.md": "admin", "docs/on-call.md": "releaser"}
INSTALLED = {"README.md": [], "docs/first-release.md": ["game-sessions"], "docs/on-call.md": ["balances"]}


def kubeconfig(cluster: Cluster, user: str, namespace: str, path: Path) -> Path:
    """Write a kubeconfig whose context has a name and a namespace, as people have theirs."""
    whole = yaml.safe_load(cluster.kubeconfig_for(user).read_text())
    whole["contexts"][0]["name"] = whole["current-context"] = "staging"
    whole["contexts"][0]["context"]["namespace"] = namespace
    path.write_text(yaml.safe_dump(whole))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(REPOSITORY / "manifests", tmp_path / "work" / "manifests")
    return tmp_path / "work"


@pytest.mark.parametrize("name", PLAYED)
def test_a_page_shows_what_happens(
    name: str, cluster: Cluster, namespace: str, folder: Path, *, rewrite: bool
) -> None:
    grant(cluster, namespace)
    for app in INSTALLED[name]:
        cluster.apply(folder / "manifests" / "igaming" / app / "deployment.yaml", namespace)
        cluster.apply(folder / "manifests" / "igaming" / app / "service.yaml", namespace)
        cluster.kubectl("-n", namespace, "rollout", "status", f"deployment/{app}", "--timeout=90s")
    config = kubeconfig(cluster, PLAYED[name], namespace, folder.parent / "kubeconfig")
    programs = f"{wrapper(folder.parent / 'bin')}:{cluster.at.state / 'bin'}:{os.environ['PATH']}"
    env = {"KUBECONFIG": str(config), "PATH": programs, "LOGNAME": "ann"}

    def run(command: str) -> subprocess.CompletedProcess[str]:
        return cluster.run(
            ["bash", "-c", command], env=env, cwd=folder, timeout=120,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    check(ROOT / name, Shell(folder, run, namespace), rewrite=rewrite)
