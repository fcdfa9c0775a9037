"""Which revision a way back leads to: the one that is named, else the newest good one before the live one.

A revision is a ReplicaSet of the Deployment, or a ControllerRevision of the StatefulSet; it has kubectl's number, which
changes whenever it comes back, and its hash, which never does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deployctl.errors import UsageError
from deployctl.observe import replica_set, revision
from deployctl.record import Entry, last_words, refused
from deployctl.template import digest
from deployctl.workload import hash_of, template_in

Json = dict[str, Any]


def newest_first(sets: Iterable[Json]) -> tuple[Json, ...]:
    return tuple(sorted(sets, key=revision, reverse=True))


def called(one: Json) -> str:
    """Name a revision as `--to` takes it: `4 (66b86c86cd)`."""
    return f"{revision(one)} ({hash_of(one)})"


def listed(sets: Iterable[Json]) -> str:
    return ", ".join(map(called, sets)) or "none"


def before(deployment: Json, sets: Iterable[Json]) -> tuple[Json, ...]:
    """Give the revisions before the live one, the newest first."""
    ordered = newest_first(sets)
    live = replica_set(ordered, digest(deployment["spec"]["template"]))
    return tuple(one for one in ordered if live is None or revision(one) < revision(live))


def earlier(deployment: Json, sets: Iterable[Json], releases: tuple[Entry, ...]) -> Json | None:
    """Find where `rollback` goes by itself.

    Passed over is what was refused or left: kubectl's numbers put a refused one right before the live one.
    """
    bad = refused(releases)
    return next((one for one in before(deployment, sets) if digest(template_in(one)) not in bad), None)


def left(one: Json, releases: tuple[Entry, ...]) -> Entry | None:
    """Give the release that left a revision, unless it was brought back since."""
    return last_words(releases).get(digest(template_in(one)))


def named(
    deployment: Json, sets: Iterable[Json], to: str, releases: tuple[Entry, ...], *, asked: str = "--to"
) -> Json:
    """Find a revision by its number, its hash or the beginning of that; digits alone are a number or a whole hash.

    `asked` says in an error what it was that asked for it.
    """
    ordered = newest_first(sets)
    name = to.removeprefix(f"{deployment['metadata']['name']}-")
    exact = [one for one in ordered if name in (str(revision(one)), hash_of(one))]
    begin = [one for one in ordered if not name.isdecimal() and hash_of(one).startswith(name)]
    if not exact and len(begin) > 1:
        raise UsageError(f"{asked} {to}: several begin so: {listed(begin)}", advice="give more of the hash")
    found = exact or begin
    if not found:
        raise _missing(deployment, ordered, (f"{asked} {to}", name), releases)
    return found[0]


def _missing(
    deployment: Json, sets: tuple[Json, ...], asked: tuple[str, str], releases: tuple[Entry, ...]
) -> UsageError:
    """Say what there is instead, and of a revision that the record knows, why it is gone."""
    said, name = asked
    gone = next((one for one in releases if _had(one, name)), None)
    if gone is None:
        return UsageError(f"{said}: no such revision; there are {listed(sets)}")
    kept = deployment["spec"].get("revisionHistoryLimit", 10)
    return UsageError(
        f"{said}: its ReplicaSet is gone, for spec.revisionHistoryLimit is {kept}; there are {listed(sets)}",
        advice=f"release its manifest again; `deployctl history` has its images (release {gone.id})",
    )


def _had(one: Entry, name: str) -> bool:
    hashes = filter(None, (one.preview_hash, one.stable_hash))
    return not name.isdecimal() and any(each.startswith(name) for each in hashes)
