"""What `doctor` does: look at everything that a release will need, and touch nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from deployctl.autoscaling.through import targets
from deployctl.cli.flags import Flags
from deployctl.cli.looking import kubectl
from deployctl.cli.session import Subject, connect, is_file, show, subject
from deployctl.cluster import access
from deployctl.cluster.access import Rights, Verb
from deployctl.cluster.api import Api, ApiError, Denied, NotFound
from deployctl.cluster.paths import path
from deployctl.errors import Conflict, Refused, SpecError, UsageError
from deployctl.memory import Settings
from deployctl.prepare import Found, Wanted, find, guess, names_of, prepare, refuse, selector_of, supported
from deployctl.readiness import Finding, Patient, findings
from deployctl.record import Record
from deployctl.render import doctor as render
from deployctl.room import room
from deployctl.spec import App, Drain, from_canonical
from deployctl.workload import DEPLOYMENT, stateful
from strategies.rolling import Rolling
from strategies.room import Need

Json = dict[str, Any]
Known = tuple[Subject | None, Found]  # with its spec where there is one


def doctor(flags: Flags, name: str) -> int:
    """Print the diagnosis; give the exit code."""
    api, given = subject(flags, name) if name and is_file(name) else (connect(flags), None)
    version, prefix = supported(api), kubectl(flags, api.namespace)
    known = _known(api, name, given) if name else None
    needed = access.rights(known[1].names.kind if known else DEPLOYMENT)
    missing = access.missing(api, api.namespace, needed)
    found = _found(api, known, prefix) if known else ()
    app = known[1].names.app if known else ""
    whole = _document(api, version, _rights(needed, missing), app, found)
    told = render.text(whole, rights_fix(prefix, missing))
    show(flags, whole, told, "\n".join(one.check for one in found if one.level != "ok"))
    return 2 if any(one.level == "error" for one in found) else 7 if missing else 0


def _known(api: Api, name: str, given: Subject | None) -> Known:
    """Find the app by its file, by what its record keeps, or else as a workload of that name."""
    known = given or _recorded(api, name)
    return known, find(api, names_of(known.app, api.namespace) if known else guess(api, name))


def _recorded(api: Api, name: str) -> Subject | None:
    """Find an app by its record; one that cannot be read, or is not there, is no spec."""
    kept = Record(api, api.namespace, name).read()
    try:
        return Subject(from_canonical(kept.spec), (), kept) if kept.spec else None
    except SpecError:
        return None


def _found(api: Api, known: Known, prefix: str) -> tuple[Finding, ...]:
    one, there = known
    seen = findings(_patient(api, there, one.app if one else None, prefix))
    stop = _refused(api, one, there) if not any(each.level == "error" for each in seen) else ()
    return (*seen, *stop)


def _patient(api: Api, there: Found, app: App | None, prefix: str) -> Patient:
    names, sleep = there.names, (app.spec.drain if app else Drain()).pre_stop_seconds
    return Patient(
        workload=there.deployment,
        own=there.memory.own if there.memory else Settings.of(there.deployment),
        services=_perhaps(api, names.namespace, "services") or (),
        pods=_perhaps(api, names.namespace, "pods", labelSelector=selector_of(there.deployment)) or (),
        budgets=_perhaps(api, names.namespace, "poddisruptionbudgets"),
        autoscalers=_scalers(_perhaps(api, names.namespace, "horizontalpodautoscalers"), there),
        listed=(*names.services, app.preview_service) if app else None,
        pre_stop_seconds=None if sleep == "keep" else float(sleep),
        kubectl=prefix,
        room=room(api, names, there.deployment["spec"]["template"]) if there.memory is None else None,
        more=_more(app, there.deployment),
        strategy=app.spec.strategy.kind if app else "blueGreen",
    )


def _more(app: App | None, workload: Json) -> Need:
    """Count the pods that a release brings up beside those that run; without a spec as many again."""
    running: int = workload["spec"].get("replicas", 1)
    if stateful(workload):
        return Need()
    walk = app.spec.walk if app else None
    if not isinstance(walk, Rolling):
        return Need(running, running)
    surge = (walk.batch if walk.surge is None else walk.surge).of(running)
    going = min(walk.batch.of(running), surge) if surge else walk.batch.of(running)
    return Need(surge, min(surge + going, running))


def _perhaps(api: Api, namespace: str, resource: str, **query: str) -> tuple[Json, ...] | None:
    """List what is there; None without the right to, or where the API has no such thing."""
    try:
        return tuple(api.get(path(namespace, resource), **query)["items"])
    except (Denied, NotFound):
        return None


def _scalers(every: tuple[Json, ...] | None, there: Found) -> tuple[Json, ...] | None:
    return None if every is None else tuple(one for one in every if targets(one, there.names))


def _refused(api: Api, one: Subject | None, there: Found) -> Iterator[Finding]:
    """Try whether a release would be refused, as `plan` does: needs a spec, and none in flight."""
    if there.memory:
        said = f"release {there.memory.id} of {there.memory.by} is in flight since {there.memory.at}"
        return (yield Finding("release", "ok", said))
    if one is None:
        said = "no spec is known: give the spec file to see whether a release would be refused"
        return (yield Finding("release", "ok", said))
    try:
        refuse(api, prepare(api, one.app, one.objects, Wanted(), there), one.app)
    except (UsageError, Conflict, Refused, ApiError, Denied) as error:
        return (yield Finding("release", "error", f"would be refused: {error}", error.advice))
    yield Finding("release", "ok", "a release may begin")


def rights_fix(prefix: str, missing: tuple[Verb, ...]) -> tuple[str, ...]:
    """Write the Roles that give what is missing, for who may."""
    by: dict[tuple[str, str], list[str]] = {}
    for group, resource, verb in missing:
        by.setdefault((group, resource), []).append(verb)
    return tuple(
        f"{prefix} create role deployctl-{resource.replace('/', '-')} --verb={','.join(verbs)}"
        f" --resource={_qualified(group, resource)}"
        for (group, resource), verbs in by.items()
    )


def _qualified(group: str, resource: str) -> str:
    whole, slash, sub = resource.partition("/")
    return f"{whole}.{group}{slash}{sub}" if group else resource


def _document(api: Api, version: str, rights: list[Json], app: str, found: tuple[Finding, ...]) -> Json:
    return {
        "apiVersion": "deployctl.dev/v1alpha1",
        "kind": "Diagnosis",
        "context": api.context,
        "server": api.host,
        "version": version,
        "namespace": api.namespace,
        "rights": rights,
        "app": app,
        "findings": [asdict(one) for one in found],
    }


def _rights(needed: Rights, missing: tuple[Verb, ...]) -> list[Json]:
    names = ("group", "resource", "verb")
    return [
        {**dict(zip(names, one, strict=True)), "allowed": one not in missing} for one in access.each(needed)
    ]
