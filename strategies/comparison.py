"""Say whether the preview does worse than stable, with a bound on how far chance may have helped it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from strategies.analysis import Answer, Measurement


@dataclass(frozen=True, slots=True)
class Share:
    """How many of all went wrong: failed, were too slow, were refused."""

    bad: float
    all: float

    @property
    def rate(self) -> float:
        return self.bad / self.all if self.all else 0.0

    def __str__(self) -> str:
        return f"{self.bad:g} of {self.all:g} ({self.rate:.2%})"


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How much worse the preview may be: by a difference of shares or by a ratio of them; either will do.

    The ratio of two tiny shares says nothing, and the difference of two large ones much too little.
    """

    difference: float = 0.005
    ratio: float | None = None
    confidence: float = 0.95

    def compare(self, preview: Share, stable: Share) -> Measurement:
        """Pass where the bound is within the tolerance, fail where chance cannot excuse it, else unknown.

        With 0 of 10 against 0 of 1000 and a difference of 0.5 % it is unknown: 10 requests cannot show that.
        """
        told = f"preview {preview}, stable {stable}"
        if not preview.all or not stable.all:
            whom = "preview" if not preview.all else "stable"
            return Measurement(Answer.UNKNOWN, f"{told}: {whom} had no traffic", samples=0, empty=True)
        if not _sane(preview) or not _sane(stable):
            return Measurement(Answer.UNKNOWN, f"{told}: these are no shares of a whole")
        answer, why = self._judged(preview, stable)
        return Measurement(answer, f"{told}: {why}", preview.rate - stable.rate, preview.all)

    def _judged(self, preview: Share, stable: Share) -> tuple[Answer, str]:
        least, most = difference(preview, stable, self.confidence)
        span = (
            f"worse by {least:+.2%} to {most:+.2%} at {self.confidence:.0%}, at most {self.difference:+.2%}"
        )
        low, high = ratio(preview, stable, self.confidence) if self.ratio else (math.inf, math.inf)
        if most <= self.difference:
            return Answer.PASS, span
        if self.ratio and high <= self.ratio:
            return Answer.PASS, f"{span}; {low:.2f} to {high:.2f} times as bad, at most {self.ratio:g}"
        if least > self.difference and (self.ratio is None or low > self.ratio):
            return Answer.FAIL, span
        return Answer.UNKNOWN, f"{span}: too little traffic to tell"


def _sane(one: Share) -> bool:
    return math.isfinite(one.all) and 0 <= one.bad <= one.all


def difference(preview: Share, stable: Share, confidence: float) -> tuple[float, float]:
    """Bound the difference of two shares (Newcombe's method 10, from Wilson's score interval of each).

    Each of the two bounds holds with this confidence by itself. 5 of 100 against 5 of 100 at 95 %: -5.3 % to +5.3 %.
    """
    z = deviations(confidence)
    (low, high), (below, above) = _wilson(preview, z), _wilson(stable, z)
    apart = preview.rate - stable.rate
    return (
        apart - math.hypot(preview.rate - low, above - stable.rate),
        apart + math.hypot(high - preview.rate, stable.rate - below),
    )


def ratio(preview: Share, stable: Share, confidence: float) -> tuple[float, float]:
    """Bound the ratio of two shares (Katz's log interval; half a failure is added to each, so that none is 0)."""
    one, other = (Share(side.bad + 0.5, side.all + 0.5) for side in (preview, stable))
    spread = deviations(confidence) * math.sqrt(1 / one.bad - 1 / one.all + 1 / other.bad - 1 / other.all)
    middle = math.log(one.rate / other.rate)
    return math.exp(middle - spread), math.exp(middle + spread)


def _wilson(share: Share, z: float) -> tuple[float, float]:
    """Bound one share: 0 of 10 at 95 % is 0 to 21 %."""
    size, rate = share.all, share.rate
    middle = (rate + z * z / (2 * size)) / (1 + z * z / size)
    half = z / (1 + z * z / size) * math.sqrt(rate * (1 - rate) / size + z * z / (4 * size * size))
    return max(0.0, middle - half), min(1.0, middle + half)


def deviations(confidence: float) -> float:
    """Say how many standard deviations a one-sided confidence is: 0.95 is 1.645."""
    low, high = 0.0, 10.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (
            (low, middle) if 0.5 * (1 + math.erf(middle / math.sqrt(2))) > confidence else (middle, high)
        )
    return low
