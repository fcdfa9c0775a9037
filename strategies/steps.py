"""The steps that strategies share. Each returns what to do next, or None: nothing more to ask of it."""

from __future__ import annotations

from strategies.consuming import finished, give_back, taken_back
from strategies.model import (
    Admit,
    Ask,
    Clean,
    Detach,
    Discard,
    End,
    Finish,
    Hold,
    Observed,
    Outcome,
    Phase,
    Pin,
    Pod,
    Question,
    Rehold,
    Restore,
    Return,
    Show,
    Side,
    Stage,
    Stand,
    Step,
    Turn,
    Valve,
    Wait,
)
from strategies.quantities import duration

SPREAD_SECONDS = 2.0  # from the EndpointSlices to every node's data plane (kube-proxy batches for up to 1 s)
LABELS_SECONDS = 0.3  # from a pod's label to the endpoints controller's view of it
SILENT_SECONDS = 5.0  # how long the way back waits for pods that do not say how many rounds are open
GONE_SECONDS = 2.0  # from a pod's end to the endpoints controller's view of it, on a busy control plane


def rehold(seen: Observed) -> Step | None:
    """Put the hold back before anything else where somebody has written over it."""
    return Rehold() if seen.tampered else None


def guard(seen: Observed) -> Step | None:
    """Answer what somebody else did to the hold before anything of our own."""
    if not seen.replicas:
        return Turn("scaled to 0 in mid-release")
    if seen.shrunk and not seen.tampered:
        return Turn("the stable side was shrunk by somebody's write")
    return rehold(seen) or seen_by_all(seen)


def seen_by_all(seen: Observed) -> Step | None:
    """Turn round where a Service that has not moved yet would lose its endpoints by moving."""
    blind = (one.name for one in seen.services if one.blind and one.pin != seen.preview.revision)
    return next(
        (Turn(f"Service {name} asks for a label that the preview does not have") for name in blind), None
    )


def linger(seen: Observed, key: str, seconds: float, reason: str) -> Wait | None:
    """Wait once for a span of time that this process has witnessed in full."""
    left = seconds - seen.waited.get(key, 0.0)
    return Wait(key, reason, left) if left > 0 else None


def arriving(seen: Observed) -> Step:
    """Wait for the preview's pods; turn round when they cannot come or the deadline has passed."""
    key = f"{seen.preview.desired} of the preview ready"
    if seen.preview.trouble:
        return Turn(seen.preview.trouble)
    if seen.waited.get(key, 0.0) >= seen.deadline_seconds:
        return Turn(f"not ready within the progress deadline of {seen.deadline_seconds:g}s")
    ready, wanted = len(seen.preview.ready), seen.preview.desired
    return Wait(key, f"{ready} of {wanted} preview pods ready", seen.deadline_seconds, unbroken=True)


def ask(seen: Observed, stage: Stage, about: str, pods: tuple[Pod, ...]) -> Step | None:
    """Ask the gates of a stage, once for each thing they are asked about; no means turn round."""
    return _put(seen, Question(stage, about), pods)


def ask_each(seen: Observed, stage: Stage, pods: tuple[Pod, ...]) -> Step | None:
    """Ask the gates of a stage about those of these pods that no answer vouches for yet."""
    vouched = {name for one, verdict in seen.verdicts.items() if verdict.passed for name in one.pods}
    new = tuple(pod for pod in pods if pod.identity not in vouched)
    about, these = ", ".join(pod.name for pod in new), frozenset(pod.identity for pod in new)
    return _put(seen, Question(stage, about, these), new) if new else None


def _put(seen: Observed, question: Question, pods: tuple[Pod, ...]) -> Step | None:
    if question.stage not in seen.gated:
        return None
    verdict = seen.verdicts.get(question)
    if verdict is None:
        return Ask(question, tuple(pod.name for pod in pods))
    if verdict.undecided:
        return Stand(f"{verdict.evidence}; a person decides: promote or abort")
    return None if verdict.passed else Turn(verdict.evidence)


def pin(seen: Observed, revision: str) -> Step | None:
    """Point every listed Service, in the spec's order, at one revision, or with "" at all again."""
    return next((Pin(one.name, revision) for one in seen.services if one.pin != revision), None)


def show(seen: Observed) -> Step | None:
    """Open the preview's front door as soon as the preview has a name."""
    front, revision = seen.preview_service, seen.preview.revision
    return Show(front.name, revision) if front and front.pin != revision else None


def put_away(seen: Observed) -> Step | None:
    """Put the preview's front door back as it was."""
    front = seen.preview_service
    return Show(front.name, "") if front and front.ours else None


def valve(seen: Observed, *, on: bool) -> Step | None:
    return next((Valve(one.name, on) for one in seen.services if one.valve is not on), None)


