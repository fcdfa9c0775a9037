"""Who consumes events: stable until all traffic has gone over, then the preview, and on the way back stable again.

One side stops, and says so, before the other begins: an event is in the hands of one revision. What a pod says
counts, not what it was told, so any process can go on from any point. Each step is None where there is nothing to do.
"""

from __future__ import annotations

from collections.abc import Iterable

from strategies.model import Consumers, End, Observed, Outcome, Pod, Side, Stand, Step, Tell, Turn, Wait

BACK_SECONDS = (
    5.0  # how long the way back waits for pods that do not say: the new version's health is not needed
)


def keep(seen: Observed) -> Step | None:
    """Tell a pod that was born meanwhile, or whose container was, what holds for its side."""
    if seen.consumers is None:
        return None
    if over(seen):
        return _begin(pod for pod in seen.preview.ready if pod.endpoints)
    doubted = _holding(seen.preview) if seen.consumers.exclusive else ()
    if doubted or any(pod.consumes for pod in seen.preview.pods):
        return None
    return _begin(pod for pod in seen.stable.ready if not pod.detached)


def over(seen: Observed) -> bool:
    """Say whether the preview is the side that consumes."""
    begun = any(pod.consumes for pod in seen.preview.pods)
    return begun and all(pod.consumes is False for pod in seen.stable.pods)


def early(seen: Observed, pods: tuple[Pod, ...]) -> Step | None:
    """Turn round where a pod of the preview consumes by itself: it takes events that no gate has allowed."""
    begun = next((pod.name for pod in pods if pod.consumes), None) if seen.consumers else None
    why = "consumes, and was not told to: it has to come up paused (spec.consumes.atStart)"
    return Turn(f"{begun} {why}") if begun else None


def silent(seen: Observed, pods: tuple[Pod, ...]) -> Step | None:
    """See that pods of the preview consume nothing yet, by their own word."""
    wanted = seen.consumers
    if wanted is None:
        return None
    late = next((pod for pod in _unheard(pods) if pod.late_seconds >= wanted.seconds), None)
    if late:
        return Turn(f"{late.name} does not say whether it consumes: {late.unheard}")
    return early(seen, pods) or _wait(_unheard(pods), "to say that they consume nothing yet", wanted)


def batch_silent(seen: Observed, pods: tuple[Pod, ...]) -> Step | None:
    """See that a batch consumes nothing yet; where the preview has taken over, its peers may have told it to."""
    if seen.consumers is None or over(seen):
        return None
    patient = (pod for pod in _unheard(seen.stable.pods) if pod.late_seconds < seen.consumers.seconds)
    return _wait(tuple(patient), "to say whether they consume", seen.consumers) or silent(seen, pods)


def go_over(seen: Observed) -> Step | None:
    """Let stable consume no more and then the preview consume; the traffic is the preview's by now."""
    wanted = seen.consumers
    if wanted is None:
        return None
    return _let_go(seen, wanted) or _take(seen, wanted)


def _let_go(seen: Observed, wanted: Consumers) -> Step | None:
    """Stop every pod of stable. One that cannot be asked may hold on: then nobody else takes, or nobody waits more."""
    stop = _stop(_all(seen.stable), wanted.seconds)
    left = tuple(pod for pod in _all(seen.stable) if pod.consumes is not False)
    patient = tuple(pod for pod in left if pod.late_seconds < wanted.seconds)
    if stop or patient:
        return stop or _wait(patient, "to consume no more", wanted)
    if left and wanted.exclusive:
        return Stand(f"{_doubt(left[0])}; while that is so no other may take: mend it or abort")
    return None


def _take(seen: Observed, wanted: Consumers) -> Step | None:
    """Begin with every pod of the preview; turn round where one does not."""
    pods = seen.preview.ready
    late = next((pod for pod in pods if not pod.consumes and pod.late_seconds >= wanted.seconds), None)
    if late:
        return Turn(f"{late.name} was told to consume, and does not say that it does: {late.unheard}")
    return _begin(pods) or _wait(_unheard(pods), "to consume", wanted)


def released(seen: Observed, pods: tuple[Pod, ...]) -> Step | None:
    """Let pods that are to go end what they have in hand; one that does not say goes all the same, and holds no more."""
    wanted = seen.consumers
    if wanted is None:
        return None
    left = tuple(pod for pod in pods if pod.consumes is not False and pod.late_seconds < wanted.seconds)
    return _stop(pods, wanted.seconds) or _wait(left, "to consume no more", wanted)


