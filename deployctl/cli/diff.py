"""`diff`: the pod templates of two revisions."""

from __future__ import annotations

from typing import Annotated

import typer

from deployctl.cli import completing
from deployctl.cli.flags import Flags, shared
from deployctl.cli.status import OneApp

Old = Annotated[
    str,
    typer.Argument(
        metavar="[REV]",
        help="From this one, by its number or hash; the way back if left out.",
        autocompletion=completing.revisions,
    ),
]
New = Annotated[
    str,
    typer.Argument(
        metavar="[REV]", help="To this one; what is live if left out.", autocompletion=completing.revisions
    ),
]


@shared
def diff(flags: Flags, app: OneApp, old: Old = "", new: New = "") -> None:
    """Show what changed in the pod template from one revision to another; what may be a secret is hidden.

    Without a revision: from where `rollback` goes to what is live, or to what is on trial.

    Example: deployctl diff balances 4
    """
    from deployctl.cli import differing

    differing.diff(flags, app, old, new)
