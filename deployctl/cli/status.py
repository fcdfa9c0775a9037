"""`status` and `why`: what runs, what a release waits for, and how to go back by hand."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

import msgspec
import typer

from deployctl.cli.flags import Flags, shared
from deployctl.cli.session import connect, show
from deployctl.errors import UsageError
from deployctl.glance import glance, listed
from deployctl.render import status as render
from deployctl.standing import Status, rows
from deployctl.standing import status as standing

App = Annotated[str, typer.Argument(metavar="[APP]", help="Without it, every app of the namespace.")]
OneApp = Annotated[str, typer.Argument(metavar="APP", help="The app's name, as in its spec file.")]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Follow the release to its end.")]
Everywhere = Annotated[
    bool, typer.Option("--all-namespaces", "-A", help="Every namespace that you may read.")
]


@shared
def status(flags: Flags, app: App = "", *, watch: Watch = False, all_namespaces: Everywhere = False) -> None:
    """Show what runs, what a release waits for, and how to go on by hand.

    Needs no more than the rights to read. Examples: deployctl status; deployctl status balances -w
    """
    if not app:
        return _all(flags, everywhere=all_namespaces)
    if watch:
        return _follow(flags, app)
    one = _one(flags, app)
    return show(flags, plain(one), render.text(one), f"deployment.apps/{one.deployment}")


@shared
def why(flags: Flags, app: OneApp) -> None:
    """Say why a release stands where it stands, in a few sentences.

    Example: deployctl why balances
    """
    one = _one(flags, app)
    show(flags, plain(one), render.why(one), f"deployment.apps/{one.deployment}")


def plain(one: msgspec.Struct) -> Any:
    """Give a document as plain JSON, what identifies it first."""
    whole: dict[str, Any] = msgspec.to_builtins(one)
    return {"apiVersion": whole.pop("apiVersion"), "kind": whole.pop("kind"), **whole}


def _one(flags: Flags, app: str) -> Status:
    api = connect(flags)
    return standing(glance(api, app), kubectl(flags, api.namespace))


def kubectl(flags: Flags, namespace: str) -> str:
    """Write kubectl with the flags that lead to the same cluster and namespace."""
    given = (("--kubeconfig", flags.kubeconfig), ("--context", flags.context), ("--as", flags.as_))
    words = [word for flag, value in given if value for word in (flag, value)]
    return shlex.join(["kubectl", *words, "-n", namespace])


def _all(flags: Flags, *, everywhere: bool) -> None:
    api = connect(flags)
    found = rows(listed(api, everywhere=everywhere), api.now())
    where = "any namespace" if everywhere else f"namespace {api.namespace}"
    text = render.listing(found, everywhere=everywhere) if found.items else ""
    names = "\n".join(f"deployctl/{one.app}" for one in found.items)
    show(flags, plain(found), text or f"no app was released in {where} (context {api.context})", names)


def _follow(flags: Flags, app: str) -> None:
    raise UsageError("--watch: not yet")
