"""What the example app does for each switch, connection and signal."""

from __future__ import annotations

import signal
import socket
import time

import pytest

from tests.example.conftest import PATIENCE_SECONDS, Start, everything, reply

GET = "GET /balances/canary HTTP/1.1\r\nHost: app\r\n\r\n"
GET_AND_CLOSE = "GET /balances/canary HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n"
HELD = "GET /balances/canary?hold_ms=300 HTTP/1.1\r\nHost: app\r\n\r\n"
HELD_LONG = HELD.replace("300", "60000")


def test_every_answer_says_its_revision_and_pod(start: Start) -> None:
    answer = start(REVISION="r2", SERVICE="balances").ask("GET", "/")
    assert answer.body == {"service": "balances", "revision": "r2", "pod": "pod-1"}
    assert (answer.headers["x-revision"], answer.headers["x-pod"]) == ("r2", "pod-1")


def test_a_failing_answer_says_its_revision_too(start: Start) -> None:
    answer = start(FAIL_RATE="1").ask("GET", "/balances/canary")
    assert (answer.status, answer.headers["x-revision"], answer.body["pod"]) == (500, "r1", "pod-1")


def test_a_balance_is_the_same_in_every_pod(start: Start) -> None:
    assert start().ask("GET", "/balances/canary").body["balance"] == 48232


def test_a_path_that_is_not_there_is_404(start: Start) -> None:
    assert start().ask("GET", "/wallets/canary").status == 404


def test_it_is_ready_at_once_by_default(start: Start) -> None:
    assert start().ask("GET", "/readyz").status == 200


def test_it_is_alive_but_not_ready_until_it_has_warmed_up(start: Start) -> None:
    app = start(READY_AFTER="500ms")
    assert app.ask("GET", "/readyz").status == 503
    assert app.ask("GET", "/healthz").status == 200
    time.sleep(0.5)
    assert app.ask("GET", "/readyz").status == 200


def test_it_can_stay_unready_for_ever(start: Start) -> None:
    assert start(NEVER_READY="1").ask("GET", "/readyz").status == 503


def test_failures_are_spread_evenly_over_domain_requests(start: Start) -> None:
    app = start(FAIL_RATE="0.4")
    assert [app.ask("GET", "/balances/canary").status for _ in range(5)] == [200, 200, 500, 200, 500]


def test_probes_do_not_fail_with_the_domain(start: Start) -> None:
    app = start(FAIL_RATE="1")
    assert app.ask("GET", "/healthz").status == 200
    assert app.ask("GET", "/internal/rounds").status == 200


def test_healthz_answers_what_it_is_told(start: Start) -> None:
    assert start(HEALTHZ_STATUS="503").ask("GET", "/healthz").status == 503


def test_a_crash_at_once_leaves_a_line_on_stderr(start: Start) -> None:
    process = start(CRASH_AFTER="0s").process
    _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, errors) == (1, "crashing as CRASH_AFTER asks\n")


def test_it_serves_until_it_crashes(start: Start) -> None:
    app = start(CRASH_AFTER="500ms")
    assert app.ask("GET", "/healthz").status == 200
    assert app.ended() == 1


def test_a_round_is_open_until_it_is_closed(start: Start) -> None:
    app = start()
    opened = app.ask("POST", "/rounds")
    assert (opened.status, opened.body["round"]) == (201, "pod-1-1")
    assert app.ask("GET", "/rounds/pod-1-1").body["state"] == "open"
    assert app.ask("GET", "/internal/rounds").body["open"] == 1
    assert app.ask("POST", "/rounds/pod-1-1/close").body["state"] == "closed"
    assert app.ask("GET", "/rounds/pod-1-1").body["state"] == "closed"
    assert app.ask("GET", "/internal/rounds").body["open"] == 0


def test_the_age_of_the_oldest_open_round_is_told(start: Start) -> None:
    app = start()
    app.ask("POST", "/rounds")
    time.sleep(0.05)
    app.ask("POST", "/rounds")
    assert 0.05 <= app.ask("GET", "/internal/rounds").body["oldest_seconds"] < PATIENCE_SECONDS


