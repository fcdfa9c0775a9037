"""How many probes each cluster answered as they are written down, group by group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.contracts.cluster.probes import GROUPS

PROPERTY = "contract"


def lines(reports: Iterable[Any]) -> Iterator[str]:
    """Write a table for each cluster that was asked; a report brings what its test noted, from any worker."""
    told: dict[str, dict[str, bool]] = {}
    for one in reports:
        for name, value in getattr(one, "user_properties", ()):
            if name == PROPERTY:
                where, key, same = value
                told.setdefault(where, {})[key] = same
    for where, answers in told.items():
        yield from (f"contracts: {where}", *rows(answers))


def rows(told: Mapping[str, bool]) -> list[str]:
    """Count by group; a key is `group/probe`, its value whether it was answered as it is written."""
    every, equal = Counter[str](), Counter[str]()
    for key, same in told.items():
        every[key.partition("/")[0]] += 1
        equal[key.partition("/")[0]] += same
    heads = f"{'group':12} {'probes':>7} {'equal':>7} {'differing':>10}"
    rows = [
        f"{one:12} {every[one]:7} {equal[one]:7} {every[one] - equal[one]:10}" for one in GROUPS if every[one]
    ]
    return [heads, *rows, f"{len(told)} probes, {len(told) - sum(told.values())} differ"]
