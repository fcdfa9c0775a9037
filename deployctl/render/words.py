"""What happens, in words: one line an action, saying what, to what and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deployctl.gates.stage import Stages, said
from deployctl.published import FlagMoved
from strategies.model import (
    Action,
    Admit,
    Arm,
    Ask,
    Begin,
    Clean,
    Detach,
    Discard,
    End,
    Finish,
    Hold,
    Lower,
    Observed,
    Outcome,
    Pause,
    Phase,
    Pin,
    Pod,
    Rehold,
    Restore,
    Return,
    Show,
    Stand,
    Step,
    Tell,
    Turn,
    Valve,
    Wait,
)
from strategies.quantities import duration


def flag(one: FlagMoved) -> str:
    """Say what a release did to a flag, as far as its record knows: `new-wallet is set to true, and was false`."""
    if one.back:
        return f"{one.key} is {one.back} again, and was set to {one.set_to}"
    if one.done:
        return f"{one.key} is set to {one.set_to}, and was {one.was}"
    return f"{one.key} was to be set to {one.set_to}, and was {one.was}: whether it is, nobody wrote down"


def did(action: Action, seen: Observed) -> str:  # noqa: C901, PLR0912 - one line an action
    """Say what was just done."""
    match action:
        case Begin():
            return f"{_held(seen.workload)}; the user's settings are written down"
        case Hold(stable, preview):
            return f"hold {stable} stable and {preview} preview pods (of {seen.replicas})"
        case Lower(partition):
            return f"lower the partition to {partition}: {_ranks(seen, partition)} made anew as the preview"
        case Discard(pod):
            return f"delete {pod}: {_why_deleted(seen, pod)}"
        case Pause():
            return f"pause with {len(seen.stable.pods)} stable and {len(seen.preview.pods)} preview pods"
        case Rehold():
            return "put the hold back that somebody wrote over"
        case Pin(service, ""):
            return f"unpin {service}: it selects as its manifest says"
        case Pin(service, revision) if revision == seen.preview.revision:
            return f"shift 100% of {service} to {revision}{_because(seen)}"
        case Pin(service, revision):
            return f"{'return 100% of' if seen.shifted else 'pin'} {service} to {revision} (stable)"
        case Show(service, ""):
            return f"put Service {service} back as it was before"
        case Show(service, revision):
            return f"show the preview {revision} at Service {service}"
        case Valve(service, on):
            return f"{'only labelled pods serve' if on else 'every pod serves'} behind {service}"
        case Admit(pod):
            return f"let {pod} in"
        case Detach(pod):
            return f"detach {pod}: it gets no new traffic and goes next"
        case Clean(pod):
            return f"clean {pod}: nothing of ours stays on it"
        case Tell(pod, consume):
            return f"tell {pod} {to_consume(consume=consume)}"
        case Finish():
            old = f"retire the old side: {counted(len(seen.stable.pods))}"
            return "every pod is new; only what is ours is left to take off" if _ranked(seen) else old
        case Arm(seconds):
            return f"arm the finish: Kubernetes retires the old side at a pod age of {duration(seconds)}"
        case Turn(reason):
            return f"turn round: {reason}"
        case Return(held):
            beside = " beside the preview, which serves meanwhile" * held
            return f"bring stable {seen.stable.revision} back to {seen.replicas} pods{beside}"
        case Restore(outcome):
            return f"restore the user's settings; {'promoted' if outcome is Outcome.PROMOTED else 'back on stable'}"


def to_consume(*, consume: bool) -> str:
    """Say what a pod is told."""
    return "to consume" if consume else "to consume no more"


def _held(workload: str) -> str:
    pause = f"pause the {workload}"
    return f"{pause} by a partition above every ordinal" if workload == "StatefulSet" else pause


def _ranked(seen: Observed) -> bool:
    return seen.workload == "StatefulSet"


def _ranks(seen: Observed, partition: int) -> str:
    """Name the pods that a partition lets the controller make anew, the first to go first."""
    going = sorted(
        (pod for pod in seen.stable.pods if pod.ordinal >= partition), key=lambda pod: -pod.ordinal
    )
    return f"{' and '.join(pod.name for pod in going) or 'none'} {'are' if len(going) > 1 else 'is'}"


def _why_deleted(seen: Observed, name: str) -> str:
    """Say why we delete a pod ourselves, and what it comes back as."""
    found = next((pod for pod in (*seen.preview.pods, *seen.strays) if pod.name == name), None)
    if found and not found.ready and seen.ordered:
        return "an OrderedReady StatefulSet does not replace a pod that is not ready by itself"
    if any(pod.name == name for pod in seen.strays):
        return "somebody else's template made it"
    if any(pod.name == name and pod.connected for pod in seen.stable.pods):
        return "its connections move to the preview, and it comes back idle"
    return f"it has no traffic, and comes back as stable {seen.stable.revision}"


def _because(seen: Observed) -> str:
    passed = [one.evidence for one in seen.verdicts.values() if one.passed]
    return f" ({passed[-1]})" if passed else ""


def about(one: tuple[Action, Observed]) -> str:
    """Name what a write to a pod is about: writes of one name that follow each other are told together."""
    action, seen = one
    match action:
        case Admit(pod):
            serves = any(pod == each.name and each.endpoints for each in seen.stable.pods)
            return "label" if serves else "let in"
        case Discard(pod) if any(pod == each.name and each.connected for each in seen.stable.pods):
            return "shake off"
        case Tell(_, consume):
            return to_consume(consume=consume)
        case _:
            return type(action).__name__.lower()


def alike(done: Sequence[tuple[Action, Observed]]) -> str:
    """Say in one line what was done to one pod after the other."""
    names = [action.pod for action, _ in done if isinstance(action, Admit | Detach | Clean | Discard | Tell)]
    pods = names[0] if len(names) == 1 else f"{len(names)} pods{_few(names)}"
    match about(done[0]):
        case "label":
            return f"label {pods}: what serves now goes on serving"
        case "let in":
            return f"let {pods} in"
        case "shake off":
            return f"restart {pods}: their connections move to the preview"
        case "discard":
            return f"delete {pods}: they have no traffic, and come back as stable"
        case "to consume" | "to consume no more" as what:
            return f"tell {pods} {what}"
        case "detach":
            return f"detach {pods}: no new traffic, next to go"
        case _:
            return f"clean {pods}: nothing of ours stays"


def _few(names: Sequence[str]) -> str:
    """List up to three names; of more the number says enough."""
    return f" ({', '.join(names)})" if len(names) <= 3 else ""


def verdicts(stages: Stages) -> Iterator[tuple[str, str]]:
    """Give each gate's answer once it has one, with a key of its own."""
    for question, askings in list(stages.asked.items()):
        for one in askings:
            if one.verdict:
                key = f"{question.stage.value} {question.about} {one.gate.name}"
                yield key, f"gate {one.gate.name} {said(one.verdict)}: {one.verdict.evidence}"


