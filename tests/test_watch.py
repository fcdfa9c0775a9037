"""A collection stays what the server says it is, whatever becomes of the stream."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from deployctl.cluster import watch
from deployctl.cluster.api import Api
from deployctl.cluster.login import Target
from deployctl.cluster.watch import Collection, Signal, Store
from deployctl.errors import DeployctlError, Forbidden
from tests.answering import Call, Reply, Server, eventually, serving, status

PODS = "/api/v1/namespaces/igaming/pods"
Json = dict[str, Any]


def pod(name: str, version: int) -> Json:
    return {"metadata": {"name": name, "resourceVersion": str(version)}}


def listed(version: int, *pods: Json) -> Reply:
    return Reply(body={"kind": "PodList", "metadata": {"resourceVersion": str(version)}, "items": pods})


def event(kind: str, one: Json) -> Json:
    return {"type": kind, "object": one}


def stream(*events: Json | bytes, **how: Any) -> Reply:
    return Reply(lines=events, **how)


OPEN = stream(silent_seconds=60)
GONE = status(410, "too old resource version", "Expired")


def script(lists: list[Reply], watches: list[Reply]) -> Callable[[Call], Reply]:
    """Answer each list and each watch in turn, and with the last for ever."""
    left = {False: list(lists), True: list(watches)}
    lock = threading.Lock()

    def answer(call: Call) -> Reply:
        with lock:
            these = left[call.watching]
            return these.pop(0) if len(these) > 1 else these[0]

    return answer


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(script([listed(7, pod("a", 5))], [OPEN])) as found:
        yield found


@pytest.fixture
def signal() -> Signal:
    return Signal()


@pytest.fixture
def begin(server: Server, signal: Signal, tmp_path: Path) -> Iterator[Callable[..., Collection]]:
    """Start a collection on a server that answers so."""
    begun: list[Collection] = []

    def started(answer: Callable[[Call], Reply], *, needed: bool = True) -> Collection:
        server.answer = answer
        api = Api(Target(server.kubeconfig(tmp_path)))
        begun.append(Collection(api, PODS, {}, signal, needed=needed).start())
        return begun[0]

    yield started
    begun[0].stop()


def versions(collection: Collection) -> dict[str, int]:
    return {name: watch.version(one) for name, one in collection.store.objects.items()}


def test_a_list_is_followed_by_a_watch_from_its_version(server: Server, begin: Any) -> None:
    found = begin(script([listed(7, pod("a", 5))], [OPEN]))
    assert eventually(lambda: bool(server.watches()))
    assert versions(found) == {"a": 5}
    assert server.watches()[0].query["resourceVersion"] == "7"


def test_events_are_taken_in(begin: Any) -> None:
    events = (
        event("ADDED", pod("b", 8)),
        event("MODIFIED", pod("a", 9)),
        event("DELETED", pod("b", 10)),
        event("ADDED", pod("c", 11)),
    )
    found = begin(script([listed(7, pod("a", 5))], [stream(*events, silent_seconds=60)]))
    assert eventually(lambda: versions(found) == {"a": 9, "c": 11})


def test_a_stream_that_ends_is_resumed_from_the_last_version(server: Server, begin: Any) -> None:
    begin(script([listed(7)], [stream(event("ADDED", pod("b", 9))), OPEN]))
    assert eventually(lambda: len(server.watches()) == 2)
    assert server.watches()[1].query["resourceVersion"] == "9"
    assert len(server.lists()) == 1


def test_a_bookmark_moves_the_version_and_nothing_else(server: Server, begin: Any) -> None:
    mark = event("BOOKMARK", {"metadata": {"resourceVersion": "40"}})
    found = begin(script([listed(7, pod("a", 5))], [stream(mark), OPEN]))
    assert eventually(lambda: len(server.watches()) == 2)
    assert server.watches()[1].query["resourceVersion"] == "40"
    assert versions(found) == {"a": 5}


@pytest.mark.parametrize(
    "gone",
    [Reply(410, GONE), stream(event("ERROR", GONE))],
    ids=["as an answer", "as an event"],
)
def test_a_forgotten_version_is_listed_anew(server: Server, begin: Any, gone: Reply) -> None:
    found = begin(script([listed(7, pod("a", 5)), listed(50, pod("b", 49))], [gone, OPEN]))
    assert eventually(lambda: len(server.watches()) == 2)
    assert server.watches()[1].query["resourceVersion"] == "50"
    assert versions(found) == {"b": 49}


def test_a_stream_cut_off_in_mid_line_is_resumed_before_that_line(server: Server, begin: Any) -> None:
    half = b'{"type": "MODIFIED", "object": {"metadata": {"name": "a", "resourc'
    found = begin(script([listed(7)], [stream(event("ADDED", pod("a", 8)), half, cut=True), OPEN]))
    assert eventually(lambda: len(server.watches()) == 2)
    assert server.watches()[1].query["resourceVersion"] == "8"
    assert versions(found) == {"a": 8}


def test_a_line_that_is_no_json_is_a_lost_stream(server: Server, begin: Any, signal: Signal) -> None:
    begin(script([listed(7)], [stream(b"<html>\n"), OPEN]))
    assert eventually(lambda: len(server.watches()) == 2)
    assert signal.failure is None


def test_a_silent_stream_is_given_up(server: Server, begin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "SILENCE_SECONDS", 0.2)
    begin(script([listed(7)], [OPEN]))
    assert eventually(lambda: len(server.watches()) >= 2)


@pytest.mark.parametrize(
    "trouble",
    [Reply(429, status(429, "busy"), {"Retry-After": "1"}), Reply(503, b""), Reply(500, status(500, "etcd"))],
    ids=["429", "503", "500"],
)
def test_an_overloaded_server_is_asked_again_from_the_same_version(
    server: Server, begin: Any, trouble: Reply
) -> None:
    begin(script([listed(7)], [trouble, OPEN]))
    assert eventually(lambda: len(server.watches()) == 2)
    assert server.watches()[1].query["resourceVersion"] == "7"


def test_a_server_that_is_down_is_waited_for(server: Server, begin: Any) -> None:
    down = Reply(503, b"")
    found = begin(script([*itertools.repeat(down, 4), listed(7, pod("a", 5))], [OPEN]))
    assert eventually(lambda: versions(found) == {"a": 5})


@pytest.mark.parametrize(
    "useless",
    [stream(), Reply(410, GONE), stream(event("ERROR", GONE)), stream(event("ERROR", status(500, "etcd")))],
    ids=["empty", "410", "410 event", "500 event"],
)
def test_a_stream_that_brings_nothing_is_not_hammered(server: Server, begin: Any, useless: Reply) -> None:
    begin(script([listed(7)], [useless]))
    assert not eventually(lambda: len(server.calls) > 14, seconds=0.8)


@pytest.mark.parametrize("lost", [1, 2, 5, 10, 1000])
def test_no_pause_is_longer_than_eight_seconds(lost: int) -> None:
    assert 0.1 <= watch._backoff(lost) <= 7.5


def test_where_no_watch_lasts_the_list_is_the_truth(
    server: Server, begin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_backoff", lambda _: 0.001)
    found = begin(script([listed(7), listed(99, pod("b", 98))], [Reply(503, b"")]))
    assert eventually(lambda: versions(found) == {"b": 98})


@pytest.mark.parametrize(
    "refusal", [Reply(403, status(403, "no list")), Reply(401, status(401, "Unauthorized"))]
)
def test_a_refusal_reaches_the_loop(begin: Any, signal: Signal, refusal: Reply) -> None:
    begin(lambda _: refusal)
    assert eventually(lambda: isinstance(signal.failure, Forbidden))
    with pytest.raises(Forbidden):
        signal.wait(0)


def test_a_refusal_in_mid_watch_reaches_the_loop(begin: Any, signal: Signal) -> None:
    begin(script([listed(7)], [stream(), Reply(403, status(403, "no watch"))]))
    assert eventually(lambda: isinstance(signal.failure, Forbidden))


def test_a_collection_that_is_not_needed_may_be_refused(begin: Any, signal: Signal) -> None:
    found = begin(lambda _: Reply(403, status(403, "no list")), needed=False)
    assert found.synced.wait(5)
    assert signal.failure is None
    assert found.store.objects == {}


def test_an_answer_that_is_no_list_is_told_and_not_trusted(begin: Any, signal: Signal) -> None:
    begin(lambda _: Reply(body={"kind": "PodList"}))
    assert eventually(lambda: isinstance(signal.failure, DeployctlError))


def test_an_older_version_never_wins() -> None:
    store = Store()
    store.put(pod("a", 9))
    store.put(pod("a", 8))
    store.replace([pod("a", 7)])
    assert watch.version(store.objects["a"]) == 9


def test_what_was_deleted_does_not_come_back_from_an_old_answer() -> None:
    store = Store()
    store.drop(pod("a", 9))
    store.put(pod("a", 8))
    assert store.objects == {}


def test_two_writers_lose_nothing() -> None:
    store = Store()
    names = [f"pod-{number}" for number in range(600)]
    with ThreadPoolExecutor(2) as threads:
        threads.map(lambda one: store.put(pod(one, 1)), names, chunksize=1)
    assert len(store.objects) == 600
