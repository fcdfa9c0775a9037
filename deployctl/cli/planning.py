"""The body of `plan`: what is there, what is wanted, what stands against it, as one document."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from deployctl.cli.flags import Flags
from deployctl.cli.looking import plain
from deployctl.cli.releasing import able_to_show, images, one_of, promoting
from deployctl.cli.session import show, subject
from deployctl.cluster import access
from deployctl.cluster.api import Api, Denied, Json, NotFound
from deployctl.cluster.paths import path
from deployctl.errors import DeployctlError
from deployctl.planning import Around
from deployctl.planning import plan as planned
from deployctl.prepare import Prepared, Wanted, prepare, refuse, selector_of, supported
from deployctl.published import Plan
from deployctl.render import plan as render
from deployctl.render.terminal import colors
from deployctl.spec import App

AUTOSCALING = "/apis/autoscaling/v2"
AT_RELEASE = "(the time of the release)"


@dataclass(frozen=True, slots=True)
class Asked:
    """The flags of `plan` as they were given."""

    image: list[str]
    restart: bool
    promote: str
    wait: str
    detailed_exitcode: bool


def plan(flags: Flags, target: str, ask: Asked) -> int:
    """Print the plan; give the exit code."""
    one_of("--wait", ask.wait, ("finished", "promoted"))
    try:
        one = _planned(flags, target, ask)
    except DeployctlError as error:
        if ask.detailed_exitcode:
            error.exit_code = 1
        raise
    show(flags, plain(one), render.text(one, _paint(flags)), f"deployctl/{one.app}")
    return _code(one, detailed=ask.detailed_exitcode)


def _planned(flags: Flags, target: str, ask: Asked) -> Plan:
    api, found = subject(flags, target)
    found = replace(found, app=promoting(found.app, ask.promote))
    wanted = Wanted(images(ask.image), AT_RELEASE if ask.restart else "")
    supported(api)
    ready = prepare(api, found.app, found.objects, wanted)
    around = Around(
        context=api.context,
        pods=tuple(_pods(api, ready)),
        autoscalers=tuple(_autoscalers(api, ready)),
        problems=tuple(_problems(api, ready, found.app)),
        until_promoted=ask.wait == "promoted",
    )
    return planned(ready, found.app, around)


def _code(one: Plan, *, detailed: bool) -> int:
    if one.problems:
        return 1 if detailed else one.problems[0].exit_code
    return 2 if detailed and (one.changes or one.in_flight) else 0


def _paint(flags: Flags) -> render.Paint:
    return render.colored if colors(flags.color, sys.stdout) else render.uncolored


def _pods(api: Api, ready: Prepared) -> list[Json]:
    where = path(ready.names.namespace, "pods")
    pods: list[Json] = api.get(where, labelSelector=selector_of(ready.deployment))["items"]
    return pods


def _autoscalers(api: Api, ready: Prepared) -> Iterator[Json]:
    """Find who scales the Deployment; without the right to look, or the API, nobody is found."""
    where = f"{AUTOSCALING}/namespaces/{ready.names.namespace}/horizontalpodautoscalers"
    try:
        every = api.get(where)["items"]
    except (Denied, NotFound):
        return
    for one in every:
        target = one["spec"]["scaleTargetRef"]
        if (target["kind"], target["name"]) == ("Deployment", ready.names.deployment):
            yield one


def _problems(api: Api, ready: Prepared, app: App) -> Iterator[DeployctlError]:
    """Find what stands against a release now: a right that is missing, then what `release` refuses."""
    checks: list[Callable[[], None]] = [
        lambda: access.check(api, api.namespace),
        lambda: able_to_show(api, app),
    ]
    if ready.memory is None:
        checks.append(lambda: refuse(api, ready, app))
    for check in checks:
        try:
            check()
        except DeployctlError as error:
            yield error
