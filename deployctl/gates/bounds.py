"""A number against the bounds that the spec gives: pass, fail, or between the two for a person."""

from __future__ import annotations

import math

from strategies.analysis import Answer, Measurement


def bounded(  # noqa: PLR0913 - one parameter a bound
    value: float,
    what: str,
    *,
    least: float | None = None,
    most: float | None = None,
    unsure_below: float | None = None,
    unsure_above: float | None = None,
    samples: float | None = None,
    age_seconds: float | None = None,
) -> Measurement:
    """Judge one number; what is none is no answer."""
    if not math.isfinite(value):
        return Measurement(
            Answer.UNKNOWN, f"{what} is {value}, which is no number", value, samples, empty=math.isnan(value)
        )
    answer, why = _judged(value, (least, most), (unsure_below, unsure_above))
    return Measurement(answer, f"{what} is {value:.6g}{why}", value, samples, age_seconds)


def _judged(
    value: float, sure: tuple[float | None, float | None], doubt: tuple[float | None, float | None]
) -> tuple[Answer, str]:
    wanted = span(*sure)
    if _outside(value, *sure):
        return Answer.FAIL, f", expected {wanted}"
    if _outside(value, *doubt):
        return Answer.INCONCLUSIVE, f", expected {wanted}, sure only of {span(*doubt)}"
    return Answer.PASS, f" ({wanted})" if wanted else ""


def _outside(value: float, least: float | None, most: float | None) -> bool:
    return (least is not None and value < least) or (most is not None and value > most)


def span(least: float | None, most: float | None) -> str:
    """Write two bounds: `at least 0.99`, `at most 5`, `0.1 to 0.2`."""
    if least is not None and most is not None:
        return f"{least:g} to {most:g}"
    if least is not None:
        return f"at least {least:g}"
    return f"at most {most:g}" if most is not None else ""


def check_bounds(
    least: float | None, most: float | None, unsure_below: float | None, unsure_above: float | None
) -> None:
    """Raise ValueError, as a class of options does, where no number could pass."""
    if least is not None and most is not None and least > most:
        raise ValueError(f"min: {least:g} is above max {most:g}; expected less")
    if unsure_above is not None and most is not None and unsure_above > most:
        raise ValueError(f"unsureAbove: {unsure_above:g} is above max {most:g}; expected less")
    if unsure_below is not None and least is not None and unsure_below < least:
        raise ValueError(f"unsureBelow: {unsure_below:g} is below min {least:g}; expected more")
