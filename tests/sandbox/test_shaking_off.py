"""Connections that no shift moves, in virtual time: old pods are restarted one by one, and a warm side stays."""

from __future__ import annotations

import dataclasses

import msgspec

from deployctl.rollout import Orders
from deployctl.spec import App
from strategies.model import Discard, Outcome, Wait
from tests.sandbox.rehearsing import Scene

OLD, NEW = "localhost/igaming:1", "localhost/igaming:2"


class Shaken(Scene):
    @property
    def app(self) -> App:
        app = super().app
        chosen = app.spec.strategy
        options = dataclasses.replace(chosen.options, shake_off_after_seconds=30.0)
        strategy = msgspec.structs.replace(chosen, options=options)
        return msgspec.structs.replace(app, spec=msgspec.structs.replace(app.spec, strategy=strategy))


def names(scene: Scene, image: str) -> list[str]:
    pods = scene.all("pods")
    return [one["metadata"]["name"] for one in pods if one["spec"]["containers"][0]["image"] == image]


def test_every_old_pod_is_restarted_once_and_an_idle_side_stands_for_keep_old():
    scene = Shaken()
    before = names(scene, OLD)
    standing: list[list[str]] = []

    def kept(step: object) -> None:
        if isinstance(step, Wait) and step.key == "keepOld":
            standing.append(names(scene, OLD))

    scene.story.on_turn = kept
    assert scene.release().outcome is Outcome.PROMOTED
    shaken = [one.pod for one in scene.story.actions if isinstance(one, Discard)]
    assert sorted(shaken) == sorted(before)
    assert (len(standing[0]), set(standing[0]) & set(before)) == (6, set())
    assert (scene.settings(), scene.leftovers(), scene.serving()) == (scene.before, [], {NEW: 6})
    assert scene.least() == 6


def test_with_an_armed_finish_connections_are_shaken_off_first():
    scene = Shaken(orders=Orders(until_promoted=True, keep_seconds=300.0))
    assert scene.release().armed
    assert len([one for one in scene.story.actions if isinstance(one, Discard)]) == 6
