"""What payments books on balances, and what its pool of connections does."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from tests.example.conftest import App, Reply, Start

DEPOSIT = {"transaction": "t1", "kind": "deposit", "player": "p1", "cents": 500}
BOOKED = b'{"booking": "booking-t", "revision": "r1"}'
ANSWER = b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n" % len(BOOKED) + BOOKED

Script = Callable[[socket.socket], object]


@contextmanager
def upstream(*scripts: Script) -> Iterator[str]:
    """Stand in for balances: each connection plays the next script and is closed; gives its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_play, args=(listener, scripts))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def _play(listener: socket.socket, scripts: tuple[Script, ...]) -> None:
    with suppress(OSError):
        for script in scripts:
            sock, _ = listener.accept()
            with sock:
                script(sock)


def answers_once(sock: socket.socket) -> None:
    sock.recv(1000)
    sock.sendall(ANSWER)


def answers_once_then_closes_on_the_next_request(sock: socket.socket) -> None:
    answers_once(sock)
    sock.recv(1000)


def closes(sock: socket.socket) -> None:
    sock.recv(1000)


def is_silent(sock: socket.socket) -> None:
    while sock.recv(1000):
        pass


def says_half(sock: socket.socket) -> None:
    sock.recv(1000)
    sock.sendall(ANSWER[:-1])


def pay(app: App, transaction: str = "t1", **more: Any) -> Reply:
    return app.ask("POST", "/payments", {**DEPOSIT, "transaction": transaction, **more})


def metric(app: App, name: str) -> list[str]:
    lines = app.ask("GET", "/metrics").text.splitlines()
    return [line.rpartition(" ")[2] for line in lines if line.startswith(f"{name}{{")]


@pytest.fixture
def payments(start: Start) -> Callable[..., App]:
    return lambda url, **env: start(SERVICE="payments", REVISION="p1", BALANCES_URL=url, **env)


@pytest.fixture
def balances(start: Start) -> App:
    return start(SERVICE="balances", REVISION="b1", HOSTNAME="balances-1")


def test_a_deposit_is_booked_on_balances(payments: Callable[..., App], balances: App) -> None:
    paid = pay(payments(balances.url))
    assert (paid.status, paid.body["payment"], paid.headers["x-revision"]) == (201, "payment-t1", "p1")
    who = {"revision": "b1", "pod": "balances-1"}
    assert paid.body["balances"] == {"booking": "booking-t1", "player": "p1", "cents": 500, **who}


def test_a_withdrawal_is_booked_with_its_sign(payments: Callable[..., App], balances: App) -> None:
    assert pay(payments(balances.url), kind="withdraw").body["balances"]["cents"] == -500


def test_a_transaction_is_paid_once(payments: Callable[..., App], balances: App) -> None:
    app = payments(balances.url)
    first, again = pay(app), pay(app, cents=9)
    assert (first.status, again.status) == (201, 200)
    assert again.body == first.body
    assert 'code="201"} 1\n' in balances.ask("GET", "/metrics").text


def test_balances_books_a_transaction_once(balances: App) -> None:
    entry = {"transaction": "t1", "player": "p1", "cents": 5}
    first, again = balances.ask("POST", "/bookings", entry), balances.ask("POST", "/bookings", entry)
    assert (first.status, again.status, again.body) == (201, 200, first.body)


@pytest.mark.parametrize("fields", [{"player": "p1", "cents": 5}, {"transaction": "t", "player": "p1"}, {}])
def test_a_booking_that_makes_no_sense_is_400(balances: App, fields: object) -> None:
    assert balances.ask("POST", "/bookings", fields).status == 400


@pytest.mark.parametrize(
    "wrong", [{"kind": "gift"}, {"cents": 0}, {"cents": "5"}, {"player": None}, {"transaction": 7}]
)
def test_a_payment_that_makes_no_sense_is_400(
    payments: Callable[..., App], balances: App, wrong: dict[str, Any]
) -> None:
    assert payments(balances.url).ask("POST", "/payments", {**DEPOSIT, **wrong}).status == 400


def test_who_has_no_balances_takes_no_payments(balances: App) -> None:
    assert pay(balances).status == 404


def test_an_address_that_is_none_is_told_at_the_start(payments: Callable[..., App]) -> None:
    _, errors = payments("balances:80").process.communicate()
    assert "BALANCES_URL=balances:80: expected http://HOST[:PORT]" in errors


def test_payments_one_after_the_other_share_one_connection(
    payments: Callable[..., App], balances: App
) -> None:
    app = payments(balances.url)
    assert {pay(app, f"t{number}").status for number in range(5)} == {201}
    assert metric(app, "upstream_connections_opened_total") == ["1"]


