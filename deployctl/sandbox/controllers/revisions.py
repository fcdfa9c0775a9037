"""Finds and names the ReplicaSets of a Deployment: by template, by hash, by revision."""

from __future__ import annotations

import json
import zlib
from typing import Any

from deployctl.sandbox.controllers.sizes import DESIRED, MOST, by_creation, may_exceed, wants
from deployctl.sandbox.store import ALPHABET

Json = dict[str, Any]

HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
HISTORY_LIMIT = 2000  # characters
NOT_COPIED = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        REVISION,
        HISTORY,
        DESIRED,
        MOST,
        "deprecated.deployment.rollback.to",
    }
)


def notes_of(one: Json) -> dict[str, str]:
    return one["metadata"].get("annotations") or {}


def with_annotations(one: Json, new: dict[str, str]) -> Json:
    return {**one, "metadata": {**one["metadata"], "annotations": {**notes_of(one), **new}}}


def hash_of(template: Json, collisions: int | None) -> str:
    """Give a hash of a pod template, written in the letters of generated names."""
    text = json.dumps(template, sort_keys=True) + ("" if collisions is None else str(collisions))
    return "".join(ALPHABET[ord(digit) % len(ALPHABET)] for digit in str(zlib.crc32(text.encode())))


def plain(template: Json) -> Json:
    """Give a template without the label of its hash."""
    labels = template.get("metadata", {}).get("labels")
    if not labels or HASH not in labels:
        return template
    rest = {key: value for key, value in labels.items() if key != HASH}
    return {**template, "metadata": {**template["metadata"], "labels": rest}}


def newest_of(deployment: Json, sets: list[Json]) -> Json | None:
    """Find the ReplicaSet with the Deployment's template, the oldest where several have it."""
    wanted = plain(deployment["spec"]["template"])
    for one in sorted(sets, key=by_creation):
        if plain(one["spec"]["template"]) == wanted:
            return one
    return None


def revision(one: Json) -> int:
    text = notes_of(one).get(REVISION, "0")
    return int(text) if text.removeprefix("-").isdecimal() else 0


def new_set(deployment: Json, old: list[Json], owner: Json) -> Json:
    """Make the ReplicaSet of a template that has none, without pods yet."""
    spec, meta = deployment["spec"], deployment["metadata"]
    digest = hash_of(spec["template"], deployment.get("status", {}).get("collisionCount"))
    labels = {**(spec["template"]["metadata"].get("labels") or {}), HASH: digest}
    match_labels = {**(spec["selector"].get("matchLabels") or {}), HASH: digest}
    template = {**spec["template"], "metadata": {**spec["template"]["metadata"], "labels": labels}}
    least = spec.get("minReadySeconds", 0)
    made = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{meta['name']}-{digest}",
            "namespace": meta["namespace"],
            "labels": labels,
            "ownerReferences": [owner],
        },
        "spec": {
            "replicas": 0,
            **({"minReadySeconds": least} if least else {}),
            "selector": {**spec["selector"], "matchLabels": match_labels},
            "template": template,
        },
        "status": {"replicas": 0},
    }
    noted = {**copied(deployment, made, next_revision(old)), **sizes_noted(deployment)}
    return with_annotations(made, noted)


def next_revision(old: list[Json]) -> int:
    return max((revision(one) for one in old), default=0) + 1


def sizes_noted(deployment: Json) -> dict[str, str]:
    wanted = wants(deployment)
    return {DESIRED: str(wanted), MOST: str(wanted + may_exceed(deployment))}


def copied(deployment: Json, new: Json, number: int) -> dict[str, str]:
    """Give the annotations that the new ReplicaSet takes from its Deployment, and its revision.

    What the Deployment no longer has stays on the ReplicaSet for ever.
    """
    noted = {key: value for key, value in notes_of(deployment).items() if key not in NOT_COPIED}
    before = notes_of(new).get(REVISION)
    if revision(new) >= number:
        return noted
    noted[REVISION] = str(number)
    if before is not None:
        noted[HISTORY] = _history(notes_of(new).get(HISTORY, ""), before)
    return noted


def _history(history: str, before: str) -> str:
    """Append a revision; the oldest are forgotten where it grows too long."""
    numbers = [*history.split(","), before] if history else [before]
    while len(",".join(numbers)) > HISTORY_LIMIT and len(numbers) > 1:
        del numbers[0]
    return ",".join(numbers)
