"""`config`: what is set, and by what."""

from __future__ import annotations

from typing import Annotated

import typer

from deployctl.cli.flags import Flags, shared

config = typer.Typer(
    name="config",
    help="Show what is set, and by what: a flag, the environment, the kubeconfig, or nobody.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
ShowOrigin = Annotated[bool, typer.Option("--show-origin", help="Say for each what has set it.")]


@config.callback()
def _group() -> None:
    """Keep `view` a command of its own, though it is the only one."""


@config.command()
@shared
def view(flags: Flags, *, show_origin: ShowOrigin = False) -> None:
    """Print every setting that all commands share, and what the environment sets besides; no cluster is asked.

    A variable DEPLOYCTL_... that no setting has is named, too: it may be misspelt.

    Example: deployctl config view --show-origin
    """
    from deployctl.cli import configured

    configured.view(flags, show_origin=show_origin)
