"""`plan`: what a release would do. Writes nothing; its only patch is a server dry run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

import typer

from deployctl.cli.flags import Flags, shared
from deployctl.cli.release import Image, Promote, Restart, Subjects, Wait
from deployctl.cli.releasing import images, one_of, promoting
from deployctl.cli.session import show, subject
from deployctl.cli.status import plain
from deployctl.cluster import access
from deployctl.cluster.api import Api, Denied, Json, NotFound
from deployctl.cluster.paths import path
from deployctl.errors import DeployctlError
from deployctl.planning import Around, Plan
from deployctl.planning import plan as planned
from deployctl.prepare import Prepared, Wanted, prepare, refuse, selector_of, supported
from deployctl.render import plan as render
from deployctl.render.terminal import colors

Detailed = Annotated[
    bool, typer.Option("--detailed-exitcode", help="Exit 0: nothing to do, 2: changes, 1: an error.")
]
AUTOSCALING = "/apis/autoscaling/v2"
AT_RELEASE = "(the time of the release)"


@shared
def plan(  # noqa: PLR0913 - one parameter a flag
    flags: Flags,
    target: Subjects,
    *,
    image: Image = [],  # noqa: B006 - typer's way
    restart: Restart = False,
    promote: Promote = "",
    wait: Wait = "finished",
    detailed_exitcode: Detailed = False,
) -> None:
    """Show what a release of FILE or APP would do, and touch nothing.

    The template's changes, the steps with their times, the pods and writes it takes, how fast a bad revision is
    found and left, and what stands against it. Example: deployctl plan manifests/igaming/balances
    """
    one_of("--wait", wait, ("finished", "promoted"))
    wanted = Wanted(images(image), AT_RELEASE if restart else "")
    try:
        one = _planned(flags, target, wanted, promote, until_promoted=wait == "promoted")
    except DeployctlError as error:
        if detailed_exitcode:
            error.exit_code = 1
        raise
    text = render.text(one, _paint(flags))
    show(flags, plain(one), text, f"deployctl/{one.app}")
    raise typer.Exit(_code(one, detailed=detailed_exitcode))


def _planned(flags: Flags, target: str, wanted: Wanted, promote: str, *, until_promoted: bool) -> Plan:
    api, found = subject(flags, target)
    found = replace(found, app=promoting(found.app, promote))
    supported(api)
    ready = prepare(api, found.app, found.objects, wanted)
    around = Around(
        context=api.context,
        pods=tuple(_pods(api, ready)),
        autoscalers=tuple(_autoscalers(api, ready)),
        problems=tuple(_problems(api, ready)),
        until_promoted=until_promoted,
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


def _problems(api: Api, ready: Prepared) -> Iterator[DeployctlError]:
    """Find what stands against a release now: a right that is missing, then what `release` refuses."""
    try:
        access.check(api, api.namespace)
    except DeployctlError as error:
        yield error
    try:
        if ready.memory is None:
            refuse(api, ready)
    except DeployctlError as error:
        yield error
