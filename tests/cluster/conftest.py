"""The real cluster for the tests of this folder, and a namespace of its own for each."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.bed import priority
from tests.cluster.bed.cluster import Cluster
from tests.cluster.bed.layout import REPOSITORY
from tests.cluster.platform import App, example, grant


def pytest_configure() -> None:
    """Let Ctrl-C reach what these tests start, also where the whole run was started in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _bed(verb: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.cluster.bed", verb]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder, before `-m` selects."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster that is up, or one that is taken down at the end unless DEPLOYCTL_TEST_KEEP is set."""
    priority.ahead()  # the tool under test has a machine of its own elsewhere
    found = _bed("status").returncode == 0
    if (brought := _bed("up")).returncode:
        pytest.fail(brought.stderr, pytrace=False)
    yield Cluster()
    if not found and not os.environ.get("DEPLOYCTL_TEST_KEEP"):
        _bed("down")


@contextmanager
def _fresh(cluster: Cluster) -> Iterator[str]:
    name = f"deployctl-test-{secrets.token_hex(4)}"
    cluster.kubectl("create", "namespace", name)
    made = ("serviceaccount/default", "configmap/kube-root-ca.crt")
    cluster.wait(
        lambda: cluster.run(["kubectl", "get", "-n", name, *made]).returncode == 0,
        timeout=30,
        what=f"the default ServiceAccount of {name}",
    )
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A new namespace in which pods can start at once; its removal is not waited for."""
    with _fresh(cluster) as name:
        yield name


@pytest.fixture(scope="module")
def shared_namespace(cluster: Cluster) -> Iterator[str]:
    """One namespace for all tests of a module that leave it as they found it."""
    with _fresh(cluster) as name:
        yield name


@pytest.fixture
def balances(cluster: Cluster, namespace: str, tmp_path: Path) -> App:
    """The blue-green service of the example platform, as `releaser` with the least Role."""
    grant(cluster, namespace)
    app = example(cluster, namespace, "balances", tmp_path)
    app.user = "releaser"
    return app


@pytest.fixture
def sessions(cluster: Cluster, namespace: str, tmp_path: Path) -> App:
    """The rolling service of the example platform, as `releaser` with the least Role."""
    grant(cluster, namespace)
    app = example(cluster, namespace, "game-sessions", tmp_path)
    app.user = "releaser"
    return app
