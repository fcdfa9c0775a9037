"""What the clients count that hold rounds and streams open."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deployctl.sandbox.load import Rounds, RoundsReport, Streams, StreamsReport, client, crowd
from deployctl.sandbox.load.rounds import Plan, Players
from deployctl.sandbox.load.wire import Wire
from tests.example.conftest import Odds, Start

StartOdds = Callable[..., Odds]


def play(url: str, *, seconds: float, length: float, players: int = 3, every: float = 0.05) -> Players:
    """Run the players here and now."""
    one = Players(Plan(client.Target.parse(url), players, length, every))
    asyncio.run(one.run(crowd.Span(seconds, None)))
    return one


def test_rounds_of_a_length_follow_one_another_and_none_is_cut(start: Start) -> None:
    app = start()
    seen = play(app.url + "/rounds/ws", seconds=1.0, length=0.2)
    assert 9 <= seen.rounds <= 15
    assert (seen.cut, seen.counts.failures) == ([], [])
    assert app.ask("GET", "/internal/rounds").body["open"] == 0


def test_each_message_is_counted_for_the_revision_that_answered(start: Start) -> None:
    seen = play(start(REVISION="r7").url + "/rounds/ws", seconds=0.5, length=10)
    assert seen.rounds == 3
    assert seen.counts.revisions["r7"].count > 9
    assert seen.counts.revisions["r7"].pods["pod-1"] == seen.counts.revisions["r7"].count


def test_a_pod_that_dies_cuts_its_rounds(start: Start) -> None:
    app = start(REVISION="r1")
    with Rounds(app.url + "/rounds/ws", players=4, length=30, every=0.1) as load:
        time.sleep(0.5)
        app.process.terminate()
        app.ended()
        time.sleep(0.5)
    report = load.report
    assert (report.rounds, len(report.cut)) == (4, 4)
    assert {(one.revision, one.pod, one.kind) for one in report.cut} == {("r1", "pod-1", "closed early")}
    assert {one.kind for one in report.failures} <= {"refused", "reset"}
    assert str(report).startswith(f"4 rounds, 4 cut, {report.failed} failed; messages: r1 ")


def test_a_close_frame_before_ours_is_a_cut(start: Start) -> None:
    seen = play(start(KEEPALIVE_TIMEOUT="100ms").url + "/rounds/ws", seconds=0.4, length=5, every=3)
    assert seen.cut[0]["detail"] == "close frame 1001"


def test_a_drain_cuts_no_round(start: Start) -> None:
    app = start(ON_SIGTERM="drain")
    with Rounds(app.url + "/rounds/ws", players=4, length=1.0, every=0.1) as load:
        time.sleep(0.5)
        app.process.terminate()
        assert app.ended() == 0
    assert (load.report.rounds, load.report.cut) == (4, ())


def test_a_round_that_is_not_opened_has_failed(start: Start) -> None:
    seen = play(start(FAIL_RATE="1").url + "/rounds/ws", seconds=0.3, length=1, players=1)
    assert (seen.rounds, seen.counts.failures[0]["detail"]) == (0, "500 from r1")


def test_an_app_that_no_longer_answers_cuts_its_round(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployctl.sandbox.load.rounds.TIMEOUT_SECONDS", 0.3)
    app = start()
    stop = threading.Timer(0.3, app.process.send_signal, (signal.SIGSTOP,))
    stop.start()
    seen = play(app.url + "/rounds/ws", seconds=1.0, length=5, players=1)
    app.process.send_signal(signal.SIGCONT)
    assert seen.cut[0]["kind"] == "timeout"


def test_a_connection_that_ends_in_the_handshake_is_closed_early() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closing = threading.Thread(target=_accept_and_close, args=(listener,))
        closing.start()
        asyncio.run(_opened_too_early(listener.getsockname()[1]))
        closing.join()


def _accept_and_close(listener: socket.socket) -> None:
    listener.accept()[0].close()


async def _opened_too_early(port: int) -> None:
    with pytest.raises((client.ClosedEarlyError, ConnectionResetError)):
        await Wire.open(client.Target("127.0.0.1", port, "/"))
    await asyncio.sleep(0.05)


def test_the_command_ends_by_itself_and_says_what_it_counted(start: Start, tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    options = ["--url", start().url + "/rounds/ws", "--players", "2", "--length", "0.2", "--seconds", "0.5"]
    command = [sys.executable, "-m", "deployctl.sandbox.load.rounds", *options, "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    report = RoundsReport.parse(out.read_text())
    assert done.stderr.startswith("sending rounds of 2 players to 127.0.0.1:")
    assert done.stdout == f"{report.rounds} rounds, 0 cut, 0 failed\n"


@pytest.mark.parametrize("name", ["rounds", "streams"])
def test_it_goes_only_where_it_hurts_nobody(name: str, tmp_path: Path) -> None:
    options = ["--url", "http://192.0.2.7/", "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-m", f"deployctl.sandbox.load.{name}", *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (
        2,
        "192.0.2.7: not a loopback address; --in-namespace allows private ones\n",
    )


def test_prices_are_counted_for_their_revision(start_odds: StartOdds) -> None:
    with Streams(start_odds(PRICE_EVERY="20ms").url, readers=3) as load:
        time.sleep(0.7)
    report = load.report
    assert (report.streams, report.moved, report.broken, report.failures) == (3, (), (), ())
    assert report.messages == report.revisions["r1"].count > 9


def test_a_stream_that_ends_in_good_order_has_moved(start_odds: StartOdds) -> None:
    odds = start_odds(PRICE_EVERY="20ms", ON_SIGTERM="drain")
    with Streams(odds.url, readers=3) as load:
        time.sleep(0.5)
        odds.app.process.terminate()
        odds.app.ended()
        start_odds(PRICE_EVERY="20ms", REVISION="r2", GRPC_PORT=str(odds.grpc_port))
        time.sleep(1.5)
    report = load.report
    assert (len(report.moved), len(report.broken)) == (3, 0)
    assert {(one.kind, one.revision) for one in report.moved} == {("OK", "r1")}
    assert set(report.revisions) == {"r1", "r2"}
    assert 0 < report.longest_gap_seconds < 5


def test_a_stream_of_a_pod_that_dies_is_broken(start_odds: StartOdds) -> None:
    odds = start_odds(PRICE_EVERY="20ms")
    with Streams(odds.url, readers=3) as load:
        time.sleep(0.5)
        odds.app.process.kill()
        time.sleep(0.5)
    report = load.report
    assert (len(report.moved), len(report.broken)) == (0, 3)
    assert {(one.kind, one.revision) for one in report.broken} == {("UNAVAILABLE", "r1")}
    assert {one.kind for one in report.failures} == {"UNAVAILABLE"}
    assert str(report).startswith(
        f"{report.streams} streams, 0 moved, 3 broken, {report.failed} failed; prices: r1 "
    )


def test_a_stream_without_a_price_has_failed(start: Start, tmp_path: Path) -> None:
    """The app speaks no gRPC."""
    with Streams(start().url, readers=1) as load:
        time.sleep(0.5)
    assert load.report.failed > 0
    assert load.report.messages == 0


def test_a_report_of_streams_is_read_from_its_document() -> None:
    text = (
        '{"streams": 1, "messages": 0, "moved": [], "broken": [], "failures": [], "revisions": {},'
        ' "longest_gap_seconds": 0.0}'
    )
    assert str(StreamsReport.parse(text)) == "1 streams, 0 moved, 0 broken, 0 failed; prices: "
