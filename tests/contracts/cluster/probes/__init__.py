"""The probes by group: every public function of these modules is one, and its docstring the fact."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass

from tests.contracts.cluster.probe import Probe

GROUPS = (
    "reading",
    "writing",
    "refusing",
    "defaults",
    "holding",
    "rolling",
    "ranking",
    "living",
    "around",
    "speaking",
    "steering",
)
KUBECTL = ("speaking", "steering")


@dataclass(frozen=True)
class Named:
    """One probe."""

    group: str
    name: str
    ask: Callable[[Probe], None]

    @property
    def fact(self) -> str:
        return (inspect.getdoc(self.ask) or "").replace("\n", " ")


def _of(group: str) -> list[Named]:
    module = importlib.import_module(f"{__name__}.{group}")
    found = [
        one for one in vars(module).values() if inspect.isfunction(one) and one.__module__ == module.__name__
    ]
    asked = [one for one in found if next(iter(inspect.signature(one).parameters), "") == "p"]
    return [
        Named(group, one.__name__, one)
        for one in asked
        if not one.__name__.startswith("_") and len(inspect.signature(one).parameters) == 1
    ]


PROBES = [one for group in GROUPS for one in _of(group)]
