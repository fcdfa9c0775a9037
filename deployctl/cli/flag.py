"""`flag`: see and set a feature flag of an app, through the provider that its spec names."""

from __future__ import annotations

from typing import Annotated

import typer

from deployctl.cli.flags import Flags, shared
from deployctl.cli.rollback import Yes
from deployctl.cli.steer import Reason

flag = typer.Typer(
    name="flag",
    help="See and set a feature flag of an app, through the provider that its spec names.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Subject = Annotated[str, typer.Argument(metavar="FILE|APP", help="A spec file, or an app that was released.")]
Key = Annotated[str, typer.Argument(metavar="KEY", help="The name of the flag.")]
Wanted = Annotated[str, typer.Argument(metavar="VALUE", help="true, 3, text, or 25% of its users.")]


@flag.command()
@shared
def get(flags: Flags, subject: Subject, key: Key) -> None:
    """Show what a flag is set to, and what each endpoint evaluates it to.

    Example: deployctl flag get balances new-wallet
    """
    from deployctl.cli import flagging

    raise typer.Exit(flagging.get(flags, subject, key))


@flag.command(name="set")
@shared
def set_(  # noqa: PLR0913 - one parameter a flag
    flags: Flags, subject: Subject, key: Key, value: Wanted, *, reason: Reason = "", yes: Yes = False
) -> None:
    """Set a flag over what it is now, and see it at every endpoint.

    Exit codes: 0 every endpoint has it, 3 it was set and has not spread in its time, 6 somebody else wrote first.

    Example: deployctl flag set balances new-wallet false --reason "errors after the release"
    """
    from deployctl.cli import flagging

    raise typer.Exit(flagging.put(flags, subject, key, value, flagging.Asked(reason, yes)))
