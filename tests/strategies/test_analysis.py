"""How many measurements make a verdict, and which."""

from __future__ import annotations

from itertools import product

import pytest

from strategies.analysis import Analysis, Answer, Measurement

ANSWERS = {"+": Answer.PASS, "-": Answer.FAIL, "?": Answer.UNKNOWN}


def taken(text: str) -> list[Measurement]:
    return [Measurement(ANSWERS[sign], f"sample {number}") for number, sign in enumerate(text, 1)]


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
    ],
)
def test_three_measurements_with_one_failure_tolerated(measured, passed):
    verdict = Analysis(count=3, failure_limit=1, consecutive_error_limit=2).fold(taken(measured))
    assert (verdict.passed if verdict else None) is passed


def test_a_no_names_the_sample_that_decided():
    assert Analysis().fold(taken("-")).evidence == "sample 1"


def test_silence_names_how_long_it_lasted():
    verdict = Analysis(consecutive_error_limit=1).fold(taken("??"))
    assert verdict.evidence == "no answer 2 times in a row: sample 2"


@pytest.mark.parametrize("measured", ["".join(signs) for signs in product("-?", repeat=4)])
def test_without_one_pass_there_is_never_a_yes(measured):
    verdict = Analysis(count=1).fold(taken(measured))
    assert verdict is None or not verdict.passed
