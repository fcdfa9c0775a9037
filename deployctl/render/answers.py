"""What clients saw while a release went on, from the reports of a load: answers by revision, failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
FINEST_SECONDS = 0.2  # over less than that, the rate of a small load is noise


@dataclass(frozen=True, slots=True)
class Answers:
    """`by_tenth` counts each revision's answers in every tenth of a second since 1970; `failures` are moments.

    A revision is named by its pod-template-hash where its pods told their names; `names` has what it calls itself.
    """

    requests: int = 0
    failed: int = 0
    by_tenth: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    failures: tuple[float, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)

    def between(self, began: float, ended: float) -> Answers:
        """Cut out the time that a release took."""
        first, last = int(10 * began), int(10 * ended)
        cut = {
            revision: {at: count for at, count in counts.items() if first <= at <= last}
            for revision, counts in self.by_tenth.items()
        }
        kept = {revision: counts for revision, counts in cut.items() if counts}
        failures = tuple(one for one in self.failures if began <= one <= ended)
        answered = sum(sum(counts.values()) for counts in kept.values())
        # an answer that is no 2xx is a failure and an answer, one of another kind only a failure; few are either
        return Answers(answered + len(failures), len(failures), kept, failures, self.names)

    def rate(self, revision: str, began: float, ended: float) -> float:
        """Tell the answers a second of a revision from one moment to another, to a tenth of a second at the finest."""
        first = int(10 * began)
        tenths = range(first, max(first + 1, int(10 * ended)))
        counts = self.by_tenth.get(revision, {})
        return 10 * sum(counts.get(at, 0) for at in tenths) / len(tenths)

    def total(self, revision: str) -> int:
        return sum(self.by_tenth[revision].values())

    @property
    def revisions(self) -> list[str]:
        """Give the revisions that answered, in the order of their first answers."""
        return sorted(
            (one for one in self.by_tenth if self.by_tenth[one]), key=lambda one: min(self.by_tenth[one])
        )

    def closing(self) -> str:
        """Say it in one line: `2 310 requests, 0 failed`."""
        return f"{grouped(self.requests)} requests, {grouped(self.failed)} failed"


def together(seen: Iterable[Answers]) -> Answers:
    """Add up what the clients of several apps saw, without telling the revisions apart."""
    every = list(seen)
    return Answers(sum(one.requests for one in every), sum(one.failed for one in every))


def grouped(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def answers(reports: Iterable[Json]) -> Answers:
    """Add up the reports of several loads (deployctl.sandbox.load)."""
    tenths: dict[str, Counter[int]] = {}
    names: dict[str, str] = {}
    failures: list[float] = []
    requests = failed = 0
    for one in reports:
        requests, failed = requests + one["requests"], failed + one["failed"]
        failures += [each["at"] for each in one["failures"]]
        for revision, counts in one["by_tenth"].items():
            hashed = _hash(one["revisions"].get(revision, {}), revision)
            names[hashed] = revision
            tenths.setdefault(hashed, Counter()).update(_since_1970(counts, one["started_at"]))
    return Answers(requests, failed, tenths, tuple(sorted(failures)), names)


def _since_1970(counts: Iterable[int], started_at: float) -> dict[int, int]:
    return {int(10 * started_at) + at: count for at, count in enumerate(counts) if count}


def _hash(seen: Json, revision: str) -> str:
    """Take the pod-template-hash from the name of a pod: `balances-66b86c86cd-x2x9z`."""
    pod = next(iter(seen.get("pods", {})), "")
    parts = pod.rsplit("-", 2)
    return parts[1] if len(parts) == 3 else revision
