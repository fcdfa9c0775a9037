"""What each check of a gate found, and what they come to together.

A gate that checks many things says which of them said no, and what it saw: one no is a no, one thing that could not
be told is no yes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated

from msgspec import Meta

from strategies.analysis import Answer, Measurement

SIZES = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
MOST_CHARACTERS = 700

Size = Annotated[
    str, Meta(pattern="^[0-9]{1,12}(Ki|Mi|Gi|Ti)?$", extra={"expected": "a number of bytes such as 16Mi"})
]


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer of one check: `text` has the value, and where it is no yes, what was expected."""

    check: str
    answer: Answer
    text: str

    def of(self, whom: str) -> Finding:
        """Say of whom it was found."""
        return replace(self, text=f"{whom}: {self.text}")


def passed(check: str, text: str) -> Finding:
    return Finding(check, Answer.PASS, text)


def failed(check: str, text: str) -> Finding:
    return Finding(check, Answer.FAIL, text)


def unknown(check: str, text: str) -> Finding:
    return Finding(check, Answer.UNKNOWN, text)


def judged(check: str, text: str, *, fine: bool, expected: str) -> Finding:
    """Pass where it is fine; else fail, and say what was expected."""
    return passed(check, text) if fine else failed(check, f"{text}, expected {expected}")


def folded(whom: str, findings: Iterable[Finding], *, total: str = "") -> Measurement:
    """Make one measurement of them: the failures if there are any, else what is unknown, else all of them.

    `total` says in a word what was asked where that is too much to be listed.
    """
    every = tuple(findings)
    for answer in (Answer.FAIL, Answer.UNKNOWN):
        if bad := [one for one in every if one.answer is answer]:
            return Measurement(answer, _joined(whom, (f"{one.check}: {one.text}" for one in bad)))
    if not every:
        return Measurement(Answer.UNKNOWN, f"{whom}: nothing was checked")
    if total:
        return Measurement(Answer.PASS, f"{total}: {len(every)} checks passed; {every[-1].text}")
    return Measurement(Answer.PASS, _joined(whom, (one.text for one in every)))


def _joined(whom: str, texts: Iterable[str]) -> str:
    whole = f"{whom}: " + "; ".join(texts) if whom else "; ".join(texts)
    return whole if len(whole) <= MOST_CHARACTERS else whole[: MOST_CHARACTERS - 3] + "..."


def size_bytes(size: str) -> int:
    """Read a size: 16Mi is 16777216."""
    digits, unit = (size[:-2], size[-2:]) if size[-2:] in SIZES else (size, "")
    return int(digits) * SIZES.get(unit, 1)


def shown(count: float) -> str:
    """Write a number of bytes in the largest unit that it fills: 16777216 is 16.0Mi."""
    unit = next((one for one in reversed(SIZES) if count >= SIZES[one]), "")
    return f"{count / SIZES[unit]:.1f}{unit}" if unit else f"{count:.0f}B"
