"""An app that a pipeline releases in a practice cluster."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.platform import EXAMPLE
from tests.sandbox.practice import Practice, PracticeApp, namespace


@pytest.fixture
def app(tmp_path: Path) -> Iterator[PracticeApp]:
    """The app balances, its files in deploy/, with a new build that waits to be released."""
    folder = tmp_path / "work/deploy"
    shutil.copytree(EXAMPLE / "balances", folder)
    sandbox = Practice(tmp_path / "sandbox")
    one = PracticeApp(sandbox, namespace(sandbox, "igaming"), "balances", folder)  # type: ignore[arg-type]
    one.strategy(keepOld="0s")
    one.edit("deployment.yaml", lambda each: each["spec"].update(replicas=2))
    one.edit("deployctl.yaml", lambda each: each["spec"]["gates"].pop("after"))
    one.install()
    one.env(REVISION="r2")
    yield one
    sandbox.close()
