"""`report`: one release of the record, to read, to keep, or to put into a comment."""

from __future__ import annotations

from typing import Annotated

import typer

from deployctl.cli.flags import Flags, shared
from deployctl.cli.history import One
from deployctl.cli.status import OneApp

Format = Annotated[
    str,
    typer.Option(
        "--format",
        envvar="DEPLOYCTL_REPORT_FORMAT",
        help="html, md or json; else by the ending of --out, or md.",
    ),
]
Out = Annotated[str, typer.Option(metavar="FILE", help="Where to write; - is standard output.")]
Events = Annotated[
    str, typer.Option(metavar="FILE", help="What the run printed with -o jsonl: adds its course in time.")
]


@shared
def report(  # noqa: PLR0913 - one parameter a flag
    flags: Flags, app: OneApp, release: One = "", *, format_: Format = "", out: Out = "-", events: Events = ""
) -> None:
    """Write a report of one release, the last unless another is named: how it ended, who decided what, its gates.

    Examples: deployctl report balances; deployctl report balances --out report.html --events release.jsonl
    """
    from deployctl.cli import reporting

    reporting.report(flags, app, release, reporting.Asked(format_, out, events))