def unpin(seen: Observed) -> Step | None:
    return _widened(seen, pin(seen, ""))


def valve_off(seen: Observed) -> Step | None:
    return _widened(seen, valve(seen, on=False))


def _widened(seen: Observed, step: Step | None) -> Step | None:
    """Let a Service select more only once nobody would send to pods that go."""
    return step and (_ended(seen) or _forgotten(seen) or step)


def _ended(seen: Observed) -> Step | None:
    """Wait until pods that are going have ended, where a Service that selects them would send to them meanwhile."""
    late = seen.fast or seen.waited.get("leaving", 0.0) >= seen.deadline_seconds
    if late or not seen.leaving:
        return None
    return Wait("leaving", f"{seen.leaving} pods that are published until they end", seen.deadline_seconds)


def _forgotten(seen: Observed) -> Step | None:
    """Wait until the endpoints controller has seen the last pods go.

    It watches pods and Services apart: told of the Service first, it takes the dying pods in as endpoints, and
    kube-proxy keeps them for the second between two of its syncs. Old pods that sleep in preStop outlast that.
    """
    left = GONE_SECONDS - seen.gone_age_seconds
    if left <= 0 or (seen.stable.lingers and seen.phase is not Phase.RETURNING):
        return None
    return Wait("gone", "the endpoints controller to have seen the last pods go", left)


def carried(seen: Observed, side: Side, other: Side) -> Step | None:
    """Wait until the endpoints are the ready pods of one side and nothing else."""
    every = len(seen.services)
    if other.carries or any(pod.endpoints < every for pod in side.ready):
        return Wait(f"endpoints of {side.revision}", f"endpoints to follow to {side.revision}")
    return None


def spread(seen: Observed, leaving: Side, key: str) -> Step | None:
    """Wait until every node has heard that these pods left, unless their preStop outlasts that anyway."""
    if leaving.lingers or seen.fast:
        return None
    return linger(seen, f"spread {key}", SPREAD_SECONDS, "the endpoints' change to reach every node")


def drained(seen: Observed, pods: tuple[Pod, ...], side: Side, key: str) -> Step | None:
    """Wait until pods have left the endpoints, every node has heard of it, and their rounds are over."""
    if any(pod.endpoints for pod in pods):
        return Wait("detached", "the detached pods to leave the endpoints")
    return (spread(seen, side, key) or rounds_over(seen, pods, key)) if pods else None


def shake_off(seen: Observed) -> Step | None:
    """Restart old pods one by one, so that connections from before the shift move and a warm side stands idle.

    A pod with open rounds is left until they have ended; past the deadline for one pod no other is touched.
    """
    connected = [pod for pod in seen.stable.pods if pod.connected and pod.rounds == 0]
    if not connected:
        return None
    if seen.stable.complete:
        return spread(seen, seen.stable, "old side") or Discard(connected[0].name)
    key, ready = f"shaken but for {len(connected)}", f"{len(seen.stable.ready)} of {seen.stable.desired}"
    if seen.waited.get(key, 0.0) >= seen.deadline_seconds:
        return None
    return Wait(key, f"the restarted old pod to be ready ({ready})", seen.deadline_seconds)


def rounds_over(seen: Observed, pods: tuple[Pod, ...], key: str) -> Step | None:
    """Wait until the rounds on pods without traffic have ended; past the deadline a person decides, or the spec has."""
    busy = tuple(pod for pod in pods if pod.rounds != 0)
    if seen.drain is None or not busy or (seen.fast and seen.phase is Phase.RETURNING):
        return None
    if seen.phase is Phase.RETURNING and all(pod.rounds is None for pod in busy):
        return _silent(seen, busy, key)
    timer = f"rounds {key}"
    waited = seen.waited.get(timer, 0.0)
    if waited < max(seen.drain.seconds, _word_seconds(busy)):
        return Wait(timer, f"{open_rounds(busy)} to end", seen.drain.seconds)
    if seen.drain.proceed:
        return None
    return Stand(f"{open_rounds(busy)} did not end in {duration(seen.drain.seconds)}; their pods stay")


def _word_seconds(pods: tuple[Pod, ...]) -> float:
    """Say how long pods are heard out in any case, where it is not known yet of one of them what is open on it."""
    return SILENT_SECONDS if any(pod.rounds is None for pod in pods) else 0.0


def _silent(seen: Observed, pods: tuple[Pod, ...], key: str) -> Step | None:
    """Wait a little for pods none of which says anything: the way back does not need the new version's word.

    The silence counts, not the waiting: one answer that was lost cuts no round that was told of.
    """
    timer = f"rounds silent {key}"
    if seen.waited.get(timer, 0.0) >= SILENT_SECONDS:
        return None
    return Wait(timer, f"{open_rounds(pods)} to end", SILENT_SECONDS, unbroken=True)


