"""The tables of docs/reliability.md, counted by the program itself."""

from __future__ import annotations

from collections import Counter

from tests.faults import interleavings, matrix
from tests.faults.found import FOUND
from tests.faults.mutants import MUTANTS
from tests.faults.scenarios import SCENARIOS

FAULTS = {
    "killed": ("killBefore", "killAfter"),
    "no answer": ("dropBefore", "dropAfter", "timeout"),
    "409, 410": ("conflict", "gone"),
    "429, 500, 503": ("tooMany", "error", "unavailable"),
    "old news": ("stale", "slowWatch", "truncated"),
    "lock lost": ("lockLost",),
    "clock": ("clockJumps",),
}


def tried() -> str:
    rows = [_row(name) for name in SCENARIOS]
    totals = [sum(int(row[number]) for row in rows) for number in range(1, len(rows[0]))]
    pairs = Counter(one.pair for one in interleavings.whole())
    table = _table(("scenario", "calls", *FAULTS, "runs"), [*rows, ["all", *map(str, totals)]])
    both = _table(("two operators", "runs"), [[name, str(number)] for name, number in pairs.items()])
    every = totals[-1] + sum(pairs.values())
    end = f"{every} runs in all; {len(MUTANTS)} mutants of the product, each of which is caught."
    return f"{table}\n\n{both}\n\n{end}"


def _row(scenario: str) -> list[str]:
    counted = Counter(one.fault for one in matrix.whole(0, [scenario]))
    groups = [str(sum(counted[one] for one in kinds)) for kinds in FAULTS.values()]
    return [scenario, str(len(matrix.calls(scenario, 0))), *groups, str(sum(counted.values()))]


def found() -> str:
    return _table(("run", "what was wrong"), [[f"`{run}`", what] for run, what in FOUND.items()])


def _table(head: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = [head, ["--"] * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(line)} |" if line[0] != "--" else f"|{'|'.join(line)}|" for line in lines
    )
