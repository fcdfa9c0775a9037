"""One event a line; docs/events.md is the promise."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from deployctl.render.jsonl import Jsonl, Together
from deployctl.render.lines import Lines
from strategies.blue_green import BlueGreen
from strategies.rolling import Rolling
from strategies.simulator import World
from tests.render.stories import Clock, tell

DOCS = Path(__file__).parents[2] / "docs" / "events.md"


def events(strategy: BlueGreen | Rolling) -> list[dict[str, Any]]:
    written: list[str] = []
    clock = Clock()
    tell(Jsonl("wallet", written.append, lambda: "T", clock), strategy, World.at_rest(3, ("wallet",)), clock)
    return [json.loads(one) for one in written]


def test_every_event_has_the_same_head_and_a_number() -> None:
    found = events(BlueGreen())
    assert [one["seq"] for one in found] == list(range(1, len(found) + 1))
    assert {(one["v"], one["ts"], one["app"]) for one in found} == {(1, "T", "wallet")}


def test_a_blue_green_release_as_events() -> None:
    told = [one.get("action") or one.get("gate") or one["type"] for one in events(BlueGreen())]
    assert [one for one in told if one != "pods"] == [
        "begin", "pin", "hold", "waiting", "pause", "waiting", "smoke", "smoke", "hold", "waiting", "pause", "pin",
        "waiting", "smoke", "smoke", "waiting", "waiting", "finish", "pin", "restore",
    ]  # fmt: skip


def test_an_action_carries_its_own_fields() -> None:
    hold = next(one for one in events(BlueGreen()) if one.get("action") == "hold")
    assert (hold["stable"], hold["preview"], hold["phase"], hold["proportional"]) == (3, 2, "trying", True)


def test_a_measurement_is_an_event_and_so_is_the_verdict() -> None:
    found = [one for one in events(BlueGreen()) if one.get("gate") == "smoke"]
    assert [one["type"] for one in found] == ["measured", "gate", "measured", "gate"]
    assert found[0]["answer"] == "pass"
    assert found[1]["passed"] is True


def test_the_share_of_the_preview_goes_from_nothing_to_all() -> None:
    shares = [one["share"] for one in events(BlueGreen()) if one["type"] == "pods"]
    assert (shares[0], shares[-1]) == (0, 100)


def test_every_type_and_field_is_in_the_documentation() -> None:
    documented = DOCS.read_text()
    found = [*events(BlueGreen()), *events(Rolling(bake_seconds=1))]
    types = {one["type"] for one in found}
    assert types <= set(re.findall(r"^## (\w+)$", documented, re.MULTILINE))
    assert {key for one in found for key in one} <= set(re.findall(r"`(\w+)`", documented))
    assert {one["action"] for one in found if "action" in one} <= set(re.findall(r"`(\w+)`", documented))


def test_a_program_and_a_person_hear_the_same_story() -> None:
    events_written: list[str] = []
    lines_told: list[str] = []
    clock = Clock()
    both = Together(
        Jsonl("wallet", events_written.append, clock=clock), Lines("wallet", lines_told.append, clock)
    )
    tell(both, BlueGreen(), World.at_rest(3, ("wallet",)), clock)
    both.ended({"outcome": "promoted"})
    assert json.loads(events_written[-1])["result"] == {"outcome": "promoted"}
    assert lines_told[-1].endswith("restore the user's settings; promoted")
