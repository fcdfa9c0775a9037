"""A fault befalls the calls that it is about, in the way that it names, and no other."""

from __future__ import annotations

import pytest

from deployctl.sandbox.calls import Answer, Call, Refused
from deployctl.sandbox.cluster import Cluster
from deployctl.sandbox.faults import Fault, Faults, Late, NoAnswer, Torn

PATCH = Call("PATCH", "/apis/apps/v1/namespaces/igaming/deployments/wallet", agent="deployctl")
READ = Call("GET", "/api/v1/namespaces/igaming/pods", agent="kubectl/v1.35")
WATCH = Call("GET", "/api/v1/namespaces/igaming/pods", {"watch": "1"}, agent="deployctl")
FINE = Answer(200, {"kind": "Deployment"})


class Now:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def faults(*plan: Fault) -> Faults:
    return Faults(Cluster(Now()), plan)


class News:
    """A watch that has brought two events."""

    ended, torn, due = False, False, 60.0

    def __init__(self):
        self.waiting = [{"type": "ADDED"}, {"type": "DELETED"}]

    def take(self):
        taken, self.waiting = self.waiting, []
        return taken

    def close(self):
        self.ended = True


@pytest.mark.parametrize(
    ("fault", "call"),
    [
        (Fault("error"), PATCH),
        (Fault("error", method="PATCH"), PATCH),
        (Fault("error", resource="deployments", name="wallet"), PATCH),
        (Fault("error", agent="kubectl"), READ),
        (Fault("error", method="GET", resource="pods"), READ),
        (Fault("error", method="WATCH", resource="pods"), WATCH),
        (Fault("error", resource="nodes"), Call("GET", "/api/v1/nodes")),
    ],
)
def test_a_fault_is_about(fault, call):
    assert fault.matches(call)


@pytest.mark.parametrize(
    ("fault", "call"),
    [
        (Fault("error", method="PATCH"), READ),
        (Fault("error", resource="pods"), PATCH),
        (Fault("error", name="odds"), PATCH),
        (Fault("error", agent="deployctl"), READ),
        (Fault("error", method="GET"), WATCH),
    ],
)
def test_a_fault_is_not_about(fault, call):
    assert not fault.matches(call)


def test_only_the_numbered_one_of_the_matching_calls_is_befallen():
    plan = faults(Fault("error", call=2, method="PATCH"))
    assert plan.around(PATCH, lambda: FINE) is FINE
    assert plan.around(READ, lambda: FINE) is FINE
    with pytest.raises(Refused, match="Internal error"):
        plan.around(PATCH, lambda: FINE)
    assert plan.around(PATCH, lambda: FINE) is FINE


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("conflict", 409),
        ("gone", 410),
        ("tooMany", 429),
        ("error", 500),
        ("unavailable", 503),
        ("expired", 401),
        ("denied", 403),
    ],
)
def test_a_refusal_comes_without_the_call_being_carried_out(kind, code):
    done: list[int] = []
    with pytest.raises(Refused) as caught:
        faults(Fault(kind)).around(PATCH, lambda: done.append(1))
    assert (caught.value.code, done) == (code, [])


def test_too_many_says_when_to_come_back():
    with pytest.raises(Refused) as caught:
        faults(Fault("tooMany", seconds=7)).around(PATCH, lambda: FINE)
    assert caught.value.answer().headers == {"Retry-After": "7"}


@pytest.mark.parametrize(
    ("kind", "done", "seconds"), [("dropBefore", 0, 0.0), ("dropAfter", 1, 0.0), ("timeout", 0, 4.0)]
)
def test_an_answer_that_does_not_come(kind, done, seconds):
    calls: list[int] = []
    with pytest.raises(NoAnswer) as caught:
        faults(Fault(kind, seconds=4.0)).around(PATCH, lambda: calls.append(1))
    assert (len(calls), caught.value.seconds) == (done, seconds)


def test_a_stale_read_shows_the_cluster_as_it_was():
    plan = faults(Fault("stale", seconds=5))
    store, now = plan.cluster.store, plan.cluster.clock
    with plan.cluster.lock:
        store.create("pods", {"metadata": {"name": "old", "namespace": "igaming"}})
        now.seconds = 10.0
        store.create("pods", {"metadata": {"name": "new", "namespace": "igaming"}})
        store.remove("pods", "igaming", "old")
    seen = plan.around(READ, lambda: Answer(200, {"items": store.list("pods")}))
    assert [one["metadata"]["name"] for one in seen.body["items"]] == ["old"]
    assert [one["metadata"]["name"] for one in store.list("pods")] == ["new"]


def test_a_slow_watch_brings_everything_later():
    now = Now()
    late = Late(News(), now, 2.0)
    assert late.take() == []
    now.seconds = 2.0
    assert late.take() == [{"type": "ADDED"}, {"type": "DELETED"}]


def test_a_truncated_watch_breaks_off_in_its_first_line():
    torn = faults(Fault("truncated")).around(WATCH, News)
    assert isinstance(torn, Torn)
    assert (torn.torn, torn.take()) == (True, [{"type": "ADDED"}])
