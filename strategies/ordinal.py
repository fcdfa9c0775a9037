"""Rolling for a StatefulSet: the highest ordinals first, each pod made anew under its own name.

There is no room to surge: a batch leaves the endpoints, is made anew dark, is gated, and is let in again.
The laws are those of rolling with `surge: 0`: never fewer than the size less a batch serve, no pod of the
preview serves before its gates said yes, none that serves is removed. Between two batches the partition is
above every ordinal: then no template acts, and a pod that dies comes back as its StatefulSet's current
revision, which is stable until every pod is of the preview.
The way back is not the controller's: it waits for ever for a pod that never gets ready (OrderedReady,
"Forced rollback" of the Kubernetes documentation), so stable's template is put back with nothing acting on
it, and the preview's pods are deleted one after the other once they have no traffic.
"""

from __future__ import annotations

from dataclasses import dataclass

from strategies.model import (
    Admit,
    Detach,
    Discard,
    End,
    Lower,
    Observed,
    Outcome,
    Phase,
    Pod,
    Restore,
    Return,
    Step,
    Turn,
    Wait,
)
from strategies.rolling import Rolling
from strategies.steps import clean, drained, labels_seen, valve, valve_off, valve_on


@dataclass(frozen=True, slots=True)
class Ordinal(Rolling):
    """Options of `strategy.rolling` where the workload is a StatefulSet; `surge` is nothing or 0."""

    def decide(self, seen: Observed) -> Step:
        """Give the one next step."""
        match seen.phase:
            case Phase.FINISHING:
                return _hands_off(seen) or Restore(Outcome.PROMOTED)
            case Phase.RETURNING:
                return self._back(seen)
            case _:
                return Rolling.decide(self, seen)

    def walk(self, seen: Observed) -> Step:
        return _stray(seen) or Rolling.walk(self, seen)

    def _narrowed(self, seen: Observed) -> Step | None:
        """Label the pods first: a batch leaves the endpoints before anything comes up."""
        return valve_on(seen)

    def _batch(self, seen: Observed) -> int:
        """Size a batch: of several pods never all."""
        return max(1, min(self.batch.of(seen.replicas), seen.replicas - 1))

    def _going(self, seen: Observed) -> tuple[Pod, ...]:
        """List the old pods that are made anew next: of 0 to 5, all old, in batches of 2 these are 5 and 4."""
        return _highest_first(seen.stable.pods)[: self._batch(seen)]

    def _detach(self, seen: Observed) -> Step | None:
        """Take the next batch out of the endpoints, once the others carry the load, and let it drain."""
        if seen.stable.gone:
            return None
        if seen.replicas == 1 and self.surge is None:
            return Turn(
                "it has one pod, and nothing would serve while that is made anew: `surge: 0` accepts it"
            )
        going = self._going(seen)
        staying = [pod for pod in (*seen.stable.pods, *seen.preview.pods) if pod not in going]
        return (
            next((Admit(pod.name) for pod in staying if pod.detached), None)
            or _carried(seen, len(going), staying)
            or next((Detach(pod.name) for pod in going if not pod.detached), None)
            or drained(seen, going, seen.stable, _identities(going))
        )

    def _next(self, seen: Observed) -> Step:
        return Lower(min(pod.ordinal for pod in self._going(seen)))

    def _back(self, seen: Observed) -> Step:
        """Return to stable: its template first, where nothing acts on it, then pod after pod."""
        if not seen.returned:
            return Return()
        if not seen.settled:
            return Wait("settled", "the StatefulSet controller to have seen the last write")
        return _stray(seen) or _readmit(seen) or self._leave(seen) or _whole(seen) or Restore(Outcome.ABORTED)

    def _leave(self, seen: Observed) -> Step | None:
        """Delete the preview's pods: at once those that never had traffic, the others a batch at a time."""
        if not seen.preview.pods:
            return None
        return _valve_on(seen) or _discard_dark(seen) or self._detach_back(seen) or _discard_detached(seen)

    def _detach_back(self, seen: Observed) -> Step | None:
        """Take as many of the preview's pods out of the endpoints as a batch has, less what is out already."""
        every = len(seen.services)
        carrying = [pod for pod in (*seen.stable.pods, *seen.preview.pods) if pod.labelled]
        out = seen.replicas - sum(pod.endpoints == every for pod in carrying)
        labelled = [pod for pod in _highest_first(seen.preview.pods) if pod.labelled]
        going = (pod for pod in labelled if out < self._batch(seen) or not pod.endpoints)
        return next((Detach(pod.name) for pod in going), None)


