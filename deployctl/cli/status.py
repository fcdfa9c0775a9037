"""`status` and `why`: what runs, what a release waits for, and how to go back by hand."""

from __future__ import annotations

from typing import Annotated

import typer

from deployctl.cli import completing
from deployctl.cli.flags import Flags, shared

App = Annotated[
    str,
    typer.Argument(
        metavar="[APP]", help="Without it, every app of the namespace.", autocompletion=completing.apps
    ),
]
OneApp = Annotated[
    str,
    typer.Argument(
        metavar="APP", help="The app's name, as in its spec file.", autocompletion=completing.apps
    ),
]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Follow the release to its end.")]
Everywhere = Annotated[
    bool, typer.Option("--all-namespaces", "-A", help="Every namespace that you may read.")
]


@shared
def status(flags: Flags, app: App = "", *, watch: Watch = False, all_namespaces: Everywhere = False) -> None:
    """Show what runs, what a release waits for, and how to go on by hand.

    Needs no more than the rights to read; -w needs those to watch, too.

    Examples: deployctl status; deployctl status balances -w
    """
    from deployctl.cli import looking

    if not app:
        return looking.every(flags, everywhere=all_namespaces)
    return looking.follow(flags, app) if watch else looking.status(flags, app)


@shared
def why(flags: Flags, app: OneApp) -> None:
    """Say why a release stands where it stands, in a few sentences.

    Example: deployctl why balances
    """
    from deployctl.cli import looking

    looking.why(flags, app)
