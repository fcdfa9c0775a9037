"""One value of a JSON document by its path, and what it must be."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta

from deployctl.errors import DeployctlError
from deployctl.gates.bounds import bounded
from strategies.analysis import Answer, Measurement

PART = re.compile(r"\.?([A-Za-z0-9_-]+)|\[([0-9]+)\]|\['([^']+)'\]")

FieldPath = Annotated[
    str,
    Meta(
        pattern=r"^\{?\$?(\.?[A-Za-z0-9_-]+|\[[0-9]+\]|\['[^']+'\])*\}?$",
        extra={"expected": "the path of a field such as data.ready or $.checks[0].ok"},
    ),
]


@dataclass(frozen=True)
class Field:
    """One field of a JSON answer, and what it must be; true where nothing is said.

    path: from the top: data.ready, $.checks[0].ok, or as Argo Rollouts writes it, {$.data.ok}
    equals: the value as text: ok, true, 3
    min: the least that passes
    max: the most that passes
    """

    path: FieldPath
    equals: str | None = None
    min: float | None = None
    max: float | None = None

    def judge(self, body: bytes, where: str) -> Measurement:
        """Pass where the field is what it must be; an answer without it is no answer."""
        try:
            value = found(parsed(body), self.path)
        except DeployctlError as error:
            return Measurement(Answer.UNKNOWN, f"{where}: {error}")
        if self.min is not None or self.max is not None:
            return self._bounded(value, where)
        wanted, got = self.equals or "true", as_text(value)
        told = f"{where}: {self.path} is {got}"
        if got == wanted:
            return Measurement(Answer.PASS, told)
        return Measurement(Answer.FAIL, f"{told}, expected {wanted}")

    def _bounded(self, value: Any, where: str) -> Measurement:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return Measurement(
                Answer.UNKNOWN, f"{where}: {self.path} is {as_text(value)}, which is no number"
            )
        return bounded(float(value), f"{where}: {self.path}", least=self.min, most=self.max)


def parsed(body: bytes) -> Any:
    """Read JSON; raise DeployctlError, which quotes nothing of it, where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise DeployctlError("the answer is not JSON") from None


def found(document: Any, path: str) -> Any:
    """Find the value at a path; raise DeployctlError where there is none."""
    here = document
    for name, index, quoted in PART.findall(path.strip("{}").removeprefix("$")):
        try:
            here = here[int(index)] if index else here[name or quoted]
        except (KeyError, IndexError, TypeError):
            raise DeployctlError(f"the answer has no {path}") from None
    return here


def as_text(value: Any) -> str:
    """Write a value in a few letters: true, 3, ok; a list or a mapping only as that."""
    if isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "a mapping"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
