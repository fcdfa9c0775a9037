"""How many measurements make a verdict, and which."""

from __future__ import annotations

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as some

from strategies.analysis import Analysis, Answer, Measurement, summary

ANSWERS = {"+": Answer.PASS, "-": Answer.FAIL, "?": Answer.UNKNOWN, "~": Answer.INCONCLUSIVE}


def taken(text: str) -> list[Measurement]:
    return [Measurement(ANSWERS[sign], f"sample {number}") for number, sign in enumerate(text, 1)]


def folded(analysis: Analysis, text: str) -> bool | str | None:
    verdict = analysis.fold(taken(text))
    if verdict is None:
        return None
    return "a person" if verdict.undecided else verdict.passed


@pytest.mark.parametrize(
    ("measured", "passed"),
    [
        ("+++", True),
        ("+-+", True),
        ("--", False),
        ("+-", None),
        ("++", None),
        ("?+?++", True),
        ("???", False),
        ("~", "a person"),
        ("--~", False),
    ],
)
def test_three_measurements_with_one_failure_tolerated(measured, passed):
    assert folded(Analysis(count=3, failure_limit=1, consecutive_error_limit=2), measured) == passed


def test_a_no_names_the_sample_that_decided():
    assert Analysis().fold(taken("-")).evidence == "sample 1"


def test_silence_names_how_long_it_lasted():
    verdict = Analysis(consecutive_error_limit=1).fold(taken("??"))
    assert verdict.evidence == "no answer 2 times in a row: sample 2"


@pytest.mark.parametrize("measured", ["".join(signs) for signs in product("-?~", repeat=4)])
def test_without_one_pass_there_is_never_a_yes(measured):
    verdict = Analysis(count=1).fold(taken(measured))
    assert verdict is None or not verdict.passed


@pytest.mark.parametrize(
    ("measured", "passed"), [("+", None), ("++", True), ("+-+", None), ("+-++", True), ("+?+", None)]
)
def test_so_many_passes_in_a_row_are_an_early_yes(measured, passed):
    early = Analysis(count=9, failure_limit=1, consecutive_success_limit=2)
    assert folded(early, measured) is passed


@pytest.mark.parametrize(
    ("measured", "passed"), [("~", None), ("~+", None), ("~++", True), ("~~", "a person")]
)
def test_one_inconclusive_measurement_may_be_tolerated_and_counts_for_nothing(measured, passed):
    assert folded(Analysis(count=2, inconclusive_limit=1), measured) == passed


NOTHING = Measurement(Answer.UNKNOWN, "no series", empty=True)


@pytest.mark.parametrize(
    ("meaning", "answer"), [("fail", Answer.FAIL), ("wait", Answer.UNKNOWN), ("pass", Answer.PASS)]
)
def test_what_no_data_means_is_the_specs_word(meaning, answer):
    weighed = Analysis(no_data=meaning).weigh(NOTHING)
    assert (weighed.answer, weighed.evidence) == (answer, f"no series (no data: {meaning})")


@pytest.mark.parametrize("meaning", ["fail", "pass"])
def test_an_error_is_no_missing_data(meaning):
    broken = Measurement(Answer.UNKNOWN, "refused")
    assert Analysis(no_data=meaning).weigh(broken) == broken


@pytest.mark.parametrize("answer", [Answer.PASS, Answer.FAIL, Answer.INCONCLUSIVE])
@pytest.mark.parametrize(
    ("samples", "told"), [(99, "99 samples"), (0, "0 samples"), (None, "an unknown number of samples")]
)
def test_what_rests_on_too_few_samples_is_unknown_whatever_it_says(answer, samples, told):
    weighed = Analysis(min_samples=100).weigh(Measurement(answer, "0.1 %", samples=samples))
    assert weighed.answer is Answer.UNKNOWN
    assert weighed.evidence == f"{told}, at least 100 are needed: 0.1 %"


def test_enough_samples_leave_a_measurement_as_it_is():
    enough = Measurement(Answer.PASS, "fine", samples=100)
    assert Analysis(min_samples=100).weigh(enough) == enough


@pytest.mark.parametrize(
    ("age", "told"),
    [
        (31.0, "its sample is 31s old, at most 30s: fine"),
        (-31.0, "its sample is 31s in the future: a clock is off: fine"),
        (None, "the age of its sample is unknown: fine"),
    ],
)
def test_what_is_too_old_or_of_no_age_is_unknown(age, told):
    weighed = Analysis(max_age_seconds=30).weigh(Measurement(Answer.PASS, "fine", age_seconds=age))
    assert (weighed.answer, weighed.evidence) == (Answer.UNKNOWN, told)


def test_many_measurements_are_kept_in_a_line():
    numbers = ((0.001, 200), (0.02, 150), (0.002, 400))
    measured = [Measurement(Answer.PASS, "fine", value, samples) for value, samples in numbers]
    assert summary(measured) == "3 measurements, 3 pass; value 0.001 to 0.02, last 0.002; samples 150 to 400"


def test_one_measurement_without_a_number_says_it_all():
    assert summary(taken("+")) == ""


def test_numbers_that_are_none_are_told_as_they_are():
    assert summary([Measurement(Answer.UNKNOWN, "no", math.nan)]) == "1 measurement, 1 unknown; value nan"


def oracle(one: Analysis, text: str) -> bool | str | None:
    """Fold as a person would on paper: measurement after measurement, with a tally."""
    failed = doubtful = passed = silent = row = 0
    for sign in text:
        failed += sign == "-"
        doubtful += sign == "~"
        passed += sign == "+"
        silent = silent + 1 if sign == "?" else 0
        row = row + 1 if sign == "+" else 0
        if failed > one.failure_limit:
            return False
        if doubtful > one.inconclusive_limit:
            return "a person"
        if silent > one.consecutive_error_limit:
            return False
        if (one.consecutive_success_limit and row >= one.consecutive_success_limit) or (
            passed + failed >= one.count
        ):
            return True
    return None


LIMITS = some.builds(
    Analysis,
    count=some.integers(1, 6),
    failure_limit=some.just(0),
    consecutive_error_limit=some.integers(0, 4),
    consecutive_success_limit=some.integers(0, 4),
    inconclusive_limit=some.integers(0, 2),
).flatmap(
    lambda one: some.builds(
        lambda failures: Analysis(
            one.count,
            failures,
            one.consecutive_error_limit,
            one.consecutive_success_limit,
            one.inconclusive_limit,
        ),
        some.integers(0, one.count - 1),
    )
)


@given(LIMITS, some.text("+-?~", max_size=30))
def test_measured_until_there_is_a_verdict_it_is_the_one_of_a_tally_on_paper(analysis, text):
    """As the stage asks: it measures no more once there is a verdict."""
    verdicts = (folded(analysis, text[:size]) for size in range(1, len(text) + 1))
    assert next((one for one in verdicts if one is not None), None) == oracle(analysis, text)


@given(LIMITS)
def test_a_gate_ends_whatever_it_measures(analysis):
    most = analysis.count * (analysis.consecutive_error_limit + 1) * (analysis.inconclusive_limit + 1)
    for sign in "+-?~":
        assert folded(analysis, sign * most) is not None
