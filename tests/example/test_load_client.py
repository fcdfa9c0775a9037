"""What the load client counts, and that it keeps its rate."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from deployctl.sandbox.load import CLIENT, Load, Report, client
from tests.example.conftest import Start

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Revision: r1\r\nX-Pod: pod-1\r\n\r\n{}"
LINGER_NOT = struct.pack("ii", 1, 0)

Script = Callable[[socket.socket], object]


@contextmanager
def serving(script: Script) -> Iterator[str]:
    """A server that plays this script on each connection and closes it; gives its URL."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        thread = threading.Thread(target=_accept, args=(listener, script))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def _accept(listener: socket.socket, script: Script) -> None:
    with suppress(OSError):
        while True:
            sock, _ = listener.accept()
            with sock:
                script(sock)


def resets(sock: socket.socket) -> None:
    sock.recv(1000)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)


def answers_half(sock: socket.socket) -> None:
    sock.recv(1000)
    sock.sendall(ANSWER[:-1])


def speaks_another_protocol(sock: socket.socket) -> None:
    sock.recv(1000)
    sock.sendall(b"SSH-2.0\r\n\r\n")


def answers_once_then_closes_on_the_next_request(sock: socket.socket) -> None:
    sock.recv(1000)
    sock.sendall(ANSWER)
    sock.recv(1000)


def answers_once_then_half_of_the_next(sock: socket.socket) -> None:
    answers_once_then_closes_on_the_next_request(sock)
    sock.sendall(ANSWER[:20])


def free_port_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"


def load(
    url: str, *, rate: float = 200.0, seconds: float = 0.1, keepalive: bool = False, post_share: float = 0.0
) -> Report:
    """Run the client here and now."""
    plan = client.Plan(client.Target.parse(url), rate, seconds, keepalive, post_share, None)
    document = asyncio.run(_run(plan))
    return Report.parse(json.dumps(document))


async def _run(plan: client.Plan) -> dict[str, Any]:
    return await client.Client(plan).run()


def kinds(report: Report) -> list[str]:
    return [failure.kind for failure in report.failures]


def requests_of(app_metrics: str) -> int:
    """Read how many domain requests an app has answered."""
    totals = [line for line in app_metrics.splitlines() if line.startswith("requests_total{")]
    return sum(int(line.rpartition(" ")[2]) for line in totals)


@pytest.mark.parametrize("keepalive", [False, True])
def test_it_sends_exactly_rate_times_seconds(start: Start, keepalive: bool) -> None:
    app = start()
    report = load(app.url + "/balances/{player}", rate=400, seconds=0.25, keepalive=keepalive, post_share=0.1)
    assert (report.requests, report.failed, report.answers("r1")) == (100, 0, 100)
    assert requests_of(app.ask("GET", "/metrics").text) == 100
    assert report.revisions["r1"].pods == {"pod-1": 100}


def test_its_share_of_bets_is_exact(start: Start) -> None:
    app = start()
    load(app.url + "/balances/p1", rate=400, seconds=0.1, post_share=0.1)
    assert 'code="201"} 4\n' in app.ask("GET", "/metrics").text


def test_a_slow_server_does_not_slow_it_down(start: Start) -> None:
    report = load(start().url + "/balances/p1?hold_ms=300", rate=200, seconds=0.5)
    assert (report.requests, report.failed) == (100, 0)
    assert report.revisions["r1"].last_seconds < 3
    assert report.latency_ms["p50"] >= 300
    assert sum(report.took_ms.values()) == 100
    assert min(report.took_ms) >= 300


def test_latency_counts_from_the_moment_a_request_was_due(start: Start) -> None:
    app = start()
    app.process.send_signal(signal.SIGSTOP)
    wake = threading.Timer(0.3, app.process.send_signal, (signal.SIGCONT,))
    wake.start()
    report = load(app.url + "/balances/p1", rate=100, seconds=0.3)
    wake.join()
    assert (report.requests, report.failed) == (30, 0)
    assert report.latency_ms["max"] >= 250


def test_an_app_killed_midway_fails_every_request_from_then_on(start: Start) -> None:
    app = start()
    with Load(app.url + "/balances/p1", rate=200, seconds=0.6) as running:
        time.sleep(0.2)
        killed_at = time.time()
        app.process.kill()
        app.process.wait()
        time.sleep(0.5)
    report = running.report
    assert report.requests == 120
    assert report.answers("r1") + report.failed == 120
    assert set(kinds(report)) <= {"refused", "reset", "closed early"}
    assert 0 < report.failed < 120
    assert min(failure.at for failure in report.failures) >= killed_at - 0.01
    assert report.last_answer("r1") < killed_at + 0.25


def test_which_revision_answered_when_is_told(start: Start) -> None:
    old = start(REVISION="r1")
    with Load(old.url + "/balances/p1", rate=200) as running:
        time.sleep(0.1)
        old.process.terminate()
        old.ended()
        start(REVISION="r2", PORT=str(old.port))
        time.sleep(0.1)
    report = running.report
    assert report.last_answer("r1") < report.first_answer("r2")
    assert report.answers("r1") + report.answers("r2") + report.failed == report.requests
    assert report.answers("r3") == 0


def test_a_server_that_resets_fails_each_request() -> None:
    with serving(resets) as url:
        report = load(url)
    assert kinds(report) == ["reset"] * 20


def test_a_port_that_nobody_listens_on_is_refused() -> None:
    report = load(free_port_url())
    assert kinds(report) == ["refused"] * 20


