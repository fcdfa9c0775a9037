"""Ask a Prometheus: an instant query or a range of one, by the clock of Prometheus itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from deployctl.errors import DeployctlError
from deployctl.foreign import printable
from deployctl.gates import Page
from deployctl.gates.fetch import cut
from deployctl.gates.field import parsed

Json = dict[str, Any]
Post = Callable[[str, bytes], Page]
MOST_POINTS = 1000


class Nothing(DeployctlError):
    """The query has no data: no series, or NaN in each."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer: its labels in words, and its numbers, the newest last."""

    labels: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Server:
    """One Prometheus; `post` sends a form to a path under its address."""

    post: Post

    def instant(self, query: str) -> tuple[Series, ...]:
        """Give every series of an instant query, now."""
        return _series(self._ask("query", {"query": query}))

    def range(self, query: str, seconds: float, step_seconds: float) -> tuple[Series, ...]:
        """Give every series over the last `seconds`, by the server's clock: ours may be off."""
        if seconds / step_seconds > MOST_POINTS:
            raise DeployctlError(
                f"{seconds:g}s in steps of {step_seconds:g}s are more than {MOST_POINTS} points"
            )
        now = self.now()
        asked = {"query": query, "start": now - seconds, "end": now, "step": step_seconds}
        return _series(self._ask("query_range", asked))

    def number(self, query: str) -> float:
        """Give the one number of a query that has one; raise Nothing where it has none."""
        series = self.instant(query)
        if not series:
            raise Nothing("no series")
        if len(series) > 1:
            raise DeployctlError(
                f"{len(series)} series ({series[0].labels}, {series[1].labels}, ...), expected 1"
            )
        return series[0].values[-1]

    def now(self) -> float:
        return self.number("time()")

    def age(self, selector: str) -> float:
        """Tell how old the newest sample of a selector is, by the server's clock."""
        newest = self.number(f"max(timestamp({selector}))")
        return round(self.now() - newest, 3)

    def _ask(self, what: str, form: Json) -> Json:
        page = self.post(f"/api/v1/{what}", urlencode(form).encode())
        if page.status in (401, 403):
            raise DeployctlError(f"HTTP {page.status}: the token is missing, or is not accepted")
        whole = self._parsed(page)
        if whole.get("status") != "success":
            kind, why = str(whole.get("errorType", f"HTTP {page.status}")), str(whole.get("error", ""))
            raise DeployctlError(f"{printable(kind)}: {cut(printable(why))}")
        data = whole.get("data")
        if not isinstance(data, dict) or not isinstance(data.get("result"), list):
            raise DeployctlError("its answer has no result: it is no Prometheus")
        return data

    def _parsed(self, page: Page) -> Json:
        try:
            whole = parsed(page.body)
        except DeployctlError:
            whole = None
        if not isinstance(whole, dict) or "status" not in whole:
            raise DeployctlError(f"HTTP {page.status} and no answer of a Prometheus")
        return whole


def _series(data: Json) -> tuple[Series, ...]:
    """Read what a query gives: a vector, a matrix, or one scalar."""
    try:
        if data["resultType"] == "scalar":
            return (Series("", (float(data["result"][1]),)),)
        if data["resultType"] in ("vector", "matrix"):
            return tuple(_one(each) for each in data["result"])
    except (KeyError, TypeError, ValueError, IndexError):
        raise DeployctlError("its answer cannot be read: it is no Prometheus") from None
    raise DeployctlError(f"the query gives {cut(str(data.get('resultType')))}, expected numbers")


def _one(each: Json) -> Series:
    labels = ",".join(f"{name}={value}" for name, value in sorted(each["metric"].items()))
    points = each["values"] if "values" in each else [each["value"]]
    return Series(cut(printable("{" + labels + "}")), tuple(float(value) for _, value in points))


def folded(values: tuple[float, ...], how: str) -> float:
    """Fold the numbers of a range into one; those that are none are left out, and NaN is given where all are."""
    numbers = [one for one in values if not math.isnan(one)]
    if not numbers:
        return math.nan
    match how:
        case "max":
            return max(numbers)
        case "min":
            return min(numbers)
        case "avg":
            return math.fsum(numbers) / len(numbers)
        case _:
            return numbers[-1]


def quoted(text: str) -> str:
    """Write a text as the value of a label inside double quotes."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
