"""The whole example platform, installed with one command: what each service does, and its release under load."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter

import pytest

from tests.cluster.bed.cluster import Cluster
from tests.cluster.platform import App, Platform, grant, platform

PAY = """
import json, sys, urllib.request
for number in range(int(sys.argv[2])):
    body = {"transaction": f"{sys.argv[3]}-{number}", "kind": "deposit", "player": "p1", "cents": 100}
    told = urllib.request.urlopen(sys.argv[1], json.dumps(body).encode(), timeout=5)
    print(told.read().decode(), end="")
"""
PLAY = """
import asyncio, sys
from deployctl.sandbox.load.client import Target
from deployctl.sandbox.load.wire import Wire

async def play():
    wire = await Wire.open(Target.parse(sys.argv[1]))
    print(await wire.hear())
    wire.say("play")
    print(await wire.hear(), flush=True)
    sys.stdin.readline()
    wire.close()

asyncio.run(play())
"""
CHECK = """
import sys, grpc
with grpc.insecure_channel(sys.argv[1]) as channel:
    print(channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=5))
    print(next(channel.unary_stream("/Odds/Stream")(b"", timeout=5)).decode())
"""


@pytest.fixture(scope="module")
def igaming(cluster: Cluster, shared_namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    grant(cluster, shared_namespace)
    return platform(cluster, shared_namespace, tmp_path_factory.mktemp("platform")).installed()


@pytest.fixture
def app(igaming: Platform, request: pytest.FixtureRequest) -> App:
    return igaming.apps[request.param]


def run(app: App, program: str, *args: str) -> str:
    done = app.cluster.run([sys.executable, "-c", program, *args], timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def told(lines: str) -> list[dict]:
    return [json.loads(line) for line in lines.splitlines()]


def open_rounds(app: App) -> int:
    return sum(json.loads(app.page(pod, "/internal/rounds"))["open"] for pod in app.pods())


def upstream(app: App, name: str) -> Counter[str]:
    """Add up a metric of all pods of payments, by the revision of balances."""
    total: Counter[str] = Counter()
    for pod in app.pods():
        for line in app.page(pod, "/metrics").splitlines():
            if line.startswith(name):
                revision = line.partition('upstream_revision="')[2].partition('"')[0]
                total[revision] += int(line.rpartition(" ")[2])
    return total


def test_one_command_installs_all_and_a_second_changes_nothing(igaming: Platform) -> None:
    """But for what kubectl says of a PodDisruptionBudget: its selector is always sent whole."""
    kinds = "deployment,service,hpa,pdb"
    found = igaming.cluster.json("get", "-n", igaming.namespace, kinds)["items"]
    made = Counter(one["kind"] for one in found)
    assert made == dict.fromkeys(
        ("Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget"), 4
    )
    again = [line for line in igaming.apply().splitlines() if not line.endswith("unchanged")]
    assert {line.partition("/")[0] for line in again} <= {"poddisruptionbudget.policy"}, again


@pytest.mark.parametrize("app", ["balances", "game-sessions", "odds", "payments"], indirect=True)
def test_each_answers_at_its_service_and_is_valid(app: App) -> None:
    url = app.url("/", "http")
    fetch = (
        "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())"
    )
    assert json.loads(run(app, fetch, url))["service"] == app.name
    assert app.run("validate", str(app.spec)).returncode == 0


def test_payments_books_on_balances_through_its_pool(igaming: Platform) -> None:
    payments = igaming.apps["payments"]
    paid = told(run(payments, PAY, payments.url("/payments"), "30", "first"))
    assert {one["balances"]["booking"] for one in paid} == {f"booking-first-{n}" for n in range(30)}
    assert {one["balances"]["revision"] for one in paid} == {"r1"}
    assert upstream(payments, "upstream_requests_total") == {"r1": 30}
    opened = upstream(payments, "upstream_connections_opened_total").total()
    assert opened <= 2 * len(payments.pods()), "one after the other, so about one a pod"


def test_a_round_is_open_for_as_long_as_its_websocket(igaming: Platform) -> None:
    sessions = igaming.apps["game-sessions"]
    command = [sys.executable, "-c", PLAY, sessions.url("/rounds/ws")]
    with sessions.cluster.popen(command, stdin=-1, stdout=-1) as player:
        assert player.stdout
        assert [json.loads(player.stdout.readline())["messages"] for _ in range(2)] == [0, 1]
        assert open_rounds(sessions) == 1
        player.communicate("\n", timeout=10)
    sessions.cluster.wait(lambda: open_rounds(sessions) == 0, timeout=5, what="the end of the round")


def test_odds_is_serving_and_streams(igaming: Platform) -> None:
    odds = igaming.apps["odds"]
    health, price = run(odds, CHECK, odds.url("", "grpc").removeprefix("http://")).splitlines()
    assert health == repr(b"\x08\x01")
    assert json.loads(price)["revision"] == "r1"


def test_without_metrics_the_autoscalers_stand_still(igaming: Platform) -> None:
    scalers = igaming.cluster.json("get", "-n", igaming.namespace, "hpa")["items"]
    sizes = {
        one["metadata"]["name"]: (one["status"]["currentReplicas"], one["status"]["desiredReplicas"])
        for one in scalers
        if one["status"].get("currentReplicas")
    }
    wanted = {name: app.get("deployment")["spec"]["replicas"] for name, app in igaming.apps.items()}
    assert wanted == {"balances": 6, "game-sessions": 6, "odds": 3, "payments": 3}
    assert all(now == wanted[name] for name, (now, _) in sizes.items())


def test_a_release_of_payments_fails_no_payment(igaming: Platform) -> None:
    payments = igaming.apps["payments"]
    payments.env(REVISION="r2")
    with payments.load("/", keepalive=True, rate=60, post="payments", post_share=0.5) as load:
        done = payments.release()
    print(f"\npayments, rolling: {load.report}; {load.report.stale_retries} stale retries")
    assert (done.returncode, payments.live_revisions()) == (0, {"r2": 3}), done.stderr
    assert load.report.failed == 0, [str(one) for one in load.report.failures[:20]]
    assert payments.settings() == payments.before


def test_a_release_of_odds_moves_its_streams_and_breaks_none(igaming: Platform) -> None:
    odds = igaming.apps["odds"]
    odds.env(REVISION="r2")
    with odds.streams() as load:
        time.sleep(2)
        done = odds.release()
        time.sleep(3)
    report = load.report
    print(f"\nodds, blue-green: {report}; longest gap {report.longest_gap_seconds:.2f} s")
    assert (done.returncode, odds.live_revisions()) == (0, {"r2": 3}), done.stderr
    assert (report.broken, report.failures) == ((), ())
    assert {one.revision for one in report.moved} <= {"r1", "r2"}
    assert report.streams == 12 + len(report.moved)
    assert report.revisions["r2"].count > 0
    assert odds.settings() == odds.before


def test_a_release_of_balances_under_payments_fails_none_and_the_pool_leaves_last(igaming: Platform) -> None:
    """The pool stays with the old pods until they go, so the new ones get its requests only then."""
    payments, balances = igaming.apps["payments"], igaming.apps["balances"]
    balances.env(REVISION="b2")
    balances.strategy(keepOld="6s")
    with payments.load("/", rate=60, post="payments", post_share=1.0) as load:
        time.sleep(2)
        promoted = balances.release("--wait", "promoted")
        assert promoted.returncode == 0, promoted.stderr
        at_promotion = upstream(payments, "upstream_requests_total")
        time.sleep(1.5)
        after = upstream(payments, "upstream_requests_total") - at_promotion
        finished = balances.run("finish", "balances")
        time.sleep(2)
    in_all, retries = (
        upstream(payments, "upstream_requests_total"),
        upstream(payments, "upstream_stale_retries_total"),
    )
    print(f"\npayments while balances is released: {load.report}")
    print(
        f"balances answered payments: {dict(in_all)}; in 1.5 s after the shift {dict(after)}; {retries.total()} retries"
    )
    assert finished.returncode == 0, finished.stderr
    assert load.report.failed == 0, [str(one) for one in load.report.failures[:20]]
    assert after["r1"] > after["b2"]
    assert in_all["b2"] > 0


def test_a_release_of_the_table_service_cuts_no_round(igaming: Platform) -> None:
    """The app dies at SIGTERM; its spec says where a pod tells of its open rounds."""
    sessions = igaming.apps["game-sessions"]
    sessions.env(REVISION="r2")
    with sessions.rounds(players=12, length=10) as load:
        time.sleep(2)
        done = sessions.release()
        time.sleep(2)
    print(f"\ngame-sessions, rolling: {load.report}")
    assert (done.returncode, sessions.live_revisions()) == (0, {"r2": 6}), done.stderr
    assert load.report.cut == ()
    assert load.report.failed == 0, load.report.failures[:5]
    assert load.report.revisions["r2"].count > 0
