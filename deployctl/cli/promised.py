"""The body of `release --plan`: read the file, see whether all is as it was, and carry out exactly that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from deployctl._version import __version__
from deployctl.cli.flags import Flags
from deployctl.cli.looking import plain
from deployctl.cli.releasing import Asked, able, go, one_of, orders_of, planned, ready_to_go, tidy, unchanged
from deployctl.cli.session import Subject, connect, show, story, tell
from deployctl.cluster.api import Api, NotFound
from deployctl.cluster.paths import path
from deployctl.cluster.view import Names
from deployctl.difference import unlike
from deployctl.errors import Conflict, UsageError
from deployctl.foreign import printable
from deployctl.identity import cluster_of
from deployctl.memory import recalled
from deployctl.moved import Now, done, moved
from deployctl.observe import replica_set
from deployctl.planfile import AGAIN, PlanFile, in_time, read
from deployctl.planning import Around
from deployctl.planning import plan as walked
from deployctl.prepare import Found, Prepared, Wanted, names_of, owned
from deployctl.promise import Promise, short
from deployctl.record import Kept, Record
from deployctl.releases import Plan, Run, as_finished, finished_by_itself, forget_copies
from deployctl.render import plan as render
from deployctl.spec import App, from_canonical
from deployctl.template import bare, digest, restarted
from deployctl.workload import template_in

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """A plan that holds, what is there, and the whole template that it is to have."""

    kept: PlanFile
    app: App
    record: Kept
    there: Found
    template: Json
    done: bool  # the template is live, and nothing is left to do
    unfinished: bool  # a release before it has ended by itself: `there` is as once it is finished

    @property
    def subject(self) -> Subject:
        """The app as its spec file would give it: with a manifest that states the promised template."""
        meta = {"name": self.there.names.deployment}
        manifest = {"kind": self.there.names.kind, "metadata": meta, "spec": {"template": self.template}}
        return Subject(self.app, (manifest,), self.record)


def release(flags: Flags, target: str, ask: Asked, *, dry_run: bool = False) -> int:
    """Release a saved plan; give the exit code."""
    _alone(target, ask)
    one_of("--on-timeout", ask.on_timeout, ("abort", "hold"))
    kept = read(ask.plan)
    app = from_canonical(kept.promise.spec, source=f"--plan {ask.plan}")
    api = _connect(flags, kept.promise)
    able(api, app.spec.workload.kind)
    in_time(kept, api.now())
    held = holds(api, kept, app)
    return _looked(flags, api, held) if dry_run else _carried_out(flags, api, held, ask)


def _looked(flags: Flags, api: Api, case: Case) -> int:
    """Show a plan that holds, and touch nothing."""
    if case.done:
        return unchanged(flags, case.app.name)
    _ready(api, case)
    one = case.kept.plan
    show(flags, plain(one), printable(render.text(one)), f"deployctl/{one.app}")
    return 0


def _carried_out(flags: Flags, api: Api, case: Case, ask: Asked) -> int:
    """Finish a release that has ended by itself, and begin the plan's own, or go on with it."""
    if case.unfinished:
        tidy(flags, api, case.subject)
        case = holds(api, case.kept, case.app)
    for one in forget_copies(api, case.there):
        tell(one)
    if case.done:
        return unchanged(flags, case.app.name)
    plan = run_of(api, case)
    _tell(flags, case)
    ask = replace(ask, wait=case.kept.promise.flags.wait)
    return go(flags, Run(api, plan, story(flags, case.app.name), orders_of(case.app, ask)), ask)


def run_of(api: Api, case: Case) -> Plan:
    """Plan the run that carries out a plan that holds; raise where it would be another one."""
    promise = case.kept.promise
    return planned(
        api,
        case.subject,
        _ready(api, case),
        accept_sync=promise.flags.accept_sync,
        content=promise.content,
    )


def _tell(flags: Flags, case: Case) -> None:
    """Say that the plan holds, and what is not as it was and yet no matter."""
    promise, kept = case.kept.promise, case.kept
    if not flags.quiet:
        tell(f"{promise.app}: the plan {short(kept.digest)} of {kept.created} holds")
    was, now = promise.deployment.replicas, case.there.deployment["spec"].get("replicas", 1)
    if was != now:
        tell(f"{promise.app}: {now} replicas, {was} when it was planned: the steps are those of {now}")