def key(now: Wait | Ask) -> str:
    """Name a wait, whatever its counts."""
    match now:
        case Ask(question):
            return f"gates {question.stage.value} {question.about}"
        case Wait(name):
            return name


def left(now: Wait | Ask) -> float | None:
    """Tell the seconds that a wait has left, where they are known: a deadline is none of them."""
    if (
        isinstance(now, Ask)
        or now.unbroken
        or now.key in ("stable", "recalled", "consumers")
        or _for_rounds(now)
    ):
        return None
    return now.seconds


def lasts(now: Wait | Ask) -> bool:
    """Say whether it is known from the start that this takes a while."""
    return isinstance(now, Ask) or (left(now) or 0.0) >= 1.0 or _for_rounds(now)


def _for_rounds(now: Wait) -> bool:
    return now.key.startswith("rounds ")


def still(now: Wait | Ask, seen: Observed, stages: Stages) -> str:
    """Say what goes on for long, with how far it has come."""
    asked = stages.asked.get(now.question, []) if isinstance(now, Ask) else []
    far = ", ".join(f"{one.gate.name} {one.answered} of {one.gate.count}" for one in asked)
    return step(now, seen) + (f" ({far})" if far else "")


def step(now: Step, seen: Observed) -> str:
    """Say what the release does or waits for now."""
    match now:
        case Ask(question, pods):
            return f"asking the gates {question.stage.value}, of {counted(len(pods))}"
        case Wait(key, unbroken=True) if not key.startswith("stable"):
            return f"waiting for the preview: {len(seen.preview.ready)} of {seen.preview.desired} pods ready"
        case Wait(_, reason):
            return f"waiting for {reason}"
        case Stand(reason):
            return reason
        case End(outcome, reason):
            return f"{outcome.value}: {reason}"
        case _:
            return did(now, seen)


def stands(seen: Observed) -> str:
    """Say what stands in the cluster, for whoever finds it."""
    sizes = f"{len(seen.stable.ready)} stable and {len(seen.preview.ready)} preview pods are ready"
    held = f"the {seen.workload} is {'paused' if seen.paused else 'not paused'}"
    return f"{held}; {sizes}; {traffic(seen)}"


def traffic(seen: Observed) -> str:
    """Say who gets the traffic."""
    if seen.shifted:
        return f"traffic goes to the preview {seen.preview.revision}"
    share = percent(seen)
    return (
        f"traffic goes to stable {seen.stable.revision}"
        if not share
        else f"the preview gets {share}% of new connections"
    )


def consuming(seen: Observed) -> str:
    """Say how many pods of each side consume events: `3 of 3 stable, 0 of 2 preview pods consume`."""
    sides = ("stable", seen.stable), ("preview", seen.preview)
    return f"{', '.join(_consuming(name, (*one.pods, *one.ending)) for name, one in sides)} pods consume"


