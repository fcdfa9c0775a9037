"""`init`: a spec file from what runs."""

from __future__ import annotations

from typing import Annotated

import typer

from deployctl.cli import completing
from deployctl.cli.flags import Flags, shared

Workload = Annotated[
    str,
    typer.Argument(
        metavar="[DEPLOYMENT]",
        help="Or a StatefulSet; asked for where there are several.",
        autocompletion=completing.workloads,
    ),
]
Strategy = Annotated[str, typer.Option(help="blueGreen (the pods twice for a while) or rolling.")]
Service = Annotated[list[str], typer.Option(help="Instead of every Service that selects it; repeatable.")]
Out = Annotated[str, typer.Option(metavar="FILE", help="Where to write; - is standard output.")]
Force = Annotated[bool, typer.Option("--force", help="Write over a file that is there.")]


@shared
def init(  # noqa: PLR0913 - one parameter a flag
    flags: Flags,
    workload: Workload = "",
    *,
    strategy: Strategy = "",
    service: Service = [],  # noqa: B006 - typer's way
    out: Out = "deployctl.yaml",
    force: Force = False,
) -> None:
    """Write a spec file for a Deployment that runs, with a gate that its pods pass now; the cluster is only read.

    At a terminal it asks for what is not given; --no-input, and a pipe, take the usual.

    Example: deployctl init balances --strategy rolling
    """
    from deployctl.cli import drafting

    drafting.init(flags, workload, drafting.Asked(strategy, tuple(service), out, force))
