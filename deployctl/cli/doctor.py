"""`doctor`: whether the cluster, and an app, are ready for releases without a lost request."""

from __future__ import annotations

from typing import Annotated

import typer

from deployctl.cli import completing
from deployctl.cli.flags import Flags, shared

Subject = Annotated[
    str,
    typer.Argument(
        metavar="[APP|FILE]",
        help="A Deployment or a spec file; without it, the cluster.",
        autocompletion=completing.workloads,
    ),
]


@shared
def doctor(flags: Flags, subject: Subject = "") -> None:
    """Check the cluster, your rights and an app's readiness, and print each fix as a command; change nothing.

    Exit codes: 0 ready (warnings too), 2 something loses requests or is refused, 7 a right is missing.

    Example: deployctl doctor balances
    """
    from deployctl.cli import diagnosing

    raise typer.Exit(diagnosing.doctor(flags, subject))