def finished(seen: Observed) -> Step | None:
    """Tell the last newborn of the preview before the release ends: nobody tells pods afterwards."""
    if seen.consumers is None or (seen.consumers.exclusive and _holding(seen.stable)):
        return None
    return _begin(pod for pod in seen.preview.ready if pod.late_seconds < seen.consumers.seconds)


def give_back(seen: Observed) -> Step | None:
    """Let the preview stop and stable begin again, beside each other; not where stable has nobody who could.

    A preview that does not say is not waited for long, for it goes anyway: then stable takes once that is gone.
    """
    wanted = seen.consumers
    if wanted is None or not seen.stable.ready:
        return None
    stop = _stop(_all(seen.preview), BACK_SECONDS)
    held = tuple(pod for pod in _all(seen.preview) if pod.consumes is not False)
    patient = () if seen.fast else tuple(pod for pod in held if pod.late_seconds < BACK_SECONDS)
    if stop or patient:
        return stop or _wait(patient, "of the preview to consume no more", wanted)
    if held and wanted.exclusive:
        return None
    return _begin_again(pod for pod in seen.stable.ready if pod.consumes or pod.late_seconds < wanted.seconds)


def taken_back(seen: Observed) -> Step | None:
    """See every stable pod consume, the preview being gone; past the time that is degraded."""
    wanted = seen.consumers
    if wanted is None:
        return None
    held = _holding(seen.preview)
    if held and (step := _stop(held, BACK_SECONDS)):
        return step
    if held and wanted.exclusive:
        return _over_soon(seen, held)
    late = next((pod for pod in _idle(seen.stable) if pod.late_seconds >= wanted.seconds), None)
    if late:
        return End(Outcome.DEGRADED, f"{late.name} of stable may consume nothing: {late.unheard}")
    return _begin_again(seen.stable.ready) or _wait(
        _unheard(seen.stable.ready), "of stable to consume", wanted
    )


def _over_soon(seen: Observed, held: tuple[Pod, ...]) -> Step:
    """Wait for the processes of the preview to end: until they have, they may hold what stable is to take."""
    if seen.waited.get("holders", 0.0) >= seen.deadline_seconds:
        return End(Outcome.DEGRADED, f"{_doubt(held[0])}; stable takes nothing while that is so")
    return Wait("holders", f"{_names(held)} of the preview to end", seen.deadline_seconds)


def _holding(side: Side) -> tuple[Pod, ...]:
    """List the pods of a side that consume, or may."""
    return tuple(pod for pod in _all(side) if pod.consumes is not False)


def _all(side: Side) -> tuple[Pod, ...]:
    return (*side.pods, *side.ending)


def _idle(side: Side) -> tuple[Pod, ...]:
    return tuple(pod for pod in side.ready if not pod.consumes)


def _unheard(pods: tuple[Pod, ...]) -> tuple[Pod, ...]:
    return tuple(pod for pod in pods if pod.consumes is None)


def _begin(pods: Iterable[Pod]) -> Step | None:
    return next((Tell(pod.name, consume=True) for pod in pods if pod.consumes is False), None)


def _begin_again(pods: Iterable[Pod]) -> Step | None:
    """Tell who does not consume, and who was told to stop and has not yet: it would stop once it has ended its event."""
    idle = (pod for pod in pods if pod.consumes is False or (pod.consumes and pod.late_seconds))
    return next((Tell(pod.name, consume=True) for pod in idle), None)


def _stop(pods: tuple[Pod, ...], patience_seconds: float) -> Step | None:
    """Tell a pod that consumes to stop; not again and again one that does not heed it."""
    heeding = (pod for pod in pods if pod.consumes and pod.late_seconds < patience_seconds)
    return next((Tell(pod.name, consume=False) for pod in heeding), None)


def _wait(pods: tuple[Pod, ...], what: str, wanted: Consumers) -> Step | None:
    return Wait("consumers", f"{_names(pods)} {what}", wanted.seconds) if pods else None


def _names(pods: tuple[Pod, ...]) -> str:
    """Name up to three pods: `wallet-1, wallet-2 and wallet-3`; of more the number says enough."""
    *first, last = [pod.name for pod in pods]
    if len(pods) > 3:
        return f"{len(pods)} pods"
    return f"{', '.join(first)} and {last}" if first else last


def _doubt(pod: Pod) -> str:
    why = pod.unheard or "it was told to stop, and says that it goes on"
    return f"{pod.name} may consume still: {why}"