def open_rounds(pods: tuple[Pod, ...]) -> str:
    """Count the rounds on pods: `5 open rounds on 2 pods (the oldest 1m30s)`, and who has not said."""
    told = [pod for pod in pods if pod.rounds]
    mute = [f"{pod.name} ({pod.mute})" if pod.mute else pod.name for pod in pods if pod.rounds is None]
    oldest = max((pod.oldest_seconds for pod in told), default=0.0)
    age = f" (the oldest {duration(round(oldest))})" if oldest else ""
    rounds = sum(pod.rounds or 0 for pod in told)
    counted = f"{rounds} open round{'s' * (rounds != 1)} on {len(told)} pod{'s' * (len(told) != 1)}{age}"
    return " and ".join([counted] * bool(told) + [f"the unknown rounds of {', '.join(mute)}"] * bool(mute))


def valve_on(seen: Observed) -> Step | None:
    """Label every stable pod that serves, let the label be seen everywhere, and only then ask for it.

    Where stable is gone there is none to keep in, unless nothing else would let the preview in.
    """
    pinned = any(one.pin for one in seen.services)
    if (seen.stable.gone and not pinned) or all(one.valve for one in seen.services):
        return None
    bare = (pod for pod in seen.stable.pods if not pod.labelled and not pod.detached)
    return next((Admit(pod.name) for pod in bare), None) or labels_seen(seen) or valve(seen, on=True)


def labels_seen(seen: Observed) -> Step | None:
    left = LABELS_SECONDS - seen.labels_age_seconds
    return Wait("labels", "the pods' labels to be seen", left) if left > 0 else None


def admit_newborn(seen: Observed, side: Side) -> Step | None:
    """Label pods at sight that were born while the valve is on, so that they serve once ready."""
    if not seen.valve:
        return None
    return next((Admit(pod.name) for pod in side.pods if not pod.labelled and not pod.detached), None)


def clean(seen: Observed) -> Step | None:
    """Leave nothing of ours on the pods that stay."""
    left = (pod for pod in (*seen.stable.pods, *seen.preview.pods) if pod.labelled or pod.detached)
    return next((Clean(pod.name) for pod in left), None)


def finish(seen: Observed) -> Step:
    """Wait for the old side to go, then take our hands off; past the deadline that is degraded."""
    if seen.stable.gone:
        return _hands_off(seen) or finished(seen) or Restore(Outcome.PROMOTED)
    left = f"{len(seen.stable.pods)} old pods"
    if seen.waited.get("old side", 0.0) >= seen.deadline_seconds:
        ready = f"{len(seen.preview.ready)} of {seen.replicas} new pods are ready"
        return End(Outcome.DEGRADED, f"{left} were not retired; {ready}")
    return _exact(seen) or Wait("old side", f"{left} to be retired", seen.deadline_seconds)


def _exact(seen: Observed) -> Step | None:
    """Bring the preview to exactly the size: paused, the controller retires the old side beside no other.

    Somebody's scaling may leave it at 3 of 2, or at 11 of 12 (IsSaturated of the Deployment controller).
    """
    if not seen.settled:
        return None
    if seen.paused:
        at_size = seen.preview.desired == seen.replicas
        return (
            None if at_size else Hold(min(seen.stable.desired, seen.replicas), seen.replicas, Phase.FINISHING)
        )
    return Finish() if seen.partitioned and seen.preview.complete else None


def _hands_off(seen: Observed) -> Step | None:
    return unpin(seen) or valve_off(seen) or clean(seen) or put_away(seen)


def go_back(seen: Observed) -> Step:
    """Return to stable: traffic first, then the Deployment, then the settings."""
    if not seen.returned:
        return (
            _keep_stable(seen)
            or _traffic_back(seen)
            or give_back(seen)
            or _ranks_back(seen)
            or _back_in(seen)
            or _beside(seen)
            or _rounds_back(seen)
            or Return()
        )
    return (
        _readmit(seen)
        or _valve_back(seen)
        or give_back(seen)
        or _whole_again(seen)
        or taken_back(seen)
        or _hands_off(seen)
        or Restore(Outcome.ABORTED)
    )


def _keep_stable(seen: Observed) -> Step | None:
    """Stop the controller before anything relies on old pods that it may be about to retire.

    An abort right after Finish sees them all, and traffic moved back to them would end with them.
    """
    if seen.retiring and seen.tampered:
        return Rehold()
    if seen.retiring and seen.replicas and not seen.stable.gone:
        old = min(seen.stable.desired, seen.replicas)
        return Hold(old, max(seen.preview.desired, seen.replicas - old), Phase.RETURNING)
    if not seen.settled:
        return Wait("settled", "the Deployment controller to have seen the last write")
    return None


