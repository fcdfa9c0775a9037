"""`flag`: see, set, keep and put back feature flags of an app, through the provider that its spec names."""

from __future__ import annotations

from typing import Annotated

import typer

from deployctl.cli import completing
from deployctl.cli.flags import Flags, shared
from deployctl.cli.rollback import Yes
from deployctl.cli.steer import Reason

flag = typer.Typer(
    name="flag",
    help="See, set, keep and put back feature flags of an app, through its provider.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Subject = Annotated[
    str,
    typer.Argument(
        metavar="FILE|APP", help="A spec file, or an app that was released.", autocompletion=completing.apps
    ),
]
Key = Annotated[str, typer.Argument(metavar="KEY", help="The name of the flag.")]
File = Annotated[str, typer.Argument(metavar="[FILE]", help="What `flag snapshot` wrote; - for stdin.")]
Keys = Annotated[
    list[str] | None, typer.Option("--flag", metavar="KEY", help="Put this one back; repeat it.")
]
Every = Annotated[bool, typer.Option("--all", help="Put back every one that differs.")]
Out = Annotated[str, typer.Option(metavar="FILE", help="Write it to a file.")]
OfRelease = Annotated[
    bool, typer.Option("--release", help="As the last release that moved flags found them.")
]
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


@flag.command(name="list")
@shared
def list_(flags: Flags, subject: Subject) -> None:
    """List every flag that the app's provider keeps, and what each is set to.

    Example: deployctl flag list balances
    """
    from deployctl.cli import flagging

    raise typer.Exit(flagging.every(flags, subject))


@flag.command()
@shared
def snapshot(flags: Flags, subject: Subject, *, out: Out = "", reason: Reason = "") -> None:
    """Keep every flag as it is now, whole, for `flag restore`.

    Without --out it is printed. Example: deployctl flag snapshot balances --out flags-before.json
    """
    from deployctl.cli import restoring

    raise typer.Exit(restoring.snapshot(flags, subject, out, reason))


@flag.command()
@shared
def restore(  # noqa: PLR0913 - one parameter a flag
    flags: Flags,
    subject: Subject,
    file: File = "",
    *,
    release: OfRelease = False,
    flag: Keys = None,
    all_: Every = False,
    reason: Reason = "",
    yes: Yes = False,
) -> None:
    """Show which flags are not as they were, and put back those that are asked for.

    Exit codes: 0 done, or nothing to do, 3 it was set and has not spread in its time, 6 somebody else wrote
    first; else that of the first flag that could not be put back.

    Example: deployctl flag restore balances flags-before.json --flag new-wallet --reason "errors"
    """
    from deployctl.cli import restoring

    ask = restoring.Asked(file, tuple(flag or ()), reason, release=release, every=all_, yes=yes)
    raise typer.Exit(restoring.restore(flags, subject, ask))
