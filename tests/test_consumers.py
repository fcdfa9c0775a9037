"""What pods say of their consumers, what they are told, and what is made of both."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deployctl.cluster.api import Unreachable
from deployctl.consumers import AGAIN_SECONDS, HURRY_SECONDS, INTERVAL_SECONDS, STALE_SECONDS, Consumers, Word
from deployctl.consumes import Consumes
from deployctl.errors import LockLost
from deployctl.gates import About
from deployctl.gates.kafka import Group, _named
from deployctl.overheard import BOUND_SECONDS, asked_once, listening

PAGE = Consumes(mode="handOver", path="/internal/consume", at_start="paused")
ONE, OTHER = ({"metadata": {"name": f"wallet-{number}", "uid": f"u{number}"}} for number in (1, 2))


class Pods:
    """Pods that consume as they are told, unless they are deaf, and a clock that is set by hand."""

    def __init__(self, **fields: Any) -> None:
        self.consumes = {"wallet-1": True, "wallet-2": False}
        self.orders: list[tuple[str, bool, str]] = []
        self.now, self.woken = 0.0, 0
        self.page: Any = None  # instead of the truth
        self.refusal: Any = None  # of an order
        self.deaf = False
        made = Consumers(
            PAGE, self.get, self.post, lambda _: 8080, self.wake, "s/1", lambda: self.now, **fields
        )
        made._pods, made._going = (ONE, OTHER), True
        self.asking = made

    def get(self, pod: str, port: int, scheme: str, page: str, timeout: float) -> tuple[int, bytes]:
        if isinstance(self.page, Exception):
            raise self.page
        if self.page is not None:
            return self.page  # type: ignore[no-any-return]
        return 200, json.dumps({"consuming": self.consumes[pod]}).encode()

    def post(self, pod: str, port: int, page: str, body: Any, timeout: float) -> tuple[int, bytes]:
        if isinstance(self.refusal, Exception):
            raise self.refusal
        if self.refusal is not None:
            return self.refusal  # type: ignore[no-any-return]
        self.orders.append((pod, body["consume"], body["seal"]))
        if not self.deaf:
            self.consumes[pod] = body["consume"]
        return 200, b"{}"

    def wake(self) -> None:
        self.woken += 1

    def after(self, seconds: float) -> dict[str, Word]:
        self.now += seconds
        self.asking.once()
        return self.asking.words()


def test_a_pod_that_was_not_asked_is_unknown():
    assert Pods().asking.words()["u1"] == Word(None, "it was not asked yet")


def test_a_pod_is_believed_once_it_knows_our_seal():
    pods = Pods()
    words = pods.after(0.0)
    assert (words["u1"].consumes, words["u2"].consumes) == (True, False)
    pods.after(5.0)
    assert pods.orders == [("wallet-1", True, "s/1"), ("wallet-2", False, "s/1")]


def test_a_pod_that_refuses_our_seal_is_unknown():
    pods = Pods()
    pods.refusal = (409, b"an order of s/2 came first")
    said = pods.after(0.0)["u1"]
    assert said == Word(None, "POST /internal/consume: 409 an order of s/2 came first")


def test_who_lost_the_lock_seals_nothing():
    def lost() -> None:
        raise LockLost("bob took the lock")

    pods = Pods(confirm=lost)
    assert pods.after(0.0)["u1"] == Word(None, "bob took the lock")
    assert pods.orders == []


def test_what_a_pod_was_told_is_known_when_it_says_so():
    pods = Pods()
    pods.after(0.0)
    pods.asking.tell(ONE, consume=False)
    assert pods.asking.words()["u1"].consumes is None
    assert pods.after(0.1)["u1"] == Word(consumes=False, unheard="")


def test_a_pod_that_does_not_heed_is_told_again_and_its_time_counts_from_the_first():
    pods = Pods()
    pods.after(0.0)
    pods.deaf = True
    pods.asking.tell(ONE, consume=False)
    assert pods.after(0.5)["u1"].consumes is None
    said = pods.after(AGAIN_SECONDS)["u1"]
    assert said == Word(True, "it was told to stop, and has not done so", 0.5 + AGAIN_SECONDS)
    pods.asking.tell(ONE, consume=False)
    assert pods.after(AGAIN_SECONDS)["u1"].late_seconds == 0.5 + 2 * AGAIN_SECONDS


def test_who_is_told_to_go_on_before_it_has_stopped_is_as_it_should_be():
    pods = Pods()
    pods.after(0.0)
    pods.deaf = True
    pods.asking.tell(ONE, consume=False)
    pods.after(AGAIN_SECONDS)
    pods.asking.tell(ONE, consume=True)
    assert pods.after(0.1)["u1"] == Word(consumes=True, unheard="")


def test_an_order_that_does_not_arrive_says_why():
    pods = Pods()
    pods.after(0.0)
    pods.refusal = Unreachable("nobody answers")
    pods.asking.tell(ONE, consume=False)
    assert pods.after(AGAIN_SECONDS)["u1"].unheard == "nobody answers"


def test_a_container_that_begins_anew_is_told_from_anew():
    pods = Pods()
    pods.after(0.0)
    pods.asking.tell(OTHER, consume=True)
    pods.after(0.1)
    pods.consumes["wallet-2"] = False
    assert pods.after(60.0)["u2"] == Word(consumes=False, unheard="")


def test_an_old_word_is_none():
    pods = Pods()
    pods.after(0.0)
    pods.now += STALE_SECONDS
    assert pods.asking.words()["u1"].consumes is None


def test_how_long_a_pod_has_said_nothing_is_counted():
    pods = Pods()
    pods.after(0.0)
    pods.page = Unreachable("nobody answers")
    pods.after(1.0)
    assert pods.after(4.0)["u1"] == Word(None, "nobody answers", 4.0)


@pytest.mark.parametrize(
    ("page", "why"),
    [
        ((404, b"no such page"), "/internal/consume: 404"),
        ((200, b"true"), "/internal/consume has no field consuming"),
        ((200, b"not json"), "/internal/consume has no field consuming"),
        ((200, b'{"consuming": "yes"}'), "/internal/consume: consuming is neither true nor false"),
        ((200, b'{"consuming": 1}'), "/internal/consume: consuming is neither true nor false"),
    ],
    ids=str,
)
def test_what_is_neither_true_nor_false_is_unknown(page, why):
    pods = Pods()
    pods.page = page
    assert pods.after(0.0)["u1"] == Word(None, why)
    assert pods.orders == []


def test_a_pod_without_the_port_is_unknown():
    pods = Pods()
    pods.asking.port = lambda _: None
    pods.asking.tell(ONE, consume=True)
    assert pods.after(0.0)["u1"].unheard == "it has no such port"


def test_the_loop_is_woken_where_something_new_is_known():
    pods = Pods()
    pods.after(0.0)
    pods.after(5.0)
    pods.consumes["wallet-1"] = False
    pods.after(5.0)
    assert pods.woken == 2


def test_pods_are_asked_soon_where_their_word_is_waited_for():
    pods = Pods()
    assert pods.asking.pause_seconds == HURRY_SECONDS
    pods.after(0.0)
    assert pods.asking.pause_seconds == INTERVAL_SECONDS
    pods.asking.ask((ONE, OTHER), hurry=True)
    assert pods.asking.pause_seconds == HURRY_SECONDS


@pytest.mark.parametrize(
    ("told", "since"),
    [
        ('"2026-05-04T12:00:00+02:00"', "2026-05-04T10:00:00Z"),
        ('"2026-05-04T10:00:00"', ""),
        ('"a while ago"', ""),
        ("12.5", ""),
        ("null", ""),
    ],
)
def test_a_pod_may_say_since_when(told, since):
    pods = Pods()
    pods.page = (200, f'{{"consuming": true, "since": {told}}}'.encode())
    assert pods.after(0.0)["u1"] == Word(True, "", since=since)


def test_who_only_looks_tells_no_pod_anything():
    pods = Pods()
    service = {"spec": {"ports": [{"port": 80, "targetPort": 8080}]}}
    asking = listening(PAGE, pods.get, service, pods.wake)
    asking._pods, asking._going = (ONE, OTHER), True
    asking.once()
    assert [one.consumes for one in asking.words().values()] == [True, False]
    assert (pods.orders, pods.woken) == ([], 1)
    pods.page = Unreachable("nobody answers")
    asking.once()
    assert asking.pause_seconds == 2.0
    with pytest.raises(NotImplementedError):
        asking.tell(ONE, consume=False)


def test_one_look_asks_every_pod_once_and_no_longer_than_its_bound():
    pods = Pods()
    service = {"spec": {"ports": [{"port": 80, "targetPort": 8080}]}}
    said = asked_once(PAGE, pods.get, service, (ONE, OTHER))
    assert (said["u1"].consumes, said["u2"].consumes) == (True, False)
    late = iter((0.0, BOUND_SECONDS, BOUND_SECONDS))
    said = asked_once(PAGE, pods.get, service, (ONE, OTHER), lambda: next(late))
    assert said["u1"] == Word(None, "it was not asked within 3s")


def test_who_is_gone_is_forgotten():
    pods = Pods()
    pods.after(0.0)
    pods.asking.ask((ONE,))
    assert list(pods.after(1.0)) == ["u1"]
    assert list(pods.asking._said) == ["u1"]


def test_the_kafka_gate_watches_a_group_that_is_named_by_a_revision():
    about = About("wallet", "igaming", "6668b48bc4", "b4b488b44")
    assert _named(Group("settlement-${preview}"), about) == Group("settlement-b4b488b44")
    assert _named(Group("${stable}"), about) == Group("6668b48bc4")
