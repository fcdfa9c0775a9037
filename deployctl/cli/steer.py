"""`promote`, `pause`, `resume`, `abort`, `finish`: a person's word to a release in flight."""

from __future__ import annotations

from typing import Annotated

import typer

from deployctl.cli import completing
from deployctl.cli.flags import Flags, running, shared

App = Annotated[
    str,
    typer.Argument(
        metavar="APP", help="The app's name, as in its spec file.", autocompletion=completing.apps
    ),
]
Timeout = Annotated[str, typer.Option(envvar="DEPLOYCTL_TIMEOUT", help="Until promoted, such as 30m.")]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why you do it; kept in the record.")]
Fast = Annotated[bool, typer.Option("--fast", help="Do not wait for traffic to drain off the preview.")]

Proceed = Annotated[bool, typer.Option("--proceed", help="Remove pods though rounds are open on them.")]


@running
def promote(flags: Flags, app: App, *, timeout: Timeout = "30m", reason: Reason = "") -> None:
    """Let the waiting preview have the traffic, and see the release to its end.

    Where another process runs the release, the wish is left for it. Example: deployctl promote balances
    """
    _go_on(flags, app, timeout, "promote", reason)


@running
def finish(flags: Flags, app: App, *, timeout: Timeout = "30m", reason: Reason = "") -> None:
    """Retire the old side now, without waiting for keepOld.

    Example: deployctl finish balances
    """
    _go_on(flags, app, timeout, "finish", reason)


@running
def resume(
    flags: Flags, app: App, *, timeout: Timeout = "30m", proceed: Proceed = False, reason: Reason = ""
) -> None:
    """Go on with a release that was paused or whose process died.

    A dead process's lock ends after ten seconds; that is waited for. Example: deployctl resume balances
    """
    _go_on(flags, app, timeout, "", reason, proceed=proceed)


@shared
def pause(flags: Flags, app: App, *, reason: Reason = "") -> None:
    """Stop the running release at its next safe point; its process ends with exit code 4.

    What stands then stands until somebody acts. Example: deployctl pause balances
    """
    from deployctl.cli import steering

    raise typer.Exit(steering.pause(flags, app, reason))


@running
def abort(flags: Flags, app: App, *, fast: Fast = False, reason: Reason = "") -> None:
    """Turn the release round and return to stable, now, whoever runs it.

    Traffic goes back first. Needs nothing but the Kubernetes API. Example: deployctl abort balances
    """
    from deployctl.cli import steering

    raise typer.Exit(steering.abort(flags, app, reason, fast=fast))


def _go_on(  # noqa: PLR0913 - one parameter a flag
    flags: Flags, app: str, timeout: str, wish: str, reason: str, *, proceed: bool = False
) -> None:
    from deployctl.cli import steering

    raise typer.Exit(steering.go_on(flags, app, timeout, wish, reason, proceed=proceed))
