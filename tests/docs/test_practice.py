"""The pages of the practice cluster, each played in a sandbox of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.docs.shell import Shell, check, wrapper

PAGES = (
    "docs/practice.md",
    "docs/plans.md",
    "docs/flags-in-a-release.md",
    "docs/autoscaling.md",
    "docs/from-helm.md",
    "docs/terminal.md",
    "docs/from-argo-rollouts.md",
    "docs/from-flagger.md",
)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A shell in a folder with the manifests, and the sandbox that the page brings up."""
    work = tmp_path / "work"
    shutil.copytree(ROOT / "manifests", work / "manifests")
    programs = wrapper(tmp_path / "bin")
    python = programs / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    env = {key: value for key, value in os.environ.items() if not key.startswith("DEPLOYCTL_")}
    env |= {
        "PATH": f"{programs}:{env['PATH']}",
        "PYTHONPATH": str(ROOT),
        "DEPLOYCTL_SANDBOX": str(tmp_path / "sandbox"),
        "KUBECONFIG": str(tmp_path / "sandbox" / "kubeconfig"),
        "LOGNAME": "ann",
    }

    def run(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", command], cwd=work, env=env, check=False, text=True, timeout=60,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    up = run("deployctl sandbox up")
    assert up.returncode == 0, up.stdout
    yield Shell(work, run)
    run("deployctl sandbox down")


@pytest.mark.parametrize("page", PAGES)
def test_the_page_shows_what_happens(page: str, shell: Shell, *, rewrite: bool) -> None:
    check(ROOT / page, shell, rewrite=rewrite)


def test_the_kubeconfig_is_where_the_page_says(shell: Shell) -> None:
    assert shell.call("deployctl sandbox kubeconfig --path") == shell.call('echo "$KUBECONFIG"')
