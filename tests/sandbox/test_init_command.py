"""`init` on a practice cluster: what it writes is valid, and can be planned."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cluster.platform import EXAMPLE
from tests.sandbox.practice import Practice, namespace

APPS = "/apis/apps/v1/namespaces/igaming/deployments"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    """A cluster with balances, ready, and a Deployment that no Service selects."""
    one = Practice(tmp_path_factory.mktemp("sandbox"))
    namespace(one, "igaming")
    for file in ("deployment.yaml", "service.yaml"):
        one.apply(EXAMPLE / "balances" / file, "igaming")
    idle = yaml.safe_load((EXAMPLE / "game-sessions/deployment.yaml").read_text())
    idle["spec"]["replicas"] = 0
    one.api.post(APPS, idle)
    one.kubectl("-n", "igaming", "rollout", "status", "deployment/balances")
    yield one
    one.close()


def deployctl(*words: str) -> list[str]:
    return [sys.executable, "-m", "deployctl", *words, "-n", "igaming"]


def test_the_file_passes_validate_and_plan(sandbox: Practice, tmp_path: Path) -> None:
    made = sandbox.run(deployctl("init", "balances"), cwd=tmp_path)
    assert (made.returncode, made.stdout.splitlines()[0]) == (0, "deployctl.yaml written")
    assert "path: /healthz" in (tmp_path / "deployctl.yaml").read_text()
    assert (tmp_path / "deployctl.schema.json").exists()
    for command in ("validate", "plan"):
        done = sandbox.run(deployctl(command, "deployctl.yaml"), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    again = sandbox.run(deployctl("init", "balances"), cwd=tmp_path)
    assert (again.returncode, "it is there already" in again.stderr) == (2, True)


def test_without_a_terminal_an_open_question_is_told(sandbox: Practice, tmp_path: Path) -> None:
    done = sandbox.run(deployctl("init"), cwd=tmp_path, stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert "init of which Deployment? There are balances, game-sessions" in done.stderr


def test_a_deployment_without_traffic_has_nothing_to_move(sandbox: Practice, tmp_path: Path) -> None:
    done = sandbox.run(deployctl("init", "game-sessions"), cwd=tmp_path)
    assert (done.returncode, "no Service selects the pods of game-sessions" in done.stderr) == (2, True)


def test_at_a_terminal_it_asks(sandbox: Practice, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, b"balances\nnone\nrolling\n")
    done = sandbox.run(deployctl("init", "--out", "-"), cwd=tmp_path, stdin=theirs)
    os.close(ours)
    os.close(theirs)
    assert "none: expected one of blueGreen, rolling" in done.stderr
    assert "rolling: {batch: 25%, bake: 30s}" in done.stdout
