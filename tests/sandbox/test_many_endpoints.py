"""An app of more pods than an EndpointSlice holds: a shift is several updates, and not one endpoint less."""

from __future__ import annotations

import pytest

from strategies.model import Outcome
from tests.run import Story
from tests.sandbox.rehearsing import Scene

OLD, NEW, PODS = "localhost/igaming:1", "localhost/igaming:2", 104


def released(name: str, **env: str) -> Scene:
    scene = Scene(name, replicas=PODS, env=env)
    assert scene.sliced() > 1
    scene.release()
    return scene


@pytest.fixture(scope="module")
def blue_green() -> Scene:
    return released("balances")


def test_the_shift_is_not_atomic_over_a_hundred_endpoints(blue_green: Scene) -> None:
    assert [one for one in blue_green.served if one.keys() == {OLD, NEW}]


def test_there_is_never_an_endpoint_less_than_pods(blue_green: Scene) -> None:
    assert blue_green.least() == PODS


@pytest.mark.parametrize("name", ["balances", "game-sessions"])
def test_a_release_of_many_pods_ends_as_one_of_few(name: str) -> None:
    scene = released(name)
    assert (scene.serving(), scene.settings(), scene.leftovers()) == ({NEW: PODS}, scene.before, [])
    assert scene.least() == PODS


@pytest.mark.parametrize("name", ["balances", "game-sessions"])
def test_a_bad_revision_of_many_pods_takes_no_request(name: str) -> None:
    scene = released(name, HEALTHZ_STATUS="500")
    assert {image for one in scene.served for image in one} == {OLD}
    assert (scene.least(), scene.settings(), scene.leftovers()) == (PODS, scene.before, [])


def test_pods_that_no_node_takes_are_told_once_and_in_the_words_of_the_scheduler() -> None:
    scene = Scene("balances", replicas=130, story=Story())
    result = scene.release()
    assert result.outcome is Outcome.ABORTED
    [told] = [one for one in scene.story.notes if "no node takes" in one]  # type: ignore[attr-defined]
    assert "pods: 0/1 nodes are available: 1 Too many pods" in told
    assert scene.least() == 130
