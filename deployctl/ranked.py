"""What only a StatefulSet shows: which ordinals are to have which revision, and whose template made a pod."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from deployctl.workload import ON_DELETE, first_ordinal, partition
from strategies.model import Observed, Phase, Side, Template

Json = dict[str, Any]


def ranked(seen: Observed, workload: Json) -> Observed:
    """Add to what is seen of a StatefulSet what its sides cannot tell."""
    first, on_delete = first_ordinal(workload), workload["spec"]["updateStrategy"] == ON_DELETE
    stable, preview = _placed(seen.stable, first), _placed(seen.preview, first)
    seen = replace(seen, stable=stable, preview=preview)
    new = _new(seen, workload, on_delete=on_delete)
    return replace(
        seen,
        stable=replace(stable, desired=seen.replicas - new),
        preview=replace(preview, desired=new),
        partitioned=_partitioned(seen, workload),
        returned=seen.phase is Phase.RETURNING and on_delete and seen.template is Template.STABLE,
        retiring=False,
        shrunk=False,
    )


def _placed(side: Side, first: int) -> Side:
    """Count ordinals from 0, as the partition does, whatever `spec.ordinals.start` says."""
    return replace(side, pods=tuple(replace(pod, ordinal=pod.ordinal - first) for pod in side.pods))


def _new(seen: Observed, workload: Json, *, on_delete: bool) -> int:
    """Count the ordinals that are to have the preview: those that have it, and those that come up with it.

    Of 3 with a partition of 1 and the preview's template that is 2, whichever of them is there already.
    """
    there = {pod.ordinal: Template.STABLE for pod in seen.stable.pods}
    there |= {pod.ordinal: Template.PREVIEW for pod in seen.preview.pods}
    current = workload.get("status", {}).get("currentRevision")
    below = Template.PREVIEW if current == seen.preview.revision else Template.STABLE
    least, ordinals = partition(workload), range(seen.replicas)
    if on_delete:
        wanted = [there.get(one, seen.template) for one in ordinals]
    else:
        wanted = [seen.template if one >= least else there.get(one, below) for one in ordinals]
    return sum(one is not Template.STABLE for one in wanted)


def _partitioned(seen: Observed, workload: Json) -> bool:
    """Say whether the controller has made anew what the partition lets it, and counts every ready pod as available."""
    old = any(pod.ordinal >= partition(workload) for pod in seen.stable.pods)
    ready = len(seen.stable.ready) + len(seen.preview.ready)
    soon = workload["spec"].get("minReadySeconds", 0)
    available = workload.get("status", {}).get("availableReplicas", 0)
    return seen.settled and not old and (not soon or available >= ready)
