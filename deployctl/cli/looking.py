"""The bodies of `status` and `why`."""

from __future__ import annotations

import shlex
from contextlib import closing
from typing import Any

import msgspec
import typer

from deployctl.cli.flags import Flags
from deployctl.cli.session import Interrupted, connect, show, story, terminated
from deployctl.cluster.api import Api
from deployctl.follow import Follow
from deployctl.glance import glance, listed
from deployctl.published import Status
from deployctl.render import status as render
from deployctl.render.jsonl import Together
from deployctl.standing import rows
from deployctl.standing import status as standing


def status(flags: Flags, app: str) -> None:
    """Print everything about one app."""
    one = _one(flags, connect(flags), app)
    show(flags, plain(one), render.text(one), f"{one.workload.lower()}.apps/{one.deployment}")


def why(flags: Flags, app: str) -> None:
    """Print a few sentences about one app."""
    one = _one(flags, connect(flags), app)
    show(flags, plain(one), render.why(one), f"{one.workload.lower()}.apps/{one.deployment}")


def every(flags: Flags, *, everywhere: bool) -> None:
    """Print one line an app."""
    api = connect(flags)
    found = rows(listed(api, everywhere=everywhere), api.now())
    where = "any namespace" if everywhere else f"namespace {api.namespace}"
    text = render.listing(found, everywhere=everywhere) if found.items else ""
    names = "\n".join(f"deployctl/{one.app}" for one in found.items)
    show(flags, plain(found), text or nothing_released(api, where), names)


def nothing_released(api: Api, where: str) -> str:
    return (
        f"no app was released in {where} (context {api.context})\n"
        "`deployctl init DEPLOYMENT` writes the spec of a first release"
    )


def follow(flags: Flags, app: str) -> None:
    """Tell what happens to a release until it is over, then print where it ended."""
    api, heard = connect(flags), story(flags, app)
    at = glance(api, app)
    try:
        with terminated(), closing(heard):
            Follow(api, at, heard).run()
    except Interrupted:
        raise typer.Exit(143) from None
    if isinstance(heard, Together):
        heard.ended(plain(_one(flags, api, app)))
    else:
        status(flags, app)


def plain(one: msgspec.Struct) -> Any:
    """Give a document as plain JSON, what identifies it first."""
    whole: dict[str, Any] = msgspec.to_builtins(one)
    return {"apiVersion": whole.pop("apiVersion"), "kind": whole.pop("kind"), **whole}


def _one(flags: Flags, api: Api, app: str) -> Status:
    return standing(glance(api, app), kubectl(flags, api.namespace))


def kubectl(flags: Flags, namespace: str) -> str:
    """Write kubectl with the flags that lead to the same cluster and namespace."""
    return reaching(flags, "kubectl", after=("-n", namespace))


def reaching(flags: Flags, *words: str, after: tuple[str, ...] = ()) -> str:
    """Write a command with the flags that lead to the same cluster."""
    given = (("--kubeconfig", flags.kubeconfig), ("--context", flags.context), ("--as", flags.as_))
    there = [word for flag, value in given if value for word in (flag, value)]
    return shlex.join([*words, *there, *after])
