"""What is looked at before a release begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployctl.cluster.api import Api
from deployctl.cluster.login import Target
from deployctl.errors import UsageError
from deployctl.prepare import supported
from tests.answering import Reply, serving


def version_of(folder: Path, major: str, minor: str) -> str:
    with serving(lambda _: Reply(body={"major": major, "minor": minor})) as server:
        return supported(Api(Target(server.kubeconfig(folder))))


@pytest.mark.parametrize(("major", "minor"), [("1", "30"), ("1", "9"), ("0", "99"), ("1", "27+")])
def test_an_old_kubernetes_is_refused(tmp_path: Path, major: str, minor: str) -> None:
    with pytest.raises(UsageError, match=r"^Kubernetes \d+\.\d+ is older than 1\.31, the oldest that is"):
        version_of(tmp_path, major, minor)


@pytest.mark.parametrize(("minor", "expected"), [("31", "1.31"), ("35+", "1.35"), ("31-gke.100", "1.31")])
def test_a_supported_kubernetes_is_named(tmp_path: Path, minor: str, expected: str) -> None:
    assert version_of(tmp_path, "1", minor) == expected
