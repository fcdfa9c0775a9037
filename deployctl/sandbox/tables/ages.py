"""How long ago, as kubectl says it: `95s`, `5m12s`, `3h4m`, `2d1h`."""

from __future__ import annotations

from deployctl.sandbox.store import moment

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 365 * 86400


def age(stamp: str | None, now: float) -> str:
    """Tell how long ago a moment was that the API wrote."""
    return short(now - moment(stamp)) if stamp else "<unknown>"


def short(seconds: float) -> str:
    """Say a duration as k8s.io/apimachinery/pkg/util/duration.HumanDuration does."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 2 * MINUTE:
        return f"{max(whole, 0)}s"
    if whole < 10 * MINUTE:
        return _two(whole, MINUTE, "m", 1, "s")
    if whole < 3 * HOUR:
        return f"{whole // MINUTE}m"
    if whole < 8 * HOUR:
        return _two(whole, HOUR, "h", MINUTE, "m")
    if whole < 2 * DAY:
        return f"{whole // HOUR}h"
    if whole < 8 * DAY:
        return _two(whole, DAY, "d", HOUR, "h")
    if whole < 2 * YEAR:
        return f"{whole // DAY}d"
    if whole < 8 * YEAR:
        return _two(whole, YEAR, "y", DAY, "d")
    return f"{whole // YEAR}y"


def _two(whole: int, large: int, large_name: str, small: int, small_name: str) -> str:
    rest = whole % large // small
    return f"{whole // large}{large_name}" + (f"{rest}{small_name}" if rest else "")