def test_half_an_answer_is_closed_early() -> None:
    with serving(answers_half) as url:
        report = load(url)
    assert kinds(report) == ["closed early"] * 20


def test_no_answer_is_a_timeout(monkeypatch: pytest.MonkeyPatch, start: Start) -> None:
    monkeypatch.setattr(client, "TIMEOUT_SECONDS", 0.05)
    report = load(start().url + "/?hold_ms=5000")
    assert kinds(report) == ["timeout"] * 20


def test_an_answer_that_is_not_http_is_malformed() -> None:
    with serving(speaks_another_protocol) as url:
        report = load(url)
    assert kinds(report) == ["malformed"] * 20


def test_a_500_fails_and_still_tells_its_revision(start: Start) -> None:
    report = load(start(FAIL_RATE="0.25").url + "/balances/p1")
    assert kinds(report) == ["status"] * 5
    assert report.failures[0].detail == "500 from r1"
    assert report.answers("r1") == 20


def test_a_404_is_not_taken_for_an_answer(start: Start) -> None:
    assert load(start().url + "/balance").failed == 20


def test_a_pooled_connection_closed_under_a_get_is_tried_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "POOL_SIZE", 1)
    with serving(answers_once_then_closes_on_the_next_request) as url:
        report = load(url, rate=50, keepalive=True)
    assert (report.requests, report.failed, report.stale_retries) == (5, 0, 4)


def test_a_pooled_connection_closed_within_an_answer_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "POOL_SIZE", 1)
    with serving(answers_once_then_half_of_the_next) as url:
        report = load(url, rate=50, keepalive=True)
    assert (kinds(report), report.stale_retries) == (["closed early"] * 2, 0)


def test_a_new_connection_closed_under_a_get_is_not_tried_again() -> None:
    with serving(resets) as url:
        report = load(url, keepalive=True)
    assert (report.failed, report.stale_retries) == (20, 0)


def test_a_bet_is_never_sent_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "POOL_SIZE", 1)
    with serving(resets) as url:
        report = load(url, keepalive=True, post_share=1.0)
    assert (report.failed, report.stale_retries) == (20, 0)


def test_an_idle_connection_seen_closed_is_left_alone(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "POOL_SIZE", 1)
    report = load(start(KEEPALIVE_TIMEOUT="5ms").url + "/", rate=25, seconds=0.2, keepalive=True)
    assert (report.requests, report.failed, report.stale_retries) == (5, 0, 0)


def test_the_pool_spreads_over_its_connections(start: Start) -> None:
    target = client.Target.parse(start().url + "/")
    document = asyncio.run(_run(client.Plan(target, 400.0, 0.1, True, 0.0, None)))
    assert document["connections_opened"] >= client.POOL_SIZE  # more where all were busy


def test_sigterm_ends_it_with_its_report(start: Start, tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    command = [sys.executable, str(CLIENT), "--url", start().url, "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        assert process.stderr.readline().startswith("sending 150 requests/s to 127.0.0.1:")
        time.sleep(0.05)
        process.terminate()
        told, _ = process.communicate()
    report = Report.parse(out.read_text())
    assert told == f"{report.requests} requests, 0 failed\n"
    assert report.answers("r1") == report.requests > 0


def test_a_load_runs_through_the_popen_it_is_given(start: Start) -> None:
    commands = []

    def popen(command: list[str], **options: Any) -> subprocess.Popen[str]:
        commands.append(command)
        return subprocess.Popen(command, **options)

    with Load(start().url, popen=popen, keepalive=True) as running:
        pass
    assert commands[0][:2] == [sys.executable, str(CLIENT)]
    assert running.report.failed == 0


def test_a_load_that_cannot_start_says_why() -> None:
    with pytest.raises(RuntimeError, match="expected an IP address"):
        Load("http://localhost/").__enter__()


@pytest.mark.parametrize(
    ("networks", "own"),
    [
        ({"self": "net:[2]", "1": "net:[1]"}, True),
        ({"self": "net:[1]", "1": "net:[1]", "parent": "net:[2]"}, False),
        ({"self": "net:[2]", "parent": "net:[1]"}, True),
        ({"self": "net:[1]", "parent": "net:[1]"}, False),
        ({"self": "net:[1]"}, False),
        ({}, False),
    ],
)
def test_a_network_of_its_own_is_not_that_of_process_1_or_else_of_the_parent(
    monkeypatch: pytest.MonkeyPatch, networks: dict[str, str], own: bool
) -> None:
    monkeypatch.setattr("os.getppid", lambda: "parent")
    monkeypatch.setattr(client, "network", networks.get)
    assert client.has_own_network() is own


@pytest.mark.parametrize(
    ("host", "in_namespace", "own_network", "problem"),
    [
        ("127.0.0.1", False, False, None),
        ("10.96.0.7", True, True, None),
        ("10.96.0.7", False, True, "10.96.0.7: not a loopback address; --in-namespace allows private ones"),
        ("10.96.0.7", True, False, "--in-namespace: this process shares the network of the machine"),
        ("8.8.8.8", True, True, "8.8.8.8: not a private address"),
        ("169.254.169.254", True, True, "169.254.169.254: not a private address"),
        ("example.com", True, True, "example.com: expected an IP address, not a name"),
    ],
)
def test_load_goes_only_where_it_hurts_nobody(
    host: str, in_namespace: bool, own_network: bool, problem: str | None
) -> None:
    assert client.refusal(host, in_namespace=in_namespace, has_own_network=own_network) == problem
