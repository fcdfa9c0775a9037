"""Figures of a run on the real cluster, and the tables that docs/reliability.md makes of them.

A test notes what it counted, before it judges it, as one line of JSON in the file that FIGURES names; without FIGURES it notes nothing.
`python -m tests.cluster.figures FILE` writes the tables into the page, `make proof` does so at its end.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from deployctl.sandbox.load import Report, RoundsReport, StreamsReport
from tests.docs import written
from tests.docs.pages import ROOT

PAGE = ROOT / "docs/reliability.md"
Json = dict[str, Any]
Row = tuple[str, ...]
FAULT = ("a fault befalls a call, or a step", "tried", "by itself", "by `resume`", "by `rollback`", "astray")
LOAD = ("load", "requests", "failed", "tried again on a kept connection that had closed")
MONEY = (
    "money", "requests", "transactions", "rounds", "without an answer",
    "lost", "booked twice", "rounds cut", "sums that differ",
)  # fmt: skip
LATENCY = (
    "latency in ms",
    "requests",
    "p50",
    "p99",
    "p99 of every other turn, and of the rest",
    "p99 beside that at rest",
)
KEPT = ("kept open", "opened", "cut or broken", "failed")


def note(what: str, **counted: Any) -> None:
    """Add a line to the file that FIGURES names, with the test that counted it."""
    where = os.environ.get("FIGURES")
    if not where:
        return
    test = os.environ.get("PYTEST_CURRENT_TEST", "").partition(" ")[0]
    with Path(where).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"what": what, "test": test, **counted}) + "\n")


def noted(name: str, *reports: Any) -> None:
    """Note what became of the requests of one load, or of several that were on together."""
    note(
        "load",
        name=name,
        requests=sum(one.requests for one in reports),
        failed=sum(one.failed for one in reports),
        stale=sum(one.stale_retries for one in reports),
    )


def rounds(name: str, report: RoundsReport) -> None:
    note("kept", name=name, opened=report.rounds, cut=len(report.cut), failed=report.failed)


def streams(name: str, report: StreamsReport) -> None:
    note("kept", name=name, opened=report.streams, cut=len(report.broken), failed=report.failed)


def any_of(name: str, report: Report | RoundsReport | StreamsReport) -> None:
    """Note a load of whatever kind."""
    match report:
        case RoundsReport():
            rounds(name, report)
        case StreamsReport():
            streams(name, report)
        case Report():
            noted(name, report)


def fault(kind: str, by: str, where: str) -> None:
    """Note that a release which a fault befell came to its end, and by what: itself, resume, rollback, or astray."""
    note("fault", fault=kind, by=by, where=where)


def ran(stats: Mapping[str, list[Any]]) -> None:
    """Note how the tests of a run ended, and on what it ran."""

    def names(*kinds: str) -> list[str]:
        return sorted({one.nodeid for kind in kinds for one in stats.get(kind, ())})

    note(
        "run",
        day=time.strftime("%Y-%m-%d", time.gmtime()),
        kubernetes=os.environ.get("VERSION") or "1.35.4",
        cores=os.cpu_count(),
        passed=len(stats.get("passed", ())),
        failed=names("failed", "error"),
        skipped=names("skipped"),
    )


def page(lines: Iterable[Json]) -> str:
    """Make the tables of what was noted; what nobody noted has no table."""
    by: dict[str, list[Json]] = {}
    for one in lines:
        by.setdefault(one["what"], []).append(one)
    parts = (make(by[what]) for what, make in PARTS.items() if what in by)
    return "\n\n".join(parts)


def runs(lines: list[Json]) -> str:
    last, passed = lines[-1], sum(one["passed"] for one in lines)
    failed, skipped = (sorted({name for one in lines for name in one[how]}) for how in ("failed", "skipped"))
    where = f"Kubernetes {last['kubernetes']} on {last['cores']} cores"
    said = f"{last['day']}, {where}: {passed} tests passed, {len(failed)} failed"
    said += f": {_names(failed)}" if failed else ""
    return f"{said}; not judged: {_names(skipped)}." if skipped else f"{said}."


def _names(tests: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in tests)


def faults(lines: list[Json]) -> str:
    """Count how the releases that a fault befell came to their end; `astray` is neither all new nor all old."""
    tried: dict[str, Counter[str]] = {}
    for one in lines:
        tried.setdefault(one["fault"], Counter())[one["by"]] += 1
    tried["all"] = sum(tried.values(), Counter())
    ways = ("itself", "resume", "rollback", "astray")
    return table(
        FAULT, ((name, str(of.total()), *(str(of[way]) for way in ways)) for name, of in tried.items())
    )


def loads(lines: list[Json]) -> str:
    return table(LOAD, added(lines, "requests", "failed", "stale"))


def kept_open(lines: list[Json]) -> str:
    return table(KEPT, added(lines, "opened", "cut", "failed"))


def added(lines: list[Json], *keys: str) -> Iterator[Row]:
    """Add up what has the same name, and at the end everything."""
    sums: dict[str, Counter[str]] = {}
    for one in lines:
        sums.setdefault(one["name"], Counter()).update({key: one[key] for key in keys})
    every = {**sums, "all": sum(sums.values(), Counter())}
    return ((name, *(str(of[key]) for key in keys)) for name, of in every.items())


def in_a_row(lines: list[Json]) -> str:
    said = (f"{one['times']} releases and rollbacks in a row, {one['requests']} requests" for one in lines)
    return f"{'; '.join(said)}: 0 failed."


def money(lines: list[Json]) -> str:
    keys = ("told", "transactions", "rounds", "unanswered", "lost", "twice", "cut", "sums")
    return table(MONEY, ((one["name"], *(str(one[key]) for key in keys)) for one in lines))


def latency(lines: list[Json]) -> str:
    """Set the latency of each kind of time beside that at rest in the same run."""
    rest = next(one["p99"] for one in lines if one["name"] == "at rest")
    return table(LATENCY, (_taken(one, rest) for one in lines))


def _taken(one: Json, rest: float) -> Row:
    halves = ", ".join(f"{half:g}" for half in one["halves"])
    return (
        one["name"],
        str(one["requests"]),
        f"{one['p50']:g}",
        f"{one['p99']:g}",
        halves,
        f"{one['p99'] / rest:.1f}x",
    )


PARTS: dict[str, Callable[[list[Json]], str]] = {
    "run": runs,
    "load": loads,
    "row": in_a_row,
    "kept": kept_open,
    "fault": faults,
    "money": money,
    "latency": latency,
}


def table(head: Row, rows: Iterable[Row]) -> str:
    lines: Iterator[Row] = iter((head, *rows))
    first, *rest = (f"| {' | '.join(line)} |" for line in lines)
    return "\n".join((first, f"|{'--|' * len(head)}", *rest))


def main(file: str) -> None:
    lines = [json.loads(line) for line in Path(file).read_text().splitlines()]
    if not lines:
        raise SystemExit(
            f"{file}: nothing was noted; expected the file that FIGURES named while the tests ran"
        )
    written.hold(PAGE, "figures", page(lines), rewrite=True)
    print(f"{PAGE.relative_to(ROOT)}: the figures of {file}")


if __name__ == "__main__":
    main(sys.argv[1])
