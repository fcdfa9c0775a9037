"""`history`: the releases that the record keeps."""

from __future__ import annotations

from typing import Annotated

import typer

from deployctl.cli import completing
from deployctl.cli.flags import Flags, shared
from deployctl.cli.status import App, Everywhere

One = Annotated[
    str,
    typer.Argument(
        metavar="[RELEASE]",
        help="One release, by its id or the beginning of it.",
        autocompletion=completing.releases,
    ),
]


@shared
def history(flags: Flags, app: App = "", release: One = "", *, all_namespaces: Everywhere = False) -> None:
    """List the last releases, the newest first: how each ended, who, why, and what really ran.

    A RELEASE, or -v, shows gates, image digests and what people said. NOW marks what serves and where `rollback`
    goes. Examples: deployctl history; deployctl history balances -v
    """
    from deployctl.cli import recalling

    if not app:
        return recalling.every(flags, everywhere=all_namespaces)
    return recalling.history(flags, app, release)
