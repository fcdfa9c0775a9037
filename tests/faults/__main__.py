"""`python -m tests.faults`: run the matrix, a sample of it, one run of it, or see that a mutant is caught."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial

from tests.faults import interleavings, matrix, mutants
from tests.faults.scenarios import SCENARIOS
from tests.faults.witness import Violation

Judged = tuple[str, list[Violation]]
MOST_TOLD = 40
CHUNK = 8


def judged(trial: str, seed: int) -> Judged:
    """Carry out one trial of the matrix or of the interleavings, by its name."""
    one = interleavings if trial.startswith(interleavings.PREFIX) else matrix
    return trial, one.violations(one.Trial.parse(trial), seed)


def carried_out(trials: list[str], seed: int, processes: int) -> Iterator[Judged]:
    if processes == 1:
        yield from (judged(one, seed) for one in trials)
        return
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        yield from pool.imap_unordered(partial(judged, seed=seed), trials, CHUNK)


def told(results: Iterable[Judged], seed: int, mutant: str = "", *, first: bool = False) -> int:
    """Print each violation with the command that replays it, and one line at the end; give how many there were."""
    counted: Counter[str] = Counter()
    runs = violated = 0
    for trial, found in results:
        runs += 1
        violated += len(found)
        counted.update(one.invariant for one in found)
        for one in found[: max(0, MOST_TOLD - violated + len(found))]:
            with_mutant = f" MUTANT='{mutant}'" if mutant else ""
            print(
                f"{trial}\n  {one}\n  again: make faults SEED={seed} RUN='{trial}'{with_mutant}", flush=True
            )
        if found and first:
            break
    by_kind = ", ".join(f"{name} {number}" for name, number in sorted(counted.items()))
    print(f"{runs} runs, {violated} violations{f' ({by_kind})' if by_kind else ''}")
    return violated


def chosen(arguments: argparse.Namespace) -> list[str]:
    """Name the trials that are asked for."""
    if arguments.run:
        return [arguments.run]
    scenarios = [name for name in SCENARIOS if arguments.only in name]
    trials = list(matrix.whole(arguments.seed, scenarios))
    pairs = [] if arguments.only else interleavings.whole()
    names = [*map(str, trials), *map(str, pairs)]
    return matrix.sample(names, arguments.runs) if arguments.runs else names


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--runs", type=int, default=0, help="so many, evenly spread, instead of all")
    parser.add_argument("--seed", type=int, default=0, help="of names, of times and of the order of things")
    parser.add_argument("--run", default="", help="this one, by the name that a violation was told with")
    parser.add_argument("--only", default="", help="scenarios whose name holds this")
    parser.add_argument(
        "--mutant", default="", help="with the product changed so; stops at the first violation"
    )
    parser.add_argument("--mutants", action="store_true", help="list the mutants")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    return run(parser.parse_args())


def run(arguments: argparse.Namespace) -> int:
    if arguments.mutants:
        print("\n".join(f"{name:<28}{one.what}" for name, one in mutants.MUTANTS.items()))
        return 0
    print(f"seed {arguments.seed}")
    began = time.monotonic()
    if arguments.mutant:
        trials = [arguments.run] if arguments.run else mutants.trials(arguments.mutant, arguments.seed)
        with mutants.applied(arguments.mutant):
            found = told(carried_out(trials, arguments.seed, 1), arguments.seed, arguments.mutant, first=True)
    else:
        trials = chosen(arguments)
        found = told(carried_out(trials, arguments.seed, arguments.processes), arguments.seed)
    print(f"in {time.monotonic() - began:.0f}s", file=sys.stderr)
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
