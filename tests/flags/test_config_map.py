"""The configMap provider, against the practice cluster's API server and its real conflicts."""

from __future__ import annotations

import json

import pytest

from deployctl.cluster.api import JSON_PATCH, Request, failure
from deployctl.errors import Conflict, DeployctlError, UsageError
from deployctl.flags.config_map import ConfigMap
from deployctl.gates import About
from tests.flags.contract import FLAG, Contract, World, asking
from tests.flags.test_file import YAML
from tests.sandbox.calling import CONFIGMAPS, Client, configmap

WHERE = f"{CONFIGMAPS}/flags"
FILE = "flags.yaml"


class Cluster:
    """What a gate may do with the API of a cluster within this process."""

    def __init__(self) -> None:
        self.client, self.meanwhile, self.gone = Client(), lambda: None, False
        self.client.post(CONFIGMAPS, configmap("flags", **{FILE: YAML, "a": "b"}))

    def get(self, path):
        return self._sent("GET", path)

    def patch(self, path, patch):
        self.meanwhile()
        return self._sent("PATCH", path, patch)

    def _sent(self, method, path, body=None):
        if self.gone:
            raise DeployctlError(f"no answer to {path}")
        answer = self.client.call(method, path, body, **({"content_type": JSON_PATCH} if body else {}))
        if answer.status >= 400:
            raise failure(
                Request(method, path, body, JSON_PATCH), answer.status, json.dumps(answer.body).encode(), {}
            )
        return answer.body

    def write(self, old: str, new: str) -> None:
        """Write as somebody else, with kubectl."""
        text = self.client.get(WHERE)["data"][FILE].replace(old, new)
        self.client.patch(WHERE, {"data": {FILE: text}})


@pytest.fixture
def cluster():
    return Cluster()


@pytest.fixture
def world(cluster):
    def down() -> None:
        cluster.gone = True

    return World(
        ConfigMap("flags", FILE),
        poke=lambda: cluster.write("      on: true", "      on: true\n      more: false"),
        kept=lambda: cluster.client.get(WHERE)["data"],
        down=down,
        asked=asking(cluster=cluster, about=About("wallet", "shop")),
    )


class TestConfigMap(Contract):
    pass


def test_a_write_between_the_look_and_the_patch_is_a_conflict_too(cluster, world):
    cluster.meanwhile = lambda: cluster.write("loud", "LOUD")
    with pytest.raises(Conflict):
        world.set(True)
    assert "LOUD" in cluster.client.get(WHERE)["data"][FILE]
    assert world.read() == [False]


def test_who_wrote_first_is_named(cluster, world):
    seen = world.provider.setting(FLAG, world.asked)
    world.poke()
    with pytest.raises(Conflict, match="changed by kubectl at 20"):
        world.provider.set(seen, value=True, reason="", asked=world.asked)


def test_an_immutable_one_is_locked(cluster, world):
    cluster.client.patch(WHERE, {"immutable": True})
    assert world.provider.setting(FLAG, world.asked).locked == "the ConfigMap flags is immutable"
    with pytest.raises(DeployctlError, match="immutable"):
        world.set(True)


def test_a_key_that_is_not_there_is_named_with_those_that_are(world):
    with pytest.raises(UsageError, match=r"has no key b; it has a, flags\.yaml"):
        ConfigMap("flags", "b").settings(world.asked)


def test_a_config_map_that_is_not_there_is_named(world):
    with pytest.raises(DeployctlError, match="nothing"):
        ConfigMap("nothing", "b").settings(world.asked)
