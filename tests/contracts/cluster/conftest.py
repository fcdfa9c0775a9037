"""Prints how many probes the sandbox and the real cluster answer alike."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.cluster.conftest import cluster
from tests.contracts.cluster.probes import GROUPS

__all__ = ["cluster"]
TOLD = pytest.StashKey[dict[str, dict[str, bool]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash.setdefault(TOLD, {})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table, for each cluster that was asked."""
    for where, told in config.stash.get(TOLD, {}).items():
        terminalreporter.write_sep("-", f"contracts: {where}")
        for line in _rows(told):
            terminalreporter.write_line(line)


def _rows(told: dict[str, bool]) -> list[str]:
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
