"""Fold the measurements of one gate into a verdict."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import takewhile
from typing import Literal

from strategies.model import Verdict


class Answer(Enum):
    """One measurement's answer. An error is no failure, and unknown is no pass; inconclusive is for a person."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    UNKNOWN = "unknown"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one measurement said, and the evidence: query, sample, threshold.

    value: what was measured, where that is a number
    samples: how many observations stand behind it, where the gate can tell
    age_seconds: how old the newest of them is
    empty: it is unknown because there was nothing to measure: what `noData` is about
    """

    answer: Answer
    evidence: str
    value: float | None = None
    samples: float | None = None
    age_seconds: float | None = None
    empty: bool = False


@dataclass(frozen=True, slots=True)
class Analysis:
    """How many measurements make a verdict; the limits count what is still tolerated.

    consecutive_success_limit: so many passes in a row are an early yes; 0 is never
    no_data: what it means that there is nothing to measure
    min_samples: with fewer observations behind it a measurement is unknown, whatever it says
    max_age_seconds: and with older ones too
    """

    count: int = 1
    failure_limit: int = 0
    consecutive_error_limit: int = 4
    consecutive_success_limit: int = 0
    inconclusive_limit: int = 0
    no_data: Literal["fail", "wait", "pass"] = "wait"
    min_samples: float = 0
    max_age_seconds: float = math.inf

    def fold(self, taken: Sequence[Measurement]) -> Verdict | None:
        """Give the verdict of weighed measurements, or None while more are needed.

        With a count of 3 and a failure limit of 1: pass, fail, pass is yes; fail, fail is no at once.
        Measurements without an answer are repeated, and too many in a row are a no: unknown is not yes.
        """
        return (
            self._too_many_failed(taken)
            or self._for_a_person(taken)
            or self._silent(taken)
            or self._yes(taken)
        )

    def weigh(self, one: Measurement) -> Measurement:
        """Say what one measurement counts for: what rests on too little, or on what is too old, is unknown."""
        if one.empty:
            meant = {"fail": Answer.FAIL, "pass": Answer.PASS, "wait": Answer.UNKNOWN}[self.no_data]
            return replace(one, answer=meant, evidence=f"{one.evidence} (no data: {self.no_data})")
        if one.answer is Answer.UNKNOWN:
            return one
        why = self._thin(one) or self._old(one)
        return replace(one, answer=Answer.UNKNOWN, evidence=f"{why}: {one.evidence}") if why else one

    def _thin(self, one: Measurement) -> str:
        if not self.min_samples or (one.samples is not None and one.samples >= self.min_samples):
            return ""
        seen = "an unknown number of" if one.samples is None else f"{one.samples:g}"
        return f"{seen} samples, at least {self.min_samples:g} are needed"

    def _old(self, one: Measurement) -> str:
        if math.isinf(self.max_age_seconds):
            return ""
        if one.age_seconds is None:
            return "the age of its sample is unknown"
        if one.age_seconds < -self.max_age_seconds:
            return f"its sample is {-one.age_seconds:g}s in the future: a clock is off"
        late = one.age_seconds > self.max_age_seconds
        return f"its sample is {one.age_seconds:g}s old, at most {self.max_age_seconds:g}s" if late else ""

    def _too_many_failed(self, taken: Sequence[Measurement]) -> Verdict | None:
        failed = _those(taken, Answer.FAIL)
        if len(failed) <= self.failure_limit:
            return None
        return Verdict(passed=False, evidence=failed[-1].evidence)

    def _for_a_person(self, taken: Sequence[Measurement]) -> Verdict | None:
        doubtful = _those(taken, Answer.INCONCLUSIVE)
        if len(doubtful) <= self.inconclusive_limit:
            return None
        return Verdict(passed=False, evidence=doubtful[-1].evidence, undecided=True)

    def _silent(self, taken: Sequence[Measurement]) -> Verdict | None:
        silent = _trailing(taken, Answer.UNKNOWN)
        if len(silent) <= self.consecutive_error_limit:
            return None
        return Verdict(passed=False, evidence=f"no answer {len(silent)} times in a row: {silent[0].evidence}")

    def _yes(self, taken: Sequence[Measurement]) -> Verdict | None:
        """Say yes once enough has answered; only passes and failures count, and too many failures were a no."""
        answered = [one for one in taken if one.answer in (Answer.PASS, Answer.FAIL)]
        early = self.consecutive_success_limit
        row = _trailing(taken, Answer.PASS)
        if early and len(row) >= early and len(answered) < self.count:
            return Verdict(passed=True, evidence=f"{row[0].evidence} ({len(row)} times in a row)")
        return Verdict(passed=True, evidence=answered[-1].evidence) if len(answered) >= self.count else None


def _those(taken: Sequence[Measurement], answer: Answer) -> list[Measurement]:
    return [one for one in taken if one.answer is answer]


def _trailing(taken: Sequence[Measurement], answer: Answer) -> list[Measurement]:
    """Give those at the end that all gave this answer, the last one first."""
    return list(takewhile(lambda one: one.answer is answer, reversed(taken)))


def summary(taken: Sequence[Measurement]) -> str:
    """Write many measurements in a line: `6 measurements, 5 pass, 1 fail; value 0.001 to 0.02, last 0.002`.

    Empty where one measurement without a number says it all.
    """
    numbers = [one.value for one in taken if one.value is not None]
    behind = [one.samples for one in taken if one.samples is not None]
    if len(taken) < 2 and not numbers:
        return ""
    parts = [_counted(taken), _span("value", numbers, lambda each: each[-1]), _span("samples", behind, None)]
    return "; ".join(part for part in parts if part)


def _counted(taken: Sequence[Measurement]) -> str:
    counts = Counter(one.answer for one in taken)
    said = ", ".join(f"{counts[one]} {one.value}" for one in Answer if counts[one])
    return f"{len(taken)} measurement{'s' * (len(taken) != 1)}, {said}"


def _span(what: str, numbers: list[float], last: Callable[[list[float]], float] | None) -> str:
    """Say from where to where numbers went; one number is only that."""
    if not numbers:
        return ""
    least, most = min(numbers), max(numbers)
    if least == most or math.isnan(least + most):
        return f"{what} {numbers[-1]:g}"
    return f"{what} {least:g} to {most:g}" + (f", last {last(numbers):g}" if last else "")
