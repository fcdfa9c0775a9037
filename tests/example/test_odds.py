"""What odds says over gRPC, beside its HTTP pages."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.example.conftest import ODDS, Odds

SERVING, NOT_SERVING, UNKNOWN = b"\x08\x01", b"\x08\x02", b"\x08\x03"
CHECK, WATCH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"
StartOdds = Callable[..., Odds]


def asked(name: str) -> bytes:
    """Encode a HealthCheckRequest."""
    return b"\x0a" + bytes((len(name),)) + name.encode() if name else b""


@pytest.fixture
def dial() -> Iterator[Callable[[Odds], grpc.Channel]]:
    channels: list[grpc.Channel] = []

    def opened(odds: Odds) -> grpc.Channel:
        channels.append(grpc.insecure_channel(f"127.0.0.1:{odds.grpc_port}"))
        return channels[-1]

    yield opened
    for each in channels:
        each.close()


Dial = Callable[[Odds], grpc.Channel]


def check(channel: grpc.Channel, name: str = "") -> bytes:
    answer: bytes = channel.unary_unary(CHECK)(asked(name), timeout=5)
    return answer


def stream(channel: grpc.Channel, method: str = "/Odds/Stream", said: bytes = b"") -> Any:
    return channel.unary_stream(method)(said, timeout=10)


@pytest.mark.parametrize("name", ["", "Odds"])
def test_its_health_is_serving(start_odds: StartOdds, dial: Dial, name: str) -> None:
    assert check(dial(start_odds()), name) == SERVING


def test_it_serves_when_it_is_ready(start_odds: StartOdds, dial: Dial) -> None:
    assert check(dial(start_odds(NEVER_READY="1"))) == NOT_SERVING


def test_the_health_of_a_service_it_does_not_have_is_not_found(start_odds: StartOdds, dial: Dial) -> None:
    with pytest.raises(grpc.RpcError) as told:
        check(dial(start_odds()), "Wallet")
    assert told.value.code() is grpc.StatusCode.NOT_FOUND


def test_watch_tells_each_change(start_odds: StartOdds, dial: Dial) -> None:
    odds = start_odds(READY_AFTER="700ms", ON_SIGTERM="drain")
    watched = stream(dial(odds), WATCH)
    assert [next(watched), next(watched)] == [NOT_SERVING, SERVING]
    odds.app.process.terminate()
    assert list(watched) == [NOT_SERVING]


def test_watch_knows_what_it_does_not_have(start_odds: StartOdds, dial: Dial) -> None:
    watched = stream(dial(start_odds()), WATCH, asked("Wallet"))
    assert next(watched) == UNKNOWN
    watched.cancel()


def test_prices_come_with_their_revision(start_odds: StartOdds, dial: Dial) -> None:
    prices = stream(dial(start_odds(REVISION="r2", PRICE_EVERY="10ms")))
    told = [json.loads(next(prices)) for _ in range(3)]
    prices.cancel()
    assert [one["number"] for one in told] == [1, 2, 3]
    assert {(one["revision"], one["pod"]) for one in told} == {("r2", "pod-1")}


def test_forty_streams_leave_room_for_a_health_check(start_odds: StartOdds, dial: Dial) -> None:
    odds = start_odds()
    channel = dial(odds)
    streams = [stream(channel) for _ in range(40)]
    for each in streams:
        next(each)
    assert check(dial(odds)) == SERVING
    for each in streams:
        each.cancel()


def test_the_pages_of_the_app_are_on_its_other_port(start_odds: StartOdds) -> None:
    app = start_odds(SERVICE="odds").app
    assert app.ask("GET", "/healthz").status == 200
    assert app.ask("GET", "/").body["service"] == "odds"
    assert app.ask("GET", "/internal/rounds").body["open"] == 0
    assert 'service="odds"' in app.ask("GET", "/metrics").text


def test_a_drain_ends_a_stream_in_good_order(start_odds: StartOdds, dial: Dial) -> None:
    odds = start_odds(ON_SIGTERM="drain")
    prices = stream(dial(odds))
    next(prices)
    odds.app.process.terminate()
    assert len(list(prices)) < 5
    assert prices.code() is grpc.StatusCode.OK
    assert odds.app.ended() == 0


def test_by_default_sigterm_breaks_a_stream(start_odds: StartOdds, dial: Dial) -> None:
    odds = start_odds()
    prices = stream(dial(odds))
    next(prices)
    odds.app.process.terminate()
    with pytest.raises(grpc.RpcError):
        list(prices)
    assert prices.code() is grpc.StatusCode.UNAVAILABLE
    assert odds.app.ended() == 0


def test_without_grpcio_it_serves_its_pages_and_says_so(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "HOST": "127.0.0.1", "PORT": "0", "SERVICE": "odds"}
    command = [sys.executable, "-S", str(ODDS)]
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("odds r1 listens on 127.0.0.1:")
        assert process.stderr
        assert process.stderr.readline() == "no grpcio here: nothing speaks gRPC\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0


def test_it_ends_within_its_drain_whatever_a_client_does(start_odds: StartOdds, dial: Dial) -> None:
    odds = start_odds(ON_SIGTERM="drain", PRICE_EVERY="1ms")
    prices = stream(dial(odds))
    next(prices)
    began = time.monotonic()
    odds.app.process.terminate()
    assert odds.app.ended() == 0
    assert time.monotonic() - began < 7
    prices.cancel()
