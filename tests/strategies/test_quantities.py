"""Durations and numbers of pods, each beside a dumb second count."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.quantities import (
    LONGEST_SECONDS,
    Amount,
    duration,
    next_target,
    seconds,
    surge_percent,
    targets,
)

REPLICAS = st.integers(1, 300)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("90s", 90.0),
        ("1h30m", 5400.0),
        ("250ms", 0.25),
        ("1.5m", 90.0),
        ("0s", 0.0),
        ("1m1s1ms", 61.001),
        (".5s", 0.5),
        ("2147483647s", 2147483647.0),
    ],
)
def test_a_duration_is_its_seconds(text, value):
    assert seconds(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "30",
        "s",
        ".s",
        "30 s",
        " 30s",
        "30s ",
        "-5s",
        "1d",
        "1.2.3s",
        "30S",
        "٣s",
        "²s",
        "1e3s",
        "30s5",
        "2147483648s",
        "9" * 400 + "s",
        "infs",
        "nans",
    ],
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="is not a duration"):
        seconds(text)


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (0, "0s"),
        (90.04, "1m30s"),
        (90.06, "1m30.1s"),
        (59.96, "1m"),
        (3600, "1h"),
        (3661.5, "1h1m1.5s"),
        (300, "5m"),
    ],
)
def test_a_span_is_written_to_a_tenth_of_a_second(span, text):
    assert duration(span) == text


@given(st.floats(0, LONGEST_SECONDS - 1))
def test_a_written_duration_reads_back(span):
    assert abs(seconds(duration(span)) - span) <= 0.0501


def outcome(text):
    try:
        return seconds(text)
    except ValueError:
        return 0


@given(st.text("0123456789.hms -", max_size=8))
def test_any_text_is_a_duration_or_refused(text):
    assert 0 <= outcome(text) <= LONGEST_SECONDS


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("3", Amount(3)),
        ("0", Amount(0)),
        ("25%", Amount(25, percent=True)),
        ("100%", Amount(100, percent=True)),
    ],
)
def test_an_amount_is_a_count_or_a_percentage(text, amount):
    assert Amount.parse(text) == amount


@pytest.mark.parametrize(
    "text", ["", "%", "-1", "+1", "1.5", "101%", "5 %", " 5", "25%%", "٣", "²", "1_0", "half"]
)
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(ValueError, match="is neither a count nor a percentage"):
        Amount.parse(text)


@given(
    st.one_of(st.builds(Amount, st.integers(0, 999)), st.builds(Amount, st.integers(0, 100), st.just(True)))
)
def test_a_written_amount_reads_back(amount):
    assert Amount.parse(str(amount)) == amount


def counted(percent, replicas):
    """Find the smallest number of pods that is at least so many hundredths of all."""
    return next(pods for pods in range(replicas + 1) if pods * 100 >= replicas * percent)


@given(st.integers(0, 100), REPLICAS)
def test_a_percentage_of_pods_is_rounded_up(percent, replicas):
    assert Amount(percent, percent=True).of(replicas) == counted(percent, replicas)


@given(st.integers(0, 400), REPLICAS)
def test_a_count_of_pods_is_at_most_all_of_them(count, replicas):
    assert Amount(count).of(replicas) == min(count, replicas)


def walked(replicas, batch):
    """Go up one pod at a time and stop where a batch is full or nothing is left."""
    return tuple(pods for pods in range(1, replicas + 1) if pods % batch == 0 or pods == replicas)


@given(REPLICAS, st.integers(1, 400))
def test_every_batch_ends_at_its_target(replicas, batch):
    assert targets(replicas, batch) == walked(replicas, batch)


@given(REPLICAS, st.integers(1, 400), st.data())
def test_the_next_target_is_the_first_one_above_what_was_reached(replicas, batch, data):
    reached = data.draw(st.integers(0, replicas - 1))
    assert next_target(replicas, batch, reached) == next(t for t in walked(replicas, batch) if t > reached)


@given(REPLICAS, st.integers(1, 400))
def test_after_the_last_target_there_is_no_further_one(replicas, batch):
    assert next_target(replicas, batch, replicas) == replicas


@given(REPLICAS, st.data())
def test_the_surge_in_percent_is_the_largest_that_stays_within_the_wanted_pods(replicas, data):
    wanted = data.draw(st.integers(0, replicas))
    within = [percent for percent in range(101) if counted(percent, replicas) <= wanted]
    assert surge_percent(replicas, wanted) == within[-1]


@given(st.integers(1, 100), st.data())
def test_up_to_a_hundred_pods_the_surge_in_percent_is_exact(replicas, data):
    wanted = data.draw(st.integers(0, replicas))
    assert counted(surge_percent(replicas, wanted), replicas) == wanted