def _alone(target: str, ask: Asked) -> None:
    """Raise where the command line says what the plan says already."""
    if not ask.plan:
        raise UsageError(
            "nothing to release was given",
            advice="give a spec file or its folder, as in `deployctl release .`; or an app's name, or a plan with --plan",
        )
    given = {
        "FILE|APP": target,
        "--image": ask.image,
        "--restart": ask.restart,
        "--promote": ask.promote,
        "--wait": ask.wait,
        "--accept-sync": ask.accept_sync,
        "--fit": ask.fit,
        "--replace": ask.replace,
    }
    several = [name for name, value in given.items() if value]
    if several:
        raise UsageError(
            f"--plan says all of {', '.join(several)} already, and is carried out as it was written",
            advice=f"leave {'it' if len(several) == 1 else 'them'} out, or give the same to `deployctl plan --out`",
        )


def _connect(flags: Flags, promise: Promise) -> Api:
    if flags.namespace and flags.namespace != promise.namespace:
        raise UsageError(
            f"the plan is of namespace {promise.namespace}, which is not --namespace {flags.namespace}",
            advice="leave --namespace out: the plan names its own",
        )
    return connect(flags, promise.namespace)


def holds(api: Api, kept: PlanFile, app: App) -> Case:
    """Look at what was planned on; raise Conflict for everything that has moved."""
    names = names_of(app, api.namespace)
    record = Record(api, names.namespace, names.app).read()
    now = _now(api, names, record)
    unfinished = bool(now.deployment) and finished_by_itself(_found(names, now))
    if unfinished:
        now = _rested(now, as_finished(_found(names, now)))
    template = _template(kept, now) if now.deployment else {}
    differences = moved(kept.promise, now, digest(template))
    if differences or now.deployment is None:
        told = "".join(f"\n  {printable(one)}" for one in differences)
        raise Conflict(
            f"the plan {short(kept.digest)} of {names.app}, made at {kept.created}, holds no longer;"
            f" nothing was touched{told}",
            advice=f"if that is as it should be, {AGAIN}",
        )
    return Case(
        kept, app, record, _found(names, now), template, done(now, digest(template)), unfinished=unfinished
    )


def _found(names: Names, now: Now) -> Found:
    services = tuple(one for one in now.services.values() if one)
    return Found(names, now.deployment or {}, services, now.replica_sets, now.memory)


def _rested(now: Now, there: Found) -> Now:
    services = {**now.services, **{one["metadata"]["name"]: one for one in there.services}}
    return replace(now, deployment=there.deployment, services=services, memory=None)


def _now(api: Api, names: Names, record: Kept) -> Now:
    deployment = _known(api, path(names.namespace, names.resource, names.deployment))
    services = {one: _known(api, path(names.namespace, "services", one)) for one in names.services}
    sets = tuple(owned(api, deployment)) if deployment else ()
    copies = (*(one for one in services.values() if one), *sets)
    memory = recalled(deployment, copies) if deployment else None
    last = record.releases[0] if record.releases else None
    return Now(cluster_of(api), deployment, services, sets, memory, last)


def _known(api: Api, where: str) -> Json | None:
    try:
        return api.get(where)
    except NotFound:
        return None


def _template(kept: PlanFile, now: Now) -> Json:
    """Give the promised template, whole: what is not in the file comes from the template that was planned on."""
    promise = kept.promise
    owner = replica_set(now.replica_sets, promise.deployment.stable)
    ground = bare(template_in(owner or now.deployment or {}))
    whole = promise.template_on(ground)
    if owner and digest(whole) != promise.preview:
        raise UsageError(f"the plan's template is not that of its digest {promise.preview}", advice=AGAIN)
    return restarted(whole, kept.created) if promise.flags.restart else whole


def _ready(api: Api, case: Case) -> Prepared:
    """Complete the template anew, and walk anew; raise where either is not what was planned."""
    promise = case.kept.promise
    wanted = Wanted(accept_sync=promise.flags.accept_sync)
    ready = ready_to_go(api, case.subject, wanted, case.there)
    lost = [where for where, _, _ in unlike(case.template, bare(ready.preview), "template")]
    if lost:
        raise Conflict(
            f"the server completes the pod template otherwise than when it was planned: {', '.join(lost)}",
            advice=f"its defaults or its admission have changed: {AGAIN}",
        )
    _walked_alike(case, ready)
    return ready


def _walked_alike(case: Case, ready: Prepared) -> None:
    """Raise where this version of deployctl, or of a plugin, would take other steps; of another size are others."""
    promise, kept = case.kept.promise, case.kept
    around = Around(until_promoted=promise.flags.wait == "promoted")
    one = walked(ready, case.app, around)
    if ready.memory or one.replicas != promise.deployment.replicas:
        return
    for at, (does, was) in enumerate(zip_longest((step.does for step in one.steps), promise.steps), 1):
        if does != was:
            raise UsageError(
                f"deployctl {__version__} would take other steps than those planned by {printable(kept.written_by)}:"
                f" step {at} is {does!r}, and was {was!r}",
                advice=f"release with the version that planned, or {AGAIN}",
            )