def test_the_pool_is_bounded_and_the_rest_waits(payments: Callable[..., App], start: Start) -> None:
    slow = start(SERVICE="balances")
    app = payments(slow.url, BALANCES_CONNECTIONS="2")
    replies: list[Reply] = []
    asking = [threading.Thread(target=lambda n=n: replies.append(pay(app, f"t{n}"))) for n in range(12)]
    for each in asking:
        each.start()
    for each in asking:
        each.join()
    assert [each.status for each in replies] == [201] * 12
    assert int(metric(app, "upstream_connections_opened_total")[0]) <= 2


def test_a_kept_connection_stays_with_the_pod_it_was_opened_to(
    payments: Callable[..., App], start: Start
) -> None:
    old = start(REVISION="b1")
    app = payments(old.url)
    pay(app, "t1")
    old.process.terminate()
    old.ended()
    start(REVISION="b2", PORT=str(old.port))
    assert pay(app, "t2").body["balances"]["revision"] == "b2"
    assert metric(app, "upstream_requests_total") == ["1", "1"]
    assert metric(app, "upstream_stale_retries_total") == ["1"]


def test_a_kept_connection_that_was_closed_is_tried_once_more(payments: Callable[..., App]) -> None:
    with upstream(answers_once_then_closes_on_the_next_request, answers_once) as url:
        app = payments(url)
        assert (pay(app, "t1").status, pay(app, "t2").status) == (201, 201)
        assert metric(app, "upstream_stale_retries_total") == ["1"]


def test_it_is_tried_exactly_once_more(payments: Callable[..., App]) -> None:
    with upstream(answers_once_then_closes_on_the_next_request, closes, answers_once) as url:
        app = payments(url)
        pay(app, "t1")
        failed = pay(app, "t2")
        assert (failed.status, pay(app, "t2").status) == (502, 201)


def test_a_new_connection_that_is_closed_is_not_tried_again(payments: Callable[..., App]) -> None:
    with upstream(closes, answers_once) as url:
        failed = pay(payments(url))
        assert failed.status == 502
        assert failed.body["error"] == "balances: Remote end closed connection without response"
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))):
            pass


def test_balances_that_is_not_there_is_a_502_with_the_reason(
    payments: Callable[..., App], balances: App
) -> None:
    balances.process.kill()
    balances.ended()
    failed = pay(payments(balances.url))
    assert (failed.status, failed.headers["x-revision"]) == (502, "p1")
    assert "Connection refused" in failed.body["error"]


def test_balances_that_fails_is_a_502_with_its_revision(payments: Callable[..., App], start: Start) -> None:
    failing = start(REVISION="bad", FAIL_RATE="1")
    app = payments(failing.url)
    failed = pay(app)
    assert (failed.status, failed.body["error"]) == (502, "balances answered 500")
    assert failed.body["balances"]["revision"] == "bad"
    assert 'upstream_revision="bad",code="500"} 1' in app.ask("GET", "/metrics").text


@pytest.mark.parametrize("script", [says_half, lambda sock: sock.sendall(b"SSH-2.0\r\n")])
def test_an_answer_that_is_none_is_a_502(payments: Callable[..., App], script: Script) -> None:
    with upstream(script) as url:
        assert pay(payments(url)).status == 502


def test_a_failed_payment_can_be_paid_again(payments: Callable[..., App], start: Start) -> None:
    app = payments(start(FAIL_RATE="0.5").url)
    assert [pay(app, "t1").status for _ in range(3)] == [201, 200, 200]
    assert [pay(app, "t2").status for _ in range(2)] == [502, 201]


def test_balances_that_is_silent_is_a_502_and_holds_up_nobody_else(payments: Callable[..., App]) -> None:
    with upstream(is_silent) as url:
        app = payments(url, BALANCES_TIMEOUT="300ms")
        with app.dial("") as waiting:
            body = json.dumps(DEPOSIT)
            waiting.sendall(f"POST /payments HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
            began = time.monotonic()
            assert app.ask("GET", "/healthz").status == 200
            assert time.monotonic() - began < 0.3
            assert waiting.recv(1000).startswith(b"HTTP/1.1 502 Bad Gateway\r\n")


def test_a_drain_waits_for_balances(payments: Callable[..., App], start: Start) -> None:
    app = payments(start().url, ON_SIGTERM="drain")
    with app.dial("") as waiting:
        app.process.send_signal(19)
        body = json.dumps(DEPOSIT)
        waiting.sendall(f"POST /payments HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        app.process.terminate()
        app.process.send_signal(18)
        assert waiting.recv(1000).startswith(b"HTTP/1.1 201 Created\r\n")
        assert app.ended() == 0
