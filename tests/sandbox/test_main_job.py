"""The main job in the sandbox, word for word as on a real cluster: tests/cluster/test_main_job.py."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.platform import EXAMPLE, App
from tests.cluster.test_main_job import keepalive, test_the_main_job_loses_no_request
from tests.sandbox.practice import Practice, PracticeApp, namespace

pytestmark = pytest.mark.long
__all__ = ["keepalive", "test_the_main_job_loses_no_request"]


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Practice]:
    practice = Practice(tmp_path / "sandbox")
    yield practice
    practice.close()


@pytest.fixture(params=["balances", pytest.param("game-sessions", marks=pytest.mark.proof)])
def app(request: pytest.FixtureRequest, sandbox: Practice, tmp_path: Path) -> App:
    name = str(request.param)
    shutil.copytree(EXAMPLE / name, tmp_path / name)
    found = PracticeApp(sandbox, namespace(sandbox, "main-job"), name, tmp_path / name)  # type: ignore[arg-type]
    found.strategy(**{"balances": {"keepOld": "5s"}, "game-sessions": {"bake": "1s"}}[name])
    return found.install()
