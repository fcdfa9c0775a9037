"""Fold the measurements of one gate into a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import takewhile

from strategies.model import Verdict


class Answer(Enum):
    """One measurement's answer. An error is no failure, and unknown is no pass."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one measurement said, and the evidence: query, sample, threshold."""

    answer: Answer
    evidence: str


@dataclass(frozen=True, slots=True)
class Analysis:
    """How many measurements make a verdict; the limits count what is still tolerated."""

    count: int = 1
    failure_limit: int = 0
    consecutive_error_limit: int = 4

    def fold(self, taken: Sequence[Measurement]) -> Verdict | None:
        """Give the verdict, or None while more measurements are needed.

        With a count of 3 and a failure limit of 1: pass, fail, pass is yes; fail, fail is no at once.
        Measurements without an answer are repeated, and too many in a row are a no: unknown is not yes.
        """
        failed = [one for one in taken if one.answer is Answer.FAIL]
        if len(failed) > self.failure_limit:
            return Verdict(passed=False, evidence=failed[-1].evidence)
        silent = list(takewhile(lambda one: one.answer is Answer.UNKNOWN, reversed(taken)))
        if len(silent) > self.consecutive_error_limit:
            return Verdict(
                passed=False, evidence=f"no answer {len(silent)} times in a row: {silent[0].evidence}"
            )
        answered = [one for one in taken if one.answer is not Answer.UNKNOWN]
        return Verdict(passed=True, evidence=answered[-1].evidence) if len(answered) >= self.count else None
