"""The prometheus gate against a real Prometheus that scrapes numbers which a test sets."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest

from deployctl.gates import About, Asked
from deployctl.gates.prometheus import Compare, Prometheus, Range
from deployctl.gates.templates import TEMPLATES
from strategies.analysis import Answer
from tests.objects import service
from tests.servers.prometheus import prometheus
from tests.servers.running import eventually

pytestmark = pytest.mark.gates

PODS = tuple({"metadata": {"name": f"wallet-new-{one}"}} for one in "ab")
ASKED = Asked(
    PODS,
    service(),
    lambda *_: (200, b""),
    about=About("wallet", "igaming", "old", "new"),
    timeout_seconds=3.0,
)


@pytest.fixture(scope="module")
def scraped():
    with prometheus() as one:
        yield one


@contextmanager
def told(scraped, text, seconds=0.0):
    """Have a text scraped, twice at least, and longer where a rate needs it."""
    scraped.exporter.text, scraped.exporter.down = text, False
    before = scraped.exporter.scrapes
    eventually(lambda: scraped.exporter.scrapes >= before + 3)
    time.sleep(seconds + 0.2)
    yield


@contextmanager
def counting(scraped, lines):
    """Have counters scraped that go up: `lines` is a function of the time since the beginning in seconds."""
    began, over = time.monotonic(), threading.Event()

    def tell():
        while not over.wait(0.05):
            scraped.exporter.text = lines(time.monotonic() - began)

    scraped.exporter.down = False
    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    time.sleep(2.5)
    yield
    over.set()
    teller.join()


def measured(scraped, asked=ASKED, **options):
    return Prometheus(url=scraped.url, **options).measure(asked)


def test_a_number_is_judged_by_its_bounds(scraped):
    with told(scraped, "queue_depth 7\n"):
        assert measured(scraped, query="queue_depth", max=10).answer is Answer.PASS
        one = measured(scraped, query="sum(queue_depth)", max=5)
    assert (one.answer, one.evidence) == (Answer.FAIL, "sum(queue_depth) is 7, expected at most 5")


def test_between_the_bounds_a_person_decides(scraped):
    with told(scraped, "queue_depth 7\n"):
        one = measured(scraped, query="sum(queue_depth)", max=10, unsure_above=5)
    assert (one.answer, one.value) == (Answer.INCONCLUSIVE, 7)


def test_a_renamed_metric_is_no_data(scraped):
    with told(scraped, "queue_depth_total 7\n"):
        one = measured(scraped, query="sum(queue_depth_renamed)", max=10)
    assert (one.answer, one.empty, one.evidence) == (
        Answer.UNKNOWN, True, "sum(queue_depth_renamed): no series",
    )  # fmt: skip


def test_nan_is_no_data_and_infinity_is_no_number(scraped):
    with told(scraped, "a 0\nb 1\n"):
        nan = measured(scraped, query="sum(a) / sum(a)", max=10)
        infinite = measured(scraped, query="sum(b) / sum(a)", max=10)
    assert (nan.answer, nan.empty) == (Answer.UNKNOWN, True)
    assert (infinite.answer, infinite.empty) == (Answer.UNKNOWN, False)


def test_two_rows_where_one_is_expected_are_no_answer(scraped):
    with told(scraped, 'depth{queue="a"} 1\ndepth{queue="b"} 99\n'):
        two = measured(scraped, query="sum by (queue) (depth)", max=10)
        each = measured(scraped, query="sum by (queue) (depth)", max=10, series=0)
        three = measured(scraped, query="sum by (queue) (depth)", max=100, series=3)
    assert two.answer is Answer.UNKNOWN
    assert "2 series ({queue=a}, {queue=b}), expected 1" in two.evidence
    assert (each.answer, each.value) == (Answer.FAIL, 99)
    assert three.answer is Answer.UNKNOWN


def test_an_exporter_that_went_down_is_no_data_at_once(scraped):
    """Prometheus marks what it can no longer scrape as stale; it does not go on with the last number."""
    with told(scraped, "still_here 1\n"):
        assert measured(scraped, query="sum(still_here)", min=1).answer is Answer.PASS
    scraped.exporter.down = True
    eventually(lambda: measured(scraped, query="sum(still_here)", min=1).empty, 5)
    scraped.exporter.down = False


def test_a_sample_has_an_age_by_the_clock_of_prometheus(scraped):
    past = int((time.time() - 120) * 1000)
    with told(scraped, f"slow_exporter 1 {past}\nfast_exporter 1\n"):
        old = measured(scraped, query="sum(slow_exporter)", min=1, fresh="slow_exporter")
        new = measured(scraped, query="sum(fast_exporter)", min=1, fresh="fast_exporter")
    assert 119 < old.age_seconds < 130
    assert 0 <= new.age_seconds < 2


def test_a_query_that_is_wrong_is_no_answer(scraped):
    one = measured(scraped, query="sum(", max=1)
    assert one.answer is Answer.UNKNOWN
    assert "bad_data" in one.evidence


def test_a_range_is_folded_to_its_worst(scraped):
    with told(scraped, "load 50\n", 1.0), told(scraped, "load 1\n"):
        window = Range(last_seconds=5, step_seconds=0.5, fold="max")
        assert measured(scraped, query="sum(load)", max=10).answer is Answer.PASS
        worst = measured(scraped, query="sum(load)", max=10, range=window)
    assert (worst.answer, worst.value) == (Answer.FAIL, 50)


def requests(bad_share, name="http_requests_total", label="status", more=""):
    """Count 100 requests a second of each pod, so many of them bad."""

    def lines(seconds):
        total = 100 * seconds
        return "".join(
            f'{name}{{pod="{pod["metadata"]["name"]}",{label}="{code}"{more}}} {total * share}\n'
            for pod in PODS
            for code, share in (("200", 1 - bad_share), ("500", bad_share))
            if share
        )

    return lines


@pytest.mark.parametrize(("bad", "answer"), [(0.0, Answer.PASS), (0.2, Answer.FAIL)])
def test_the_success_rate_of_the_new_pods(scraped, bad, answer):
    """Also where no request has failed yet, and so no series of failures is there."""
    with counting(scraped, requests(bad)):
        one = measured(scraped, template="success-rate", window_seconds=2)
    assert one.answer is answer, one
    assert one.value == pytest.approx(1 - bad, abs=0.02)
    assert one.samples > 100
    assert one.age_seconds < 2


@pytest.mark.parametrize(
    ("template", "metric", "label", "more"),
    [
        ("success-rate-istio", "istio_requests_total", "response_code", ',reporter="destination"'),
        ("success-rate-nginx", "nginx_ingress_controller_requests", "status",
         ',exported_namespace="igaming",exported_service="wallet"'),
        ("success-rate-traefik", "traefik_service_requests_total", "code", ',service="igaming-wallet-80@kubernetes"'),
    ],
)  # fmt: skip
def test_the_success_rate_where_others_count(scraped, template, metric, label, more):
    with counting(scraped, requests(0.2, metric, label, more)):
        one = measured(scraped, template=template, window_seconds=2)
    assert (one.answer, one.value) == (Answer.FAIL, pytest.approx(0.8, abs=0.02))


def durations(metric, more, unit=1.0):
    """Count requests of which nine in ten take a tenth of a second, and the rest nearly one."""

    def lines(seconds):
        total = 100 * seconds
        buckets = ((0.1, 0.9), (0.2, 0.9), (0.5, 0.9), (1.0, 1.0))
        text = "".join(
            f'{metric}_bucket{{{more},le="{bound * unit:g}"}} {total * share}\n' for bound, share in buckets
        )
        return f'{text}{metric}_bucket{{{more},le="+Inf"}} {total}\n{metric}_count{{{more}}} {total}\n'

    return lines


@pytest.mark.parametrize(
    ("template", "metric", "more", "unit"),
    [
        ("latency", "http_request_duration_seconds", 'pod="wallet-new-a"', 1),
        ("latency-istio", "istio_request_duration_milliseconds", 'pod="wallet-new-a",reporter="destination"', 1000),
        ("latency-nginx", "nginx_ingress_controller_request_duration_seconds",
         'exported_namespace="igaming",exported_service="wallet"', 1),
        ("latency-traefik", "traefik_service_request_duration_seconds", 'service="igaming-wallet-80@kubernetes"', 1),
    ],
)  # fmt: skip
def test_a_latency_is_the_quantile_of_a_histogram(scraped, template, metric, more, unit):
    with counting(scraped, durations(metric, more, unit)):
        slow = measured(scraped, template=template, window_seconds=2)
        median = measured(scraped, template=template, window_seconds=2, using={"quantile": "0.5"})
    assert slow.answer is Answer.FAIL, slow
    assert 0.5 * unit < slow.value <= 1.0 * unit
    assert median.answer is Answer.PASS, median


MONEY = {
    "debit-without-credit": ("wallet_debits_unanswered", 0, 3),
    "settlement-lag": ("settlement_oldest_unsettled_seconds", 4, 90),
    "queue-age": ("queue_oldest_message_age_seconds", 0.3, 9),
}


@pytest.mark.parametrize("template", MONEY)
def test_what_is_waiting_for_money(scraped, template):
    metric, well, ill = MONEY[template]
    with told(scraped, f'{metric}{{app="wallet"}} {well}\n'):
        assert measured(scraped, template=template).answer is Answer.PASS
    with told(scraped, f'{metric}{{app="wallet"}} {ill}\n'):
        assert measured(scraped, template=template).answer is Answer.FAIL


def test_the_oldest_price_decides(scraped):
    def prices(age):
        return "".join(
            f'odds_updated_timestamp_seconds{{app="wallet",market="{market}"}} {time.time() - each}\n'
            for market, each in (("a", 0), ("b", age))
        )

    with told(scraped, prices(1)):
        assert measured(scraped, template="odds-staleness").answer is Answer.PASS
    with told(scraped, prices(60)):
        assert measured(scraped, template="odds-staleness").answer is Answer.FAIL


@pytest.mark.parametrize(
    ("template", "part", "whole", "share", "answer"),
    [
        ("bet-acceptance", "bets_accepted_total", "bets_placed_total", 0.99, Answer.PASS),
        ("bet-acceptance", "bets_accepted_total", "bets_placed_total", 0.6, Answer.FAIL),
        ("wallet-rollbacks", "wallet_rollbacks_total", "wallet_debits_total", 0.2, Answer.FAIL),
        ("wallet-rollbacks", "no_rollback_yet", "wallet_debits_total", 0, Answer.PASS),
    ],
)
def test_the_share_of_bets_and_of_rollbacks(scraped, template, part, whole, share, answer):
    def lines(seconds):
        return f'{whole}{{app="wallet"}} {50 * seconds}\n{part}{{app="wallet"}} {50 * seconds * share}\n'

    with counting(scraped, lines):
        one = measured(scraped, template=template, window_seconds=2)
    assert one.answer is answer, one
    assert one.samples > 10


def test_every_template_is_a_query_that_prometheus_takes(scraped):
    for name in TEMPLATES:
        one = measured(scraped, template=name)
        assert one.answer is not Answer.UNKNOWN or one.empty, (name, one)


COMPARED = Compare(
    bad='sum(increase(http_requests_total{pod=~".+-${revision}-.+",status="500"}[${window}]))',
    all='sum(increase(http_requests_total{pod=~".+-${revision}-.+"}[${window}]))',
    max_difference=0.02,
)


def two_sides(preview, stable, rate=300):
    def lines(seconds):
        return "".join(
            f'http_requests_total{{pod="wallet-{side}-x",status="{code}"}} {rate * seconds * share}\n'
            for side, bad in (("new", preview), ("old", stable))
            for code, share in (("200", 1 - bad), ("500", bad))
        )

    return lines


@pytest.mark.parametrize(
    ("preview", "stable", "rate", "answer"),
    [
        (0.05, 0.05, 3000, Answer.PASS),
        (0.3, 0.05, 300, Answer.FAIL),
        (0.0, 0.0, 2, Answer.UNKNOWN),
    ],
)
def test_the_preview_is_compared_with_stable(scraped, preview, stable, rate, answer):
    with counting(scraped, two_sides(preview, stable, rate)):
        one = measured(scraped, compare=COMPARED, window_seconds=2)
    assert one.answer is answer, one


def test_a_side_without_traffic_is_no_data(scraped):
    asked = replace(ASKED, about=About("wallet", "igaming", "old", "never"))
    with counting(scraped, two_sides(0.0, 0.0)):
        one = measured(scraped, asked, compare=COMPARED, window_seconds=2)
    assert (one.answer, one.empty) == (Answer.UNKNOWN, True)


def test_a_prometheus_that_holds_its_connections_and_says_nothing_is_no_answer_in_time(scraped):
    scraped.server.freeze()
    try:
        began = time.monotonic()
        one = measured(scraped, replace(ASKED, timeout_seconds=0.5), query="up", min=1)
        assert (one.answer, time.monotonic() - began < 2) == (Answer.UNKNOWN, True)
    finally:
        scraped.server.thaw()