def _highest_first(pods: tuple[Pod, ...]) -> tuple[Pod, ...]:
    return tuple(sorted(pods, key=lambda pod: pod.ordinal, reverse=True))


def _stray(seen: Observed) -> Step | None:
    """Delete a pod that somebody else's template made: the controller waits for ever where it is not ready."""
    going = (Detach(pod.name) if pod.endpoints else Discard(pod.name) for pod in seen.strays)
    return next(going, None)


def _carried(seen: Observed, going: int, staying: list[Pod]) -> Step | None:
    """Wait until all that stay serve; turn round when they do not within the deadline."""
    every = len(seen.services)
    serving = sum(pod.ready and pod.endpoints == every for pod in staying)
    key, wanted = f"stable less {going} of {len(seen.stable.pods)}", max(0, seen.replicas - going)
    if going and serving >= wanted:
        return None
    if seen.waited.get(key, 0.0) >= seen.deadline_seconds:
        return Turn(f"only {serving} of the {wanted} pods that stay serve: no other can be taken out")
    reason = f"the pods that stay to serve ({serving} of {wanted})"
    return Wait(key, reason, seen.deadline_seconds, unbroken=True)


def _readmit(seen: Observed) -> Step | None:
    """Let stable pods serve, those that were to go next too."""
    if not seen.valve:
        return None
    return next((Admit(pod.name) for pod in seen.stable.pods if not pod.labelled), None)


def _valve_on(seen: Observed) -> Step | None:
    """Label every pod that serves, of whichever side, and ask for the label: then pods can be taken out by name."""
    if all(one.valve for one in seen.services):
        return None
    every = len(seen.services)
    serving = [*seen.stable.pods, *(pod for pod in seen.preview.pods if pod.endpoints == every)]
    bare = (pod for pod in serving if not pod.labelled and not pod.detached)
    return next((Admit(pod.name) for pod in bare), None) or labels_seen(seen) or valve(seen, on=True)


def _discard_dark(seen: Observed) -> Step | None:
    """Delete those that no gate has vouched for: out of every endpoint since the valve is on."""
    dark = [
        pod
        for pod in _highest_first(seen.preview.pods)
        if not (pod.labelled or pod.detached or pod.endpoints)
    ]
    return Discard(dark[0].name) if dark else None


def _discard_detached(seen: Observed) -> Step | None:
    """Delete those that have left the endpoints, once every node has heard of it."""
    out = tuple(pod for pod in _highest_first(seen.preview.pods) if not pod.labelled)
    return drained(seen, out, seen.preview, _identities(out)) or (Discard(out[0].name) if out else None)


def _whole(seen: Observed) -> Step | None:
    """Wait until stable serves, as far as it was taken back; past the deadline that is degraded."""
    every, left = len(seen.services), len(seen.preview.pods)
    serving = sum(pod.endpoints == every for pod in seen.stable.ready)
    if serving >= seen.replicas and not left and not seen.dying:
        return _hands_off(seen)
    key = f"stable beside {left}"
    if seen.waited.get(key, 0.0) >= seen.deadline_seconds:
        return End(Outcome.DEGRADED, f"only {serving} of {seen.replicas} stable pods came back")
    reason = f"stable to serve ({serving} of {seen.replicas})"
    return Wait(key, reason, seen.deadline_seconds, unbroken=True)


def _identities(pods: tuple[Pod, ...]) -> str:
    """Name these very pods, not those that come back under their names."""
    return ", ".join(pod.identity for pod in pods)


def _hands_off(seen: Observed) -> Step | None:
    return valve_off(seen) or clean(seen)