def test_closing_a_round_twice_is_closing_it_once(start: Start) -> None:
    app = start()
    app.ask("POST", "/rounds")
    app.ask("POST", "/rounds/pod-1-1/close")
    assert app.ask("POST", "/rounds/pod-1-1/close").status == 200


def test_a_round_of_another_pod_is_404(start: Start) -> None:
    assert start().ask("POST", "/rounds/pod-2-1/close").status == 404


def test_a_bet_is_placed_once_for_a_transaction(start: Start) -> None:
    app = start()
    first = app.ask("POST", "/bets", {"player": "p1", "stake": 5, "transaction": "t1"})
    again = app.ask("POST", "/bets", {"player": "p1", "stake": 9, "transaction": "t1"})
    assert (first.status, again.status) == (201, 200)
    assert first.body["bet"] == again.body["bet"] == "bet-t1"
    assert again.body["stake"] == 5


def test_a_closed_round_takes_no_bet(start: Start) -> None:
    app = start()
    app.ask("POST", "/rounds")
    app.ask("POST", "/rounds/pod-1-1/close")
    assert app.ask("POST", "/bets", {"player": "p1", "stake": 5, "round": "pod-1-1"}).status == 409


@pytest.mark.parametrize(
    "fields",
    [{"player": "p1"}, {"stake": 5}, {"player": "p1", "stake": 0}, {"player": 1, "stake": 5}, [], "p1"],
)
def test_a_bet_that_makes_no_sense_is_400(start: Start, fields: object) -> None:
    assert start().ask("POST", "/bets", fields).status == 400


def test_metrics_count_domain_requests_by_code(start: Start) -> None:
    app = start(FAIL_RATE="0.5", SERVICE="balances")
    app.ask("GET", "/balances/p1")
    app.ask("GET", "/balances/p1")
    app.ask("GET", "/healthz")
    text = app.ask("GET", "/metrics").text
    assert 'requests_total{service="balances",revision="r1",code="200"} 1\n' in text
    assert 'requests_total{service="balances",revision="r1",code="500"} 1\n' in text
    assert 'request_duration_seconds_bucket{service="balances",revision="r1",le="+Inf"} 2\n' in text


def test_metrics_tell_open_rounds_and_what_is_in_flight(start: Start) -> None:
    app = start()
    app.ask("POST", "/rounds")
    with app.dial(HELD_LONG):
        text = app.ask("GET", "/metrics").text
    assert 'open_rounds{service="igaming",revision="r1"} 1\n' in text
    assert 'requests_in_flight{service="igaming",revision="r1"} 1\n' in text


def test_a_connection_carries_many_requests(start: Start) -> None:
    connection = start().connect()
    connection.request("GET", "/balances/p1")
    assert reply(connection.getresponse()).headers["connection"] == "keep-alive"
    first = connection.sock
    connection.request("GET", "/balances/p1")
    assert reply(connection.getresponse()).status == 200
    assert connection.sock is first
    connection.close()


def test_requests_sent_at_once_are_answered_in_their_order(start: Start) -> None:
    told = everything(start().dial(HELD + GET + GET_AND_CLOSE))
    assert told.count("HTTP/1.1 200 OK") == 3
    assert told.count("Connection: keep-alive") == 2
    assert told.endswith("}\n")


def test_a_request_may_come_in_pieces(start: Start) -> None:
    sock = start().dial("POST /bets HTTP/1.1\r\nConnection: close\r\nContent-")
    time.sleep(0.02)
    sock.sendall(b'Length: 26\r\n\r\n{"player": "p1", ')
    time.sleep(0.02)
    sock.sendall(b'"stake":5}')
    assert everything(sock).startswith("HTTP/1.1 400")