def _traffic_back(seen: Observed) -> Step | None:
    """Move the pinned Services to stable, or to both sides where stable alone could not carry the load."""
    if seen.shifted and not _able(seen):
        return next(Pin(one.name, "") for one in seen.services if one.pin == seen.preview.revision)
    away = (one for one in seen.services if one.pin not in ("", seen.stable.revision))
    return next((Pin(one.name, seen.stable.revision) for one in away), None) or _left(seen)


def _able(seen: Observed) -> bool:
    """Say whether stable alone serves at least what is wanted, or at least what the preview serves."""
    return len(seen.stable.ready) >= max(1, min(seen.replicas, len(seen.preview.ready)))


def _left(seen: Observed) -> Step | None:
    """Wait until the preview has lost its traffic, where the Services can tell the two sides apart."""
    if seen.fast or not any(one.pin for one in seen.services):
        return None
    if all(one.pin for one in seen.services) and seen.preview.carries:
        return Wait("left", "the preview to leave the endpoints")
    return spread(seen, seen.preview, "preview") if seen.preview.pods else None


def _ranks_back(seen: Observed) -> Step | None:
    """Let detached stable pods serve again and put dark preview pods first in line to go."""
    if not seen.valve:
        return None
    dark = (Detach(pod.name) for pod in seen.preview.pods if not pod.labelled and not pod.detached)
    return _readmit(seen) or next(dark, None)


def _back_in(seen: Observed) -> Step | None:
    """Wait until every ready stable pod serves: the next write removes preview pods at once."""
    every = len(seen.services)
    if any(pod.endpoints < every for pod in seen.stable.ready):
        return Wait("back", "the endpoints to take in stable")
    return None


def _beside(seen: Observed) -> Step | None:
    """Bring stable back beside a preview that serves while the valve is on: its new pods come up dark.

    Else the preview would go as they come, ready but dark, and for good where the process dies before it labels them.
    """
    return _stable_beside(seen) if seen.valve and seen.preview.carries else None


def _rounds_back(seen: Observed) -> Step | None:
    """Let the preview drain before it goes; where it serves, stable is brought back beside it first.

    A preview that sleeps in preStop drains by itself, and has only its rounds to wait for.
    """
    if seen.fast or not seen.preview.pods or (seen.drain is None and seen.preview.lingers):
        return None
    if seen.preview.carries:
        return _stable_beside(seen) or valve_on(seen) or _detach_preview(seen)
    return drained(seen, seen.preview.pods, seen.preview, "preview")


def _stable_beside(seen: Observed) -> Step | None:
    """Bring stable back until it alone can carry the load, beside the preview; past the deadline that is degraded.

    Not where it can already: told of the way back, the controller counts old pods as available for a moment, and
    would retire as many of the preview.
    """
    if _serving(seen) >= seen.replicas:
        return None
    return _waits_for_stable(seen, "recalled", "") if seen.recalled else Return(held=True)


def _detach_preview(seen: Observed) -> Step | None:
    serving = (pod for pod in seen.preview.pods if not pod.detached)
    return next((Detach(pod.name) for pod in serving), None) or drained(
        seen, seen.preview.pods, seen.preview, "preview"
    )


def _readmit(seen: Observed) -> Step | None:
    if not seen.valve:
        return None
    return next((Admit(pod.name) for pod in seen.stable.pods if not pod.labelled), None)


def _valve_back(seen: Observed) -> Step | None:
    """Ask for the label no longer once every preview pod has it: then stable pods serve as they come, by themselves."""
    return None if any(not pod.labelled for pod in seen.preview.pods) else valve_off(seen)


def _whole_again(seen: Observed) -> Step | None:
    """Wait until stable serves at full size and the preview is gone; past the deadline that is degraded."""
    if _serving(seen) >= seen.replicas and seen.preview.gone and not seen.dying:
        return None
    return _waits_for_stable(seen, "stable", " and the preview to go")


def _serving(seen: Observed) -> int:
    """Count the stable pods behind every Service."""
    every = len(seen.services)
    return sum(pod.endpoints == every for pod in seen.stable.ready)


def _waits_for_stable(seen: Observed, key: str, then: str) -> Step:
    serving = _serving(seen)
    if seen.waited.get(key, 0.0) >= seen.deadline_seconds:
        return End(Outcome.DEGRADED, f"only {serving} of {seen.replicas} stable pods came back")
    return Wait(key, f"stable to serve ({serving} of {seen.replicas}){then}", seen.deadline_seconds)
