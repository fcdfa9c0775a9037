"""Size and load over a release: drawn from the events of one in which an autoscaler grew the app."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import replace
from functools import cache
from typing import Any

import yaml

from deployctl.render.folding import timeline
from deployctl.render.jsonl import Jsonl
from deployctl.render.lanes import lanes
from deployctl.render.report import Report, document, html, markdown
from deployctl.render.timeline import Measure, Timeline
from tests.docs.pages import ROOT
from tests.render.test_history import PROMOTED
from tests.render.test_page import outline
from tests.render.told import PROMOTED as EVENTS
from tests.sandbox.rehearsing import EXAMPLE, Scene

Json = dict[str, Any]
NAME = "HorizontalPodAutoscaler balances"
BUSY_SECONDS = 60.0  # after the release has begun the load comes


@cache
def told(*, measured: bool = True) -> tuple[Json, ...]:
    """Release six pods on which the load doubles meanwhile; give the events that were written."""
    scene = Scene()
    began = scene.world.cluster.clock()

    def usage(pod: Json) -> dict[str, str]:
        """Share the whole load among the pods with traffic; each asks for 20m, and idle ones use nothing."""
        load = 130 if scene.world.cluster.clock() > began + BUSY_SECONDS else 66
        behind = [
            one["targetRef"]["name"] for each in scene.all("endpointslices") for one in each["endpoints"]
        ]
        mine = load // len(behind) if pod["metadata"]["name"] in behind else 0
        return {"cpu": f"{mine}m"}

    if measured:
        scene.world.cluster.controllers["autoscaler"].metrics = usage  # type: ignore[attr-defined]
    scene.api.create(yaml.safe_load((EXAMPLE / "balances/hpa.yaml").read_text()))
    scene.world.pass_time(40)
    lines: list[str] = []
    scene.story = Jsonl("balances", lines.append, now=lambda: _stamp(scene.world.cluster.clock()))  # type: ignore[assignment]
    assert scene.release().outcome is not None
    return tuple(map(json.loads, lines))


def _stamp(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat()


@cache
def shape() -> Timeline:
    return timeline(told())


def test_a_run_tells_what_its_autoscaler_says_and_tells_it_again_when_that_changes() -> None:
    said = [one for one in told() if one["type"] == "scaling"]
    assert said == [one for at, one in enumerate(said) if at == 0 or _bare(one) != _bare(said[at - 1])]
    first, last = said[0], said[-1]
    assert (first["scaler"], first["min"], first["max"], first["floor"]) == (NAME, 6, 18, 6)
    assert first["metrics"] == [{"name": "cpu", "now": "55%", "target": "60%"}]
    assert (last["replicas"], last["floor"], last["min"]) == (11, 6, 6)


def _bare(event: Json) -> Json:
    return {key: one for key, one in event.items() if key not in {"seq", "ts"}}


def test_an_event_tells_every_field_that_its_page_names() -> None:
    page = (ROOT / "docs/events.md").read_text().partition("## scaling")[2].partition("## action")[0]
    named = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (.*?) \|", page, re.MULTILINE))))
    event = next(one for one in told() if one["type"] == "scaling")
    assert named == set(event) - {"v", "ts", "seq", "app", "type"}


def test_the_size_the_wish_the_floor_and_the_bounds_are_drawn() -> None:
    picture = lanes(shape())
    said = " ".join(outline(picture).text)
    assert "size 6 to 11" in said
    assert "wish 6 to 11" in said
    assert "floor 6" in said
    assert "maximum 18" in said
    assert "0% to 55%, aimed at 60%" in said
    assert picture.count('class="line wish"') == 2  # the course, and its key


def test_ready_pods_of_both_sides_are_stacked() -> None:
    ready = [one.stable.ready + one.preview.ready for one in shape().moments]
    assert max(ready) == 22
    assert "11 stable and 11 preview pods ready" in lanes(shape())


def test_a_maximum_far_above_is_said_and_not_drawn() -> None:
    far = replace(shape(), scaling=tuple(replace(one, most=90) for one in shape().scaling))
    assert "maximum 90 (not drawn)" in lanes(far)
    assert 'class="line maximum"' not in lanes(far)


def test_what_was_not_measured_is_said_to_be_so() -> None:
    drawn = lanes(timeline(told(measured=False)))
    assert "not measured" in drawn
    assert 'class="load"' not in drawn


def test_without_an_autoscaler_there_is_no_such_lane() -> None:
    assert "ready pods, both sides" not in lanes(timeline(EVENTS))


def test_a_report_has_the_picture_in_each_format() -> None:
    one = Report(PROMOTED, shape())
    made = outline(html(one))
    assert (made.open, made.unbalanced) == ([], [])
    assert document(one)["timeline"]["scaling"][0]["most"] == 18
    assert "- size 6 to 11" in markdown(one)
    assert "- cpu 0% to 55%, aimed at 60%" in markdown(one)


def test_words_of_the_cluster_are_text() -> None:
    [first, *_] = shape().scaling
    evil = replace(first, measures=(Measure("</svg><script>", "55%", "60%"),))
    assert "<script>" not in lanes(replace(shape(), scaling=(evil,)))