def _consuming(name: str, pods: tuple[Pod, ...]) -> str:
    mute = sum(pod.consumes is None for pod in pods)
    said = f"{sum(bool(pod.consumes) for pod in pods)} of {len(pods)} {name}"
    return f"{said} ({mute} unknown)" if mute else said


def percent(seen: Observed) -> int:
    """Give the preview's share of new connections: its part of the ready endpoints."""
    old = sum(bool(pod.endpoints) for pod in seen.stable.pods)
    new = sum(bool(pod.endpoints) for pod in seen.preview.pods)
    return round(100 * new / (old + new)) if new else 0


def next_commands(app: str, seen: Observed | None, *, stands_at_gate: bool = False) -> tuple[str, ...]:
    """Give the commands that make sense now, the likeliest first."""
    if seen is None or seen.phase is None:
        return (f"deployctl status {app}",)
    if seen.phase is Phase.RETURNING:
        cuts = (f"deployctl resume {app} --proceed",) if _busy(seen) else ()
        return (f"deployctl abort {app}", *cuts)
    if seen.phase is Phase.FINISHING:
        return (f"deployctl finish {app}",)
    on = "promote" if stands_at_gate else "resume"
    cuts = (f"deployctl resume {app} --proceed",) if _busy(seen) else ()
    return (f"deployctl {on} {app}", *cuts, f"deployctl abort {app}")


def _busy(seen: Observed) -> bool:
    """Say whether pods that are to go have open rounds, or have not said."""
    losing = seen.stable.pods if seen.phase is not Phase.RETURNING else seen.preview.pods
    return seen.drain is not None and any(pod.rounds != 0 and not pod.endpoints for pod in losing)


def ended(outcome: str, app: str, revision: str, reason: str) -> str:
    """Say how it ended, by the name of the outcome."""
    match outcome:
        case "promoted":
            return f"{app}: promoted {revision}"
        case "rolledBack":
            return f"{app}: rolled back to {revision}" + (f" ({reason})" if reason else "")
        case "degraded":
            return f"{app}: DEGRADED: {reason}"
        case _:
            return f"{app}: back on {revision}" + (f": {reason}" if reason else "")


def planned(step: Step, workload: str = "Deployment") -> str:  # noqa: C901, PLR0912 - one line a step
    """Say what a step of a plan does; {n} stands for as many pods as alike steps follow each other."""
    match step:
        case Begin():
            return f"{_held(workload)} and write down its settings"
        case Lower(partition):
            return f"lower the partition to {partition}: the batch is made anew, the highest ordinal first"
        case Hold(stable, preview):
            return f"hold {stable} stable and {preview} preview pods"
        case Pause():
            return "pause, so that nobody's edit can act"
        case Pin(service, ""):
            return f"unpin {service}: it selects as its manifest says"
        case Pin(service, revision):
            return f"{'shift 100% of' if revision == 'preview' else 'pin'} {service} to the {revision} pods"
        case Show(service, revision):
            return f"show the preview at Service {service}" if revision else f"put Service {service} back"
        case Valve(service, on):
            return f"let {'only labelled pods' if on else 'every pod'} serve behind {service}"
        case Admit(pod):
            return "let {n} of the preview in" if pod.startswith("preview") else "label {n}, serving now"
        case Detach():
            return "detach {n} of the old side: no new traffic, next to go"
        case Clean():
            return "clean {n}: nothing of ours stays"
        case Tell(pod, consume):
            side = "the preview" if pod.startswith("preview") else "the old side"
            return f"tell {{n}} of {side} {to_consume(consume=consume)}, and see that they do"
        case Ask(question, pods):
            return f"ask the gates {question.stage.value}, of {counted(len(pods))}"
        case Wait(key, _, _, unbroken):
            return f"wait for {key}" if unbroken else f"wait for {_known(key)}"
        case Finish():
            return "leave every pod as it is now" if workload == "StatefulSet" else "retire the old side"
        case Restore():
            return "restore the user's settings"
        case Stand(reason):
            return reason
        case _:
            return type(step).__name__.lower()


def _known(key: str) -> str:
    """Name a timer of a strategy in a plan, where no pod has a name yet."""
    if key.startswith("spread"):
        return "every node to hear that they left"
    if key.startswith("bake"):
        return f"{key.partition(' ')[2]} preview pods to bake"
    waits = {
        "keepOld": "keepOld to pass",
        "promoteAfter": "promoteAfter to pass",
        "gone": "the last pods to be seen gone",
    }
    return waits.get(key, f"the {key}")


def counted(pods: int) -> str:
    return f"{pods} pod{'s' * (pods != 1)}"


def who(holder: str) -> str:
    """Name a person, not their process: `ann@build-7/4711` is `ann@build-7`."""
    return holder.partition("/")[0]


def age(span_seconds: float) -> str:
    """Write an age as kubectl does: seconds up to 2m, then 5m30s, 42m, 3h10m, 20h, 5d."""
    whole = max(0, int(span_seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return f"{minutes}m{whole % 60}s" if whole % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    return f"{hours}h" if hours < 48 else f"{days}d"
