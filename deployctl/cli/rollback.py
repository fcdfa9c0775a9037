"""`rollback`: what the on-call engineer runs."""

from __future__ import annotations

from typing import Annotated

import typer

from deployctl.cli import completing
from deployctl.cli.flags import Flags, running
from deployctl.cli.steer import Fast, Reason

App = Annotated[
    str,
    typer.Argument(
        metavar="[APP]", help="Without it, the app that was released last.", autocompletion=completing.apps
    ),
]
To = Annotated[
    str,
    typer.Option(
        metavar="REV",
        help="kubectl's revision number, or a pod-template-hash or its beginning.",
        autocompletion=completing.revisions,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@running
def rollback(  # noqa: PLR0913 - one parameter a flag
    flags: Flags,
    app: App = "",
    *,
    to: To = "",
    fast: Fast = False,
    reason: Reason = "",
    yes: Yes = False,
) -> None:
    """Go back: out of a running release, or to the revision before the live one.

    Traffic moves first. Needs nothing but the Kubernetes API: no gates, no metrics, no health of the bad
    revision, no readable record. Example: deployctl rollback balances
    """
    from deployctl.cli import returning

    raise typer.Exit(returning.rollback(flags, app, returning.Asked(to, reason, fast, yes)))
