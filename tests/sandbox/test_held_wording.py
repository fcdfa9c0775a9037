"""What `status`, `why` and `autoscale show` say of an autoscaler that a release holds over its own wish."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from deployctl.glance import glance
from deployctl.render import status as render
from deployctl.render.autoscaling import described, described_text
from deployctl.standing import status
from strategies.model import Action
from tests.sandbox.rehearsing import EXAMPLE, Scene

Json = dict[str, Any]
WRITES = 4


class DiedError(BaseException):
    """The process was killed."""


@pytest.fixture(scope="module")
def scene() -> Scene:
    """A release of twenty pods whose process died; their load is one for thirteen, and a preview stands idle."""
    one = Scene(replicas=20)

    def usage(pod: Json) -> dict[str, str]:
        """Let each pod with traffic use 8 of its 20 thousandths, and idle ones nothing."""
        behind = {end["targetRef"]["name"] for each in one.all("endpointslices") for end in each["endpoints"]}
        return {"cpu": "8m" if pod["metadata"]["name"] in behind else "0m"}

    one.world.cluster.controllers["autoscaler"].metrics = usage  # type: ignore[attr-defined]
    scaler = yaml.safe_load((EXAMPLE / "balances/hpa.yaml").read_text())
    scaler["spec"]["maxReplicas"] = 30
    one.api.create(scaler)
    one.world.pass_time(40)
    done: list[Action] = []

    def did(action: Action) -> None:
        done.append(action)
        if len(done) == WRITES:
            raise DiedError

    one.story.on = did
    with pytest.raises(DiedError):
        one.release()
    one.world.pass_time(60)
    one.api = one.world.api("igaming")
    return one


@pytest.fixture(scope="module")
def release(scene: Scene) -> str:
    found = status(glance(scene.api, "balances")).release
    assert found
    return found.id


def test_status_and_why_tell_the_wish_the_floor_and_until_when(scene: Scene, release: str) -> None:
    told = (
        f"HorizontalPodAutoscaler balances wants 13, and is held at 20 by release {release} until it is over"
    )
    one = status(glance(scene.api, "balances"))
    assert told in render.text(one)
    assert told in render.why(one)


def test_autoscale_show_tells_who_holds_it_and_until_when(scene: Scene, release: str) -> None:
    one = described(scene.get("horizontalpodautoscalers"), scene.api.now())
    told = described_text(one)
    assert "20 pods, wants 20; 6 to 30" in told
    assert f"  held at 20 by release {release} of " in told
    assert " until it is over: balances" in told
