"""What `release` does: check, plan, ask where the context is protected, and run."""

from __future__ import annotations

import datetime as dt
import fnmatch
import os
import sys
from dataclasses import dataclass, replace

import typer

from deployctl.autoscaling.through import unheld
from deployctl.cli.flags import Flags, span
from deployctl.cli.replacing import another, make_way, way_back
from deployctl.cli.session import Subject, carry_out, outliving, show, story, subject, tell, word
from deployctl.cluster import access
from deployctl.cluster.api import Api, ApiError, Json, Unreachable
from deployctl.errors import Conflict, UsageError
from deployctl.fitting import as_it_is, fitted, with_options
from deployctl.prepare import Found, Prepared, Wanted, acceptable, find, names_of, prepare, refuse, supported
from deployctl.releases import Plan, Run, finished_by_itself, forget_copies, fresh, in_flight
from deployctl.render.jsonl import Together
from deployctl.rollout import Orders, Story
from deployctl.room import room
from deployctl.spec import App, digest, from_canonical
from deployctl.template import digest as template_digest
from deployctl.template import restarted_at
from strategies.model import Wish
from strategies.room import Room

PROTECTED = "DEPLOYCTL_PROTECTED_CONTEXTS"


@dataclass(frozen=True, slots=True)
class Asked:
    """The flags of `release` as they were given."""

    image: list[str]
    restart: bool
    promote: str
    wait: str
    timeout: str
    on_timeout: str
    accept_sync: bool
    replace: bool
    reason: str
    yes: bool
    plan: str = ""
    fit: bool = False


def release(flags: Flags, target: str, ask: Asked) -> int:
    """Release an app; give the exit code."""
    one_of("--wait", ask.wait or "finished", ("finished", "promoted"))
    one_of("--on-timeout", ask.on_timeout, ("abort", "hold"))
    api, found = subject(flags, target, able)
    able_besides(api, found.app)
    there = tidy(flags, api, found)
    found = replace(found, app=promoting(found.app, ask.promote))
    wanted = Wanted(images(ask.image), _restart_at(ask, there, found), ask.accept_sync)
    orders = orders_of(found.app, ask)
    ready, heard = ready_to_go(api, found, wanted, there), None
    if ask.replace and another(ready):
        acceptable(api, ready, accept_sync=ask.accept_sync)
        allowed(flags, api, f"replace the release of {found.app.name}", yes=ask.yes)
        heard, ask = story(flags, found.app.name), replace(ask, yes=True)
        run = way_back(api, ready, found.kept, heard, word("replace", ask.reason))
        if code := make_way(flags, run):
            return code
        ready, heard = ready_to_go(api, found, wanted, None), _again(flags, found, heard)
    if ready.nothing_to_do:
        return unchanged(flags, found.app.name)
    plan = planned(api, found, ready, accept_sync=ask.accept_sync, fit=ask.fit)
    return go(flags, Run(api, plan, heard or story(flags, found.app.name), orders), ask)


def unchanged(flags: Flags, app: str) -> int:
    show(flags, {"app": app, "outcome": "unchanged"}, f"{app}: nothing to do, this template is live")
    return 0


def go(flags: Flags, run: Run, ask: Asked) -> int:
    """Ask where the context is protected, and run to the end."""
    app = run.plan.names.app
    allowed(flags, run.api, f"release {app}", yes=ask.yes)
    run.waiting, run.word = outliving(app), word("release", ask.reason)
    return carry_out(flags, run)


def orders_of(app: App, ask: Asked) -> Orders:
    timeout = span("--timeout", ask.timeout)
    return Orders(timeout, ask.on_timeout, ask.wait == "promoted", keep_seconds(app))


def _again(flags: Flags, found: Subject, heard: Story) -> Story:
    """Go on with the story where a program hears it, for that is one; a person's view was closed."""
    heard = heard if isinstance(heard, Together) else story(flags, found.app.name)
    heard.note("the way is free: now this release")
    return heard


def _restart_at(ask: Asked, there: Found | None, found: Subject) -> str:
    """Give the time that marks the pods of --restart: where a restart is in flight, the one that it began with."""
    if not ask.restart:
        return ""
    in_flight_ = (there.deployment["spec"]["template"], found.kept.template) if there and there.memory else ()
    known = (restarted_at(one) for one in in_flight_ if one and there and _on_trial(one, there))
    return next(filter(None, known), "") or dt.datetime.now(dt.UTC).isoformat()


def _on_trial(template: Json, there: Found) -> bool:
    return there.memory is not None and there.memory.preview == template_digest(template)


def tidy(flags: Flags, api: Api, found: Subject) -> Found | None:
    """Finish the release before, where its process died or Kubernetes has retired its old side by itself.

    Gives the app as it is there, or None where that has changed it.
    """
    there = find(api, names_of(found.app, api.namespace))
    for one in forget_copies(api, there):
        tell(one)
    if not finished_by_itself(there):
        return there
    tell(f"{found.app.name}: finishing the release before, whose old side Kubernetes has retired")
    plan = in_flight(there, found.app, found.kept.template)
    Run(api, plan, story(flags, found.app.name), Orders(wish=Wish.FINISH)).run()
    return None


