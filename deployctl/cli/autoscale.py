"""`autoscale`: set how many pods an app has, raise that for an event, put it back."""

from __future__ import annotations

from typing import Annotated

import typer

from deployctl.cli import completing
from deployctl.cli.flags import Flags, shared

autoscale = typer.Typer(
    name="autoscale",
    help="Set how many pods an app has (spec.autoscaling), raise that for an event, put it back.",
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
App = Annotated[
    str,
    typer.Argument(
        metavar="FILE|APP", help="A spec file, or the app's name.", autocompletion=completing.apps
    ),
]
SomeApp = Annotated[
    str,
    typer.Argument(
        metavar="[FILE|APP]",
        help="Without it, every autoscaler of the namespace.",
        autocompletion=completing.apps,
    ),
]
Detailed = Annotated[
    bool, typer.Option("--detailed-exitcode", help="Exit 2 where something would change, 1 on an error.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Ask the server, and change nothing.")]
To = Annotated[int, typer.Option(min=1, help="At least so many pods.")]
Until = Annotated[
    str, typer.Option(help="23:00 with its zone or offset, a whole moment, or a duration such as 3h.")
]
Reason = Annotated[str, typer.Option(help="Why; it is written on the autoscaler.")]
Fit = Annotated[bool, typer.Option("--fit", help="Where the quota is short, take what fits.")]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Go on, and print what changes, until Ctrl-C.")]
Due = Annotated[bool, typer.Option("--due", help="Only what is due now, and raise what begins now.")]
Every = Annotated[int, typer.Option(min=1, max=59, help="Minutes between two looks.")]
Account = Annotated[str, typer.Option(help="The ServiceAccount that it runs as.")]
Image = Annotated[str, typer.Option(help="An image that has deployctl in it.")]


@autoscale.command()
@shared
def plan(flags: Flags, subject: Subject, *, detailed_exitcode: Detailed = False) -> None:
    """Show what apply would change, what that would do now, and what stands against it.

    Example: deployctl autoscale plan deployctl.yaml
    """
    from deployctl.cli import autoscaling

    raise typer.Exit(autoscaling.plan(flags, subject, detailed=detailed_exitcode))


@autoscale.command()
@shared
def apply(flags: Flags, subject: Subject, *, dry_run: DryRun = False) -> None:
    """Write the policy as native objects: what it states, and nothing else.

    Example: deployctl autoscale apply deployctl.yaml
    """
    from deployctl.cli import autoscaling

    autoscaling.apply(flags, subject, dry=dry_run)


@autoscale.command()
@shared
def diff(flags: Flags, subject: Subject) -> None:
    """Print only what would change; exit 0 where nothing would, else 2.

    Example: deployctl autoscale diff deployctl.yaml
    """
    from deployctl.cli import autoscaling

    raise typer.Exit(autoscaling.diff(flags, subject))


@autoscale.command()
@shared
def show(flags: Flags, app: SomeApp = "", *, watch: Watch = False) -> None:
    """Show size, bounds, metrics, who holds an autoscaler and until when, and the next event.

    Examples: deployctl autoscale show; deployctl autoscale show balances -w
    """
    from deployctl.cli import autoscaling

    (autoscaling.watch if watch else autoscaling.show)(flags, app)


@autoscale.command()
@shared
def remove(flags: Flags, subject: Subject, *, dry_run: DryRun = False) -> None:
    """Take the policy off: what apply made goes, what was there before is as it was.

    Example: deployctl autoscale remove balances
    """
    from deployctl.cli import autoscaling

    autoscaling.remove(flags, subject, dry=dry_run)


@autoscale.command()
@shared
def surge(flags: Flags, app: App, *, to: To, until: Until, reason: Reason, fit: Fit = False) -> None:  # noqa: PLR0913 - the flags
    """Raise the floor of an app until a moment; the way back is written on the autoscaler.

    Example: deployctl autoscale surge balances --to 40 --until "23:00 Europe/Malta" --reason derby
    """
    from deployctl.cli import autoscaling

    autoscaling.surge(flags, app, to, until, reason, fit=fit)


@autoscale.command()
@shared
def restore(flags: Flags, app: SomeApp = "", *, due: Due = False) -> None:
    """End a surge now; with --due carry out what is due, of one app or of the whole namespace.

    Examples: deployctl autoscale restore balances; deployctl autoscale restore --due
    """
    from deployctl.cli import autoscaling

    autoscaling.restore(flags, app, due=due)


@autoscale.command()
@shared
def cron(flags: Flags, *, image: Image, every: Every = 5, service_account: Account = "deployctl") -> None:
    """Print a CronJob that carries out what is due, for kubectl apply.

    Example: deployctl autoscale cron --image registry.example/deployctl:1
    """
    from deployctl.cli import autoscaling

    autoscaling.cron(flags, image, every, service_account)