def test_a_body_may_come_in_chunks_and_these_in_pieces(start: Start) -> None:
    bet = '{"player": "p1", "stake": 5}'
    sock = start().dial("POST /bets HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;of=two\r\n" + bet[:5])
    time.sleep(0.02)
    sock.sendall(f"\r\n{len(bet) - 5:X}\r\n{bet[5:]}\r\n0\r\n".encode())
    time.sleep(0.02)
    sock.sendall(b"\r\nGET / HTTP/1.1\r\nConnection: close\r\n\r\n")
    told = everything(sock)
    assert told.startswith("HTTP/1.1 201")
    assert told.count("HTTP/1.1 200") == 1


def test_http_1_0_closes_after_its_answer(start: Start) -> None:
    assert "Connection: close" in everything(start().dial("GET / HTTP/1.0\r\n\r\n"))


@pytest.mark.parametrize(
    "request_text",
    [
        "nonsense\r\n\r\n",
        "POST /bets HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        "POST /bets HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
        "POST /bets HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST /bets HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\n",
        "POST /bets HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabcd",
        "POST /bets HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        "GET /?hold_ms=soon HTTP/1.1\r\n\r\n",
    ],
)
def test_a_malformed_request_is_400_and_ends_its_connection(start: Start, request_text: str) -> None:
    assert everything(start().dial(request_text)).startswith("HTTP/1.1 400")


def test_an_idle_connection_is_closed_after_the_keepalive_timeout(start: Start) -> None:
    began = time.monotonic()
    told = everything(start(KEEPALIVE_TIMEOUT="100ms").dial(GET))
    assert "Connection: keep-alive" in told
    assert time.monotonic() - began >= 0.1


def test_no_keepalive_closes_after_each_answer(start: Start) -> None:
    assert "Connection: close" in everything(start(KEEPALIVE_TIMEOUT="0s").dial(GET))


def test_a_held_answer_holds_up_nobody_else(start: Start) -> None:
    app = start()
    with app.dial(HELD_LONG) as held:
        assert app.ask("GET", "/balances/p1").status == 200
        held.setblocking(False)
        with pytest.raises(BlockingIOError):
            held.recv(1)


def test_a_held_answer_comes_when_it_is_due(start: Start) -> None:
    app = start()
    began = time.monotonic()
    assert app.ask("GET", "/balances/p1?hold_ms=50").status == 200
    assert time.monotonic() - began >= 0.05


def test_a_client_that_leaves_costs_nothing(start: Start) -> None:
    app = start()
    app.dial(HELD).close()
    assert app.ask("GET", "/balances/p1").status == 200


def test_a_burst_of_500_connections_is_served_whole(start: Start) -> None:
    app = start()
    app.process.send_signal(signal.SIGSTOP)
    socks = [app.dial(GET_AND_CLOSE) for _ in range(500)]
    app.process.send_signal(signal.SIGCONT)
    assert {everything(sock)[:15] for sock in socks} == {"HTTP/1.1 200 OK"}


def test_sigterm_ends_it_at_once_by_default(start: Start) -> None:
    app = start()
    with app.dial(HELD_LONG) as held:
        app.ask("GET", "/healthz")
        app.process.terminate()
        assert app.ended() == 0
        assert held.recv(1) == b""


def test_a_drain_finishes_what_was_asked(start: Start) -> None:
    app = start(ON_SIGTERM="drain")
    held = app.dial(HELD)
    app.ask("GET", "/healthz")
    app.process.terminate()
    assert everything(held).startswith("HTTP/1.1 200 OK")
    assert app.ended() == 0


def test_a_drain_accepts_nothing_more(start: Start) -> None:
    app = start(ON_SIGTERM="drain")
    with app.dial(HELD), app.dial(GET) as idle:
        idle.recv(1000)
        app.process.terminate()
        while idle.recv(1000):
            pass
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", app.port))


def test_a_drain_answers_what_is_still_in_the_backlog(start: Start) -> None:
    app = start(ON_SIGTERM="drain")
    app.process.send_signal(signal.SIGSTOP)
    waiting = app.dial(GET)
    app.process.terminate()
    app.process.send_signal(signal.SIGCONT)
    assert everything(waiting).startswith("HTTP/1.1 200 OK")
    assert app.ended() == 0
