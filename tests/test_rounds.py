"""What pods say of their open rounds, and what is made of it."""

from __future__ import annotations

import json

import pytest

from deployctl.cluster.api import Unreachable
from deployctl.observe import Open
from deployctl.rounds import HURRY_SECONDS, INTERVAL_SECONDS, STALE_SECONDS, Census
from deployctl.spec import Rounds

PODS = [{"metadata": {"name": f"table-{number}", "uid": f"u{number}"}} for number in (1, 2)]


class Table:
    """Pods that answer from a list, one after the other, and a clock that is set by hand."""

    def __init__(self, *pages: object) -> None:
        self.pages, self.now, self.woken = list(pages), 0.0, 0

    def proxy(self, pod: str, port: int, scheme: str, page: str, timeout: float) -> tuple[int, bytes]:
        answer = self.pages.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return (200, json.dumps(answer).encode()) if not isinstance(answer, tuple) else answer

    def wake(self) -> None:
        self.woken += 1


def asked(table: Table, times: int, pods: int = 1) -> Census:
    census = Census(Rounds(path="/rounds"), table.proxy, lambda _: 8080, table.wake, lambda: table.now)
    census._pods = tuple(PODS[:pods])
    for _ in range(times):
        census.once()
    return census


def test_a_pod_without_rounds_has_said_so_twice():
    assert asked(Table({"open": 0}), 1).open() == {"u1": Open()}
    assert asked(Table({"open": 0}, {"open": 0}), 2).open() == {"u1": Open(0)}


def test_a_word_after_another_one_counts_from_anew():
    assert asked(Table({"open": 0}, {"open": 0}, {"open": 1}, {"open": 0}), 4).open() == {"u1": Open()}


def test_open_rounds_are_told_with_the_age_of_the_oldest():
    assert asked(Table({"open": 3, "oldestSeconds": 71.5}), 1).open() == {"u1": Open(3, 71.5)}


def test_an_old_word_is_none():
    table = Table({"open": 0}, {"open": 0})
    census = asked(table, 2)
    table.now = STALE_SECONDS + 1
    assert census.open() == {}


@pytest.mark.parametrize(
    ("page", "mute"),
    [
        ((404, b"no such page"), "/rounds: 404"),
        ((200, b"3"), "/rounds has no field open"),
        ((200, b"not json"), "/rounds has no field open"),
        ({"rounds": 0}, "/rounds has no field open"),
        ({"open": "0"}, "/rounds: open is no count"),
        ({"open": True}, "/rounds: open is no count"),
        ({"open": -1}, "/rounds: open is no count"),
        (Unreachable("did not answer in 2s"), "did not answer in 2s"),
    ],
    ids=str,
)
def test_what_is_no_count_is_unknown(page, mute):
    assert asked(Table(page, page), 2).open() == {"u1": Open(mute=mute)}


def test_a_first_none_is_asked_again_soon():
    assert asked(Table({"open": 0}), 1).pause_seconds == HURRY_SECONDS
    assert asked(Table({"open": 0}, {"open": 0}), 2).pause_seconds == INTERVAL_SECONDS
    assert asked(Table({"open": 3}), 1).pause_seconds == INTERVAL_SECONDS


def test_a_port_that_a_pod_lacks_leaves_it_unknown():
    census = Census(Rounds(path="/rounds"), Table().proxy, lambda _: None, lambda: None)
    census._pods = (PODS[0],)
    census.once()
    assert census.open() == {"u1": Open(mute="it has no such port")}


def test_the_loop_is_woken_where_something_new_was_said():
    table = Table({"open": 2}, {"open": 2}, {"open": 1})
    asked(table, 3)
    assert table.woken == 2


def test_every_pod_has_a_word_of_its_own():
    assert asked(Table({"open": 2}, {"open": 5}), 1, pods=2).open() == {"u1": Open(2), "u2": Open(5)}


def test_pods_are_asked_at_once_when_their_word_is_waited_for():
    table = Table(*({"open": 1} for _ in range(99)))
    census = Census(Rounds(path="/rounds"), table.proxy, lambda _: 8080, table.wake)
    census.ask(PODS[:1])
    census.ask(PODS[:1], hurry=True)
    while len(table.pages) > 96:
        census._stop.wait(0.01)
    census.stop()
    assert census.pause_seconds == HURRY_SECONDS


def dark(table: Table, *times: float) -> Census:
    """Ask a pod, which has lost its traffic at 10 s, at these times."""
    census = Census(Rounds(path="/rounds"), table.proxy, lambda _: 8080, table.wake, lambda: table.now)
    census._pods, census._going = PODS[:1], True
    for now in times:
        table.now = now
        census.ask(PODS[:1], dark=("u1",) if now >= 10 else ())
        census.once()
    return census


JUST = Open(mute="its traffic has only just gone")
NONE = {"open": 0}


@pytest.mark.parametrize(
    ("times", "open_"),
    [
        ((4.0, 9.0), Open(0)),
        ((4.0, 9.0, 10.0), JUST),
        ((9.0, 10.0, 11.9, 12.4), JUST),
        ((9.0, 10.0, 12.1, 12.6), Open(0)),
        ((10.0, 12.1), JUST),
    ],
    ids=str,
)
def test_a_pod_without_traffic_has_said_twice_since_every_node_knows_that_it_has_no_round(times, open_):
    assert dark(Table(*[NONE] * len(times)), *times).open() == {"u1": open_}


def test_a_round_that_came_with_the_last_traffic_is_believed_at_once():
    assert dark(Table(NONE, NONE, {"open": 1}), 4.0, 9.0, 10.5).open() == {"u1": Open(1)}


def test_a_pod_that_had_traffic_in_between_is_dark_from_anew():
    table = Table(*[NONE] * 4)
    census = dark(table, 10.0, 12.1)
    table.now = 12.2
    census.ask(PODS[:1])
    table.now = 12.3
    census.ask(PODS[:1], dark=("u1",))
    table.now = 12.8
    census.once()
    assert census.open() == {"u1": JUST}


def test_a_pod_that_has_lost_its_traffic_is_asked_soon_again():
    assert dark(Table(NONE, NONE, NONE), 4.0, 9.0, 10.0).pause_seconds == HURRY_SECONDS
