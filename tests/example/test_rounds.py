"""Rounds over WebSocket: what is said, what is counted, and what becomes of them at the end of a pod."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from deployctl.sandbox.load.client import Target
from deployctl.sandbox.load.wire import Wire
from tests.example.conftest import PATIENCE_SECONDS, App, Start, everything

UPGRADE, VERSION = "Upgrade: websocket\r\n", "Sec-WebSocket-Version: 13\r\n"
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
HANDSHAKE = f"GET /rounds/ws HTTP/1.1\r\nHost: app\r\n{UPGRADE}Connection: Upgrade\r\n{KEY}{VERSION}\r\n"
MASK = b"abcd"


class Player:
    """A raw WebSocket: frames as they are on the wire."""

    def __init__(self, app: App, more: bytes = b"") -> None:
        self.sock = app.dial(HANDSHAKE)
        self.sock.sendall(more)
        self.stream = self.sock.makefile("rb")
        self.head = b""
        while not self.head.endswith(b"\r\n\r\n"):
            self.head += self.stream.readline()

    def send(self, first: int, payload: bytes = b"") -> None:
        self.sock.sendall(masked(first, payload))

    def frame(self) -> tuple[int, bytes]:
        """Give the next frame; (0, b"") at the end."""
        head = self.stream.read(2)
        if not head:
            return 0, b""
        size = head[1] if head[1] < 126 else int.from_bytes(self.stream.read(2))
        return head[0], self.stream.read(size)

    def told(self) -> Any:
        return json.loads(self.frame()[1])

    def leave(self) -> None:
        self.stream.close()
        self.sock.close()


def masked(first: int, payload: bytes) -> bytes:
    size = len(payload)
    length = bytes((0x80 | size,)) if size < 126 else bytes((0x80 | 126,)) + size.to_bytes(2)
    return bytes((first,)) + length + MASK + bytes(b ^ MASK[i % 4] for i, b in enumerate(payload))


def until(is_so: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.01)


def open_rounds(app: App) -> int:
    return int(app.ask("GET", "/internal/rounds").body["open"])


def test_the_handshake_is_that_of_the_rfc(start: Start) -> None:
    """The key and its answer are the example of RFC 6455, 1.3."""
    player = Player(start(REVISION="r2"))
    assert player.head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in player.head
    assert b"X-Revision: r2\r\nX-Pod: pod-1\r\n" in player.head
    player.leave()


def test_opening_opens_a_round_and_a_message_is_answered_with_its_state(start: Start) -> None:
    player = Player(start())
    who = {"revision": "r1", "pod": "pod-1"}
    assert player.told() == {"round": "pod-1-1", "state": "open", "messages": 0, **who}
    player.send(0x81, b"play")
    assert player.told() == {"round": "pod-1-1", "state": "open", "messages": 1, **who}
    player.leave()


def test_closing_closes_the_round(start: Start) -> None:
    app = start()
    player = Player(app)
    player.told()
    assert open_rounds(app) == 1
    player.send(0x88, (1000).to_bytes(2))
    assert [player.frame(), player.frame()] == [(0x88, b"\x03\xe8"), (0, b"")]
    assert app.ask("GET", "/rounds/pod-1-1").body["state"] == "closed"
    assert open_rounds(app) == 0
    player.leave()


def test_a_player_who_vanishes_leaves_no_round_open(start: Start) -> None:
    app = start()
    player = Player(app)
    player.told()
    player.leave()
    until(lambda: open_rounds(app) == 0)


def test_rounds_over_http_and_over_websocket_are_counted_together(start: Start) -> None:
    app = start()
    app.ask("POST", "/rounds")
    player = Player(app)
    assert open_rounds(app) == 2
    player.leave()


def test_the_age_of_the_oldest_is_told_in_both_spellings(start: Start) -> None:
    app = start()
    player = Player(app)
    time.sleep(0.05)
    page = app.ask("GET", "/internal/rounds").body
    assert page["oldestSeconds"] == page["oldest_seconds"] >= 0.05
    player.leave()


def test_a_ping_is_answered_with_its_payload(start: Start) -> None:
    player = Player(start())
    player.told()
    player.send(0x89, b"are you there")
    assert player.frame() == (0x8A, b"are you there")
    player.leave()


def test_a_pong_that_nobody_asked_for_is_left_alone(start: Start) -> None:
    player = Player(start())
    player.told()
    player.send(0x8A, b"")
    player.send(0x81, b"play")
    assert player.told()["messages"] == 1
    player.leave()


def test_a_message_in_pieces_is_one_message(start: Start) -> None:
    player = Player(start())
    player.told()
    player.send(0x01, b"pl")
    player.send(0x89, b"")
    player.send(0x80, b"ay")
    assert player.frame()[0] == 0x8A
    assert player.told()["messages"] == 1
    player.leave()


def test_a_long_message_is_heard_whole(start: Start) -> None:
    player = Player(start())
    player.told()
    player.send(0x81, b"x" * 60_000)
    assert player.told()["messages"] == 1
    player.leave()


def test_a_frame_that_comes_byte_by_byte_is_heard(start: Start) -> None:
    player = Player(start())
    player.told()
    for byte in masked(0x81, b"play"):
        player.sock.sendall(bytes((byte,)))
        time.sleep(0.002)
    assert player.told()["messages"] == 1
    player.leave()


def test_what_comes_with_the_handshake_is_heard(start: Start) -> None:
    player = Player(start(), masked(0x81, b"play"))
    assert (player.told()["messages"], player.told()["messages"]) == (0, 1)
    player.leave()


@pytest.mark.parametrize(
    "wrong",
    [
        b"\x81\x04play",
        b"\xc1\x84abcd\0\0\0\0",
        b"\x81\xff" + bytes([255] * 8),
        masked(0x01, b"x" * 60_000) * 2,
    ],
)
def test_what_a_client_may_not_send_ends_its_round(start: Start, wrong: bytes) -> None:
    """No mask, an extension, a frame of exabytes, a message without end."""
    app = start()
    player = Player(app)
    player.told()
    player.sock.sendall(wrong)
    assert player.frame() == (0x88, (1002).to_bytes(2))
    assert open_rounds(app) == 0
    player.leave()


@pytest.mark.parametrize(
    ("without", "status"),
    [(UPGRADE, 426), (VERSION, 400), (KEY, 400)],
)
def test_what_is_no_handshake_opens_no_round(start: Start, without: str, status: int) -> None:
    app = start()
    said = HANDSHAKE.replace(without, "").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
    assert everything(app.dial(said)).startswith(f"HTTP/1.1 {status} ")
    assert open_rounds(app) == 0


def test_a_silent_player_is_told_and_left(start: Start) -> None:
    player = Player(start(KEEPALIVE_TIMEOUT="100ms"))
    player.told()
    assert [player.frame(), player.frame()] == [(0x88, (1001).to_bytes(2)), (0, b"")]
    player.leave()


def test_sigterm_cuts_a_round_by_default(start: Start) -> None:
    app = start()
    player = Player(app)
    player.told()
    app.process.terminate()
    assert player.frame() == (0, b"")
    assert app.ended() == 0
    player.leave()


def test_a_drain_stays_until_the_last_round_has_ended(start: Start) -> None:
    app = start(ON_SIGTERM="drain")
    player = Player(app)
    player.told()
    app.process.terminate()
    time.sleep(0.2)
    player.send(0x81, b"play")
    assert player.told()["state"] == "open"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", app.port))
    player.send(0x88)
    assert app.ended() == 0
    player.leave()


def test_a_page_that_lies_says_none(start: Start) -> None:
    app = start(ROUNDS_LIE="1")
    app.ask("POST", "/rounds")
    page = app.ask("GET", "/internal/rounds").body
    assert (page["open"], page["oldestSeconds"]) == (0, 0.0)


def test_a_page_that_counts_up_grows_at_each_ask(start: Start) -> None:
    app = start(ROUNDS_COUNT_UP="1")
    assert [open_rounds(app) for _ in range(3)] == [1, 2, 3]


def test_a_page_that_is_missing_is_404(start: Start) -> None:
    assert start(ROUNDS_MISSING="1").ask("GET", "/internal/rounds").status == 404


def test_a_page_that_hangs_never_answers_and_the_others_do(start: Start) -> None:
    app = start(ROUNDS_HANG="1")
    with app.dial("GET /internal/rounds HTTP/1.1\r\n\r\n") as waiting:
        assert app.ask("GET", "/healthz").status == 200
        waiting.settimeout(0.3)
        with pytest.raises(TimeoutError):
            waiting.recv(1)


def test_the_players_of_the_load_client_speak_the_same(start: Start) -> None:
    app = start()
    assert asyncio.run(_two_messages(app)) == [0, 1]


async def _two_messages(app: App) -> list[int]:
    wire = await Wire.open(Target.parse(app.url + "/rounds/ws"))
    first = json.loads(await wire.hear())["messages"]
    wire.say("play" * 100)
    second = json.loads(await wire.hear())["messages"]
    wire.close()
    return [first, second]
