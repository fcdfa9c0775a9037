"""`plan`: what a release would do. Writes nothing; its only patch is a server dry run."""

from __future__ import annotations

from typing import Annotated

import typer

from deployctl.cli.flags import Flags, shared
from deployctl.cli.release import Image, Promote, Restart, Subjects, Wait

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
    detailed_exitcode: Detailed = False,
) -> None:
    """Show what a release of FILE or APP would do, and touch nothing.

    The template's changes, the steps with their times, the pods and writes it takes, how fast a bad revision is
    found and left, and what stands against it.

    Example: deployctl plan manifests/igaming/balances
    """
    from deployctl.cli import planning

    ask = planning.Asked(image, restart, promote, wait, detailed_exitcode)
    raise typer.Exit(planning.plan(flags, target, ask))
