"""`plan`: what a release would do. Writes nothing; its only patch is a server dry run."""

from __future__ import annotations

from typing import Annotated

import typer

from deployctl.cli import completing
from deployctl.cli.flags import Flags, shared
from deployctl.cli.release import AcceptSync, Fit, Image, Promote, Restart, Wait

Subjects = Annotated[
    str,
    typer.Argument(
        metavar="FILE|APP", help="A spec file, its folder, or an app's name.", autocompletion=completing.apps
    ),
]
Out = Annotated[str, typer.Option(metavar="PLAN.json", help="Write the plan, for `release --plan`.")]
Expires = Annotated[
    str, typer.Option(envvar="DEPLOYCTL_EXPIRES", help="How long the written plan may be released.")
]
Detailed = Annotated[
    bool, typer.Option("--detailed-exitcode", help="Exit 0: nothing to do, 2: changes, 1: an error.")
]


@shared
def plan(  # noqa: PLR0913 - one parameter a flag
    flags: Flags,
    target: Subjects,
    *,
    image: Image = [],  # noqa: B006 - typer's way
    restart: Restart = False,
    promote: Promote = "",
    wait: Wait = "finished",
    accept_sync: AcceptSync = False,
    fit: Fit = False,
    out: Out = "",
    expires: Expires = "1h",
    detailed_exitcode: Detailed = False,
) -> None:
    """Show what a release of FILE or APP would do, and touch nothing.

    The template's changes, the steps with their times, the pods and writes it takes, how fast a bad revision is
    found and left, and what stands against it. With --out it is kept, and `deployctl release --plan` carries out
    exactly that, or says what has moved since.

    Example: deployctl plan manifests/igaming/balances --out plan.json
    """
    from deployctl.cli import planning

    ask = planning.Asked(image, restart, promote, wait, accept_sync, detailed_exitcode, out, expires, fit)
    raise typer.Exit(planning.plan(flags, target, ask))