def allowed(flags: Flags, api: Api, what: str, *, yes: bool) -> None:
    """Ask once where the context matches DEPLOYCTL_PROTECTED_CONTEXTS (patterns, comma-separated)."""
    patterns = os.environ.get(PROTECTED, "").split(",")
    if yes or not any(fnmatch.fnmatch(api.context, one.strip()) for one in patterns):
        return
    if flags.no_input or not sys.stdin.isatty():
        raise UsageError(f"context {api.context} is protected ({PROTECTED})", advice="pass --yes to go on")
    if not typer.confirm(f"{what} in namespace {api.namespace} (protected context {api.context})?", err=True):
        raise UsageError("nothing was done")


def one_of(flag: str, given: str, expected: tuple[str, ...]) -> None:
    if given not in expected:
        raise UsageError(f"{flag} {given}: unknown; expected one of {', '.join(expected)}")


def images(given: list[str]) -> dict[str, str]:
    """Read `--image`: CONTAINER=REF, or REF alone for the only container."""
    pairs = (one.partition("=") for one in given)
    return {name if sep else "": ref if sep else name for name, sep, ref in pairs}


def promoting(app: App, promote: str) -> App:
    """Let `--promote` stand in for the spec's word."""
    if not promote:
        return app
    one_of("--promote", promote, ("auto", "manual"))
    chosen = app.spec.strategy
    if not hasattr(chosen.options, "promote"):
        raise UsageError(
            f"--promote: strategy {chosen.kind} has no promotion", advice="use `deployctl pause`"
        )
    return with_options(app, replace(chosen.options, promote=promote))


def keep_seconds(app: App) -> float:
    return float(getattr(app.spec.strategy.options, "keep_old_seconds", 0.0))


def able(api: Api, kind: str) -> None:
    """Check the server's version and our rights before anything else is asked of it."""
    supported(api)
    access.check(api, api.namespace, access.rights(kind))


def able_besides(api: Api, app: App) -> None:
    """Check the rights that only some options need: a preview Service, connections shaken off, consumers told."""
    front = access.PREVIEW_SERVICE if app.preview_service else ()
    shake = access.DELETE_PODS if app.shakes_off else ()
    consumes = app.spec.consumes
    tell_pods = access.TELL_PODS if consumes and consumes.told else ()
    if front or shake or tell_pods:
        access.check(api, api.namespace, (*front, *shake, *tell_pods))


def ready_to_go(api: Api, found: Subject, wanted: Wanted, there: Found | None) -> Prepared:
    """Find the app, unless that was done, and complete its template; nothing is touched."""
    ready = prepare(api, found.app, found.objects, wanted, there)
    for warning in (*ready.warnings, *unheld(api, ready.names, ready.deployment)):
        tell(f"warning: {warning}")
    return ready


def planned(  # noqa: PLR0913 - the flags that bear on it
    api: Api, found: Subject, ready: Prepared, *, accept_sync: bool, content: str = "", fit: bool = False
) -> Plan:
    """Plan to begin, or to go on where the same release stands, as it was made to fit when it began."""
    if ready.memory is None:
        refuse(api, ready, found.app, accept_sync=accept_sync)
        one = _sized(api, ready, found.app, fit=fit)
        return fresh(ready, one, content=content or digest(one, found.objects))
    if another(ready):
        app = found.app.name
        raise Conflict(
            f"another release of {app} is in flight, begun by {ready.memory.by} at {ready.memory.at}",
            advice=f"`deployctl resume {app}` goes on with it, `deployctl abort {app}` turns it round; "
            "--replace turns it round and then begins this one",
        )
    return in_flight(ready, _as_begun(found, ready.memory.id) if fit else found.app, ready.preview)


def _as_begun(found: Subject, release_id: str) -> App:
    """Give the app with the strategy that its release began with: the room that was left then is its own now."""
    app, kept = found.app, found.kept
    if kept.spec is None or not kept.releases or kept.releases[0].id != release_id:
        return app
    strategy = from_canonical(kept.spec).spec.strategy
    return with_options(app, strategy.options) if strategy.kind == app.spec.strategy.kind else app


def _sized(api: Api, ready: Prepared, app: App, *, fit: bool) -> App:
    """Say before the first write what there is too little room for; with --fit make the release smaller."""
    try:
        found = room(api, ready.names, ready.preview)
    except (ApiError, Unreachable) as error:
        found = Room(unknown=str(error))
    one = (fitted if fit else as_it_is)(ready, app, found)
    if one.taken:
        tell(f"{app.name}: made to fit: {one.taken}")
    for lacking in one.lacking:
        tell(f"warning: {lacking}")
    return one.app
