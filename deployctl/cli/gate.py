"""`gate`: ask gates without a release, list the kinds there are, explain one."""

from __future__ import annotations

from typing import Annotated

import typer

from deployctl.cli import completing
from deployctl.cli.flags import Flags, shared

gate = typer.Typer(
    name="gate",
    help="Ask the gates of a spec now, without a release; list and explain the kinds there are.",
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
Stage = Annotated[str, typer.Option(help="Only before, during or after.")]
Name = Annotated[str, typer.Option(help="Only the gate of this name.")]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Measure as a release would, to the verdict.")]
Kind = Annotated[
    str, typer.Argument(metavar="NAME", help="A kind of gate, such as http.", autocompletion=completing.gates)
]


@gate.command()
@shared
def run(flags: Flags, subject: Subject, *, stage: Stage = "", name: Name = "", watch: Watch = False) -> None:
    """Ask the gates once, of the pods on trial or else of those that are live, and change nothing.

    One measurement each, side by side; with --watch as many as a release would make.
    Exit codes: 0 all passed, 3 one said no or had no answer, 4 one leaves it to a person.

    Example: deployctl gate run deployctl.yaml --stage before
    """
    from deployctl.cli import asking

    raise typer.Exit(asking.run(flags, subject, stage, name, watch=watch))


@gate.command(name="list")
@shared
def list_(flags: Flags) -> None:
    """List the kinds of gates that are installed, of plugins too.

    Example: deployctl gate list -o name
    """
    from deployctl.cli import asking

    asking.kinds(flags)


@gate.command()
@shared
def explain(flags: Flags, name: Kind) -> None:
    """Explain one kind: what it asks, with which rights, what is no answer, every option.

    Example: deployctl gate explain http
    """
    from deployctl.cli import asking

    asking.explain(flags, name)
