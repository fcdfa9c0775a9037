"""The sandbox may not lie: what it answers is what a real Kubernetes answered, probe by probe.

The texts in `seen` are what the real cluster said; `pytest -m cluster tests/contracts --rewrite` writes them anew.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.bed.cluster import Cluster
from tests.contracts.cluster import seen
from tests.contracts.cluster.asking import Asked, ask, difference
from tests.contracts.cluster.practice import KUBECTL_BINARY, Practice
from tests.contracts.cluster.probes import KUBECTL, PROBES, Named
from tests.contracts.cluster.real import Real
from tests.contracts.cluster.table import PROPERTY

AT_ONCE = 4  # probes on the real cluster, which takes its time over each
PRACTISED_AT_ONCE = 2  # in the sandbox: while one waits for kubectl
each = pytest.mark.parametrize("probe", PROBES, ids=lambda one: f"{one.group}/{one.name}")


def _compare(request: pytest.FixtureRequest, where: str, probe: Named, answered: str) -> None:
    real = seen.of(probe)
    request.node.user_properties.append((PROPERTY, (where, f"{probe.group}/{probe.name}", answered == real)))
    if answered != real:
        pytest.fail(difference(real, answered), pytrace=False)


def _asked(request: pytest.FixtureRequest, test: str) -> list[Named]:
    """Name the probes that this session is to ask in a test."""
    items = [one for one in request.session.items if getattr(one, "originalname", "") == test]
    return [one.callspec.params["probe"] for one in items]  # type: ignore[attr-defined]


def _practised(probe: Named) -> str:
    with Practice() as sandbox:
        return ask(probe, sandbox)


@pytest.fixture(scope="session")
def practised(request: pytest.FixtureRequest) -> Iterator[Asked]:
    wanted = _asked(request, "test_the_sandbox_answers_as_a_real_cluster")
    able = [one for one in wanted if one.group not in KUBECTL or KUBECTL_BINARY.exists()]
    asked = Asked(able, PRACTISED_AT_ONCE, _practised)
    yield asked
    asked.close()


@each
def test_the_sandbox_answers_as_a_real_cluster(
    request: pytest.FixtureRequest, practised: Asked, probe: Named
) -> None:
    if probe.group in KUBECTL and not KUBECTL_BINARY.exists():
        pytest.skip("no kubectl here: `make cluster-test` builds it")
    _compare(request, "the sandbox", probe, practised[probe])


@pytest.fixture(scope="session")
def asked(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[Asked]:
    real = Real(cluster)
    asked = Asked(
        _asked(request, "test_the_real_cluster_answers_so"), AT_ONCE, lambda probe: ask(probe, real)
    )
    yield asked
    asked.close()


@each
@pytest.mark.cluster
def test_the_real_cluster_answers_so(
    request: pytest.FixtureRequest, asked: Asked, probe: Named, rewrite: bool
) -> None:
    answered = asked[probe]
    if rewrite and "\n!! " not in answered:
        seen.keep(probe, answered)
    _compare(request, "the real cluster", probe, answered)
