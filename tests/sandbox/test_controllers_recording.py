"""Events: one object for what happens again, and one for what is alike but for a name."""

from __future__ import annotations

from deployctl.sandbox.controllers.recording import Recorder
from tests.sandbox.imagination import Practice


def told(practice: Practice) -> list[tuple[str, int]]:
    events = [one for one in practice.store.list("events") if one["reason"] == "FailedCreate"]
    return sorted((one["message"], one["count"]) for one in events)


def recording(messages: list[str], pause_seconds: float = 0.0) -> Practice:
    practice = Practice()
    about = practice.deploy(0)
    recorder = Recorder(practice.store, "deployment-controller")
    for message in messages:
        recorder.warning(about, "Deployment", "FailedCreate", message)
        practice.now += pause_seconds
    return practice


def test_the_same_again_is_counted():
    assert told(recording(["no", "no", "no"])) == [("no", 3)]


def test_from_the_tenth_different_one_on_they_are_told_as_one():
    practice = recording([f"no {number}" for number in range(12)])
    assert ("(combined from similar events): no 11", 3) in told(practice)
    assert len(told(practice)) == 10


def test_after_ten_quiet_minutes_they_are_told_one_by_one_again():
    practice = recording([f"no {number}" for number in range(12)], pause_seconds=601)
    assert len(told(practice)) == 12


def test_an_event_names_its_object_and_its_source():
    practice = recording(["no"])
    [event] = practice.store.list("events")
    assert event["involvedObject"]["kind"] == "Deployment"
    assert event["involvedObject"]["apiVersion"] == "apps/v1"
    assert (event["type"], event["source"]) == ("Warning", {"component": "deployment-controller"})
    assert event["metadata"]["name"].startswith("wallet.")
