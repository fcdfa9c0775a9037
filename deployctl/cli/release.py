"""`release`: from the first check to the last write."""

from __future__ import annotations

from typing import Annotated

import typer

from deployctl.cli import completing
from deployctl.cli.flags import Flags, running
from deployctl.cli.steer import Reason

Subjects = Annotated[
    str,
    typer.Argument(
        metavar="[FILE|APP]",
        help="A spec file, its folder, or an app's name.",
        autocompletion=completing.apps,
    ),
]
Image = Annotated[list[str], typer.Option(metavar="[CONTAINER=]REF", help="Release this image; repeatable.")]
Restart = Annotated[bool, typer.Option("--restart", help="Release the same template with new pods.")]
Promote = Annotated[str, typer.Option(metavar="auto|manual", help="Instead of the spec's.")]
Wait = Annotated[
    str, typer.Option(metavar="finished|promoted", help="Return when the old side is gone, or before.")
]
ReleaseWait = Annotated[
    str,
    typer.Option(
        "--wait",
        metavar="finished|promoted",
        help="Return when the old side is gone, the default, or before.",
    ),
]
SavedPlan = Annotated[
    str, typer.Option("--plan", metavar="PLAN.json", help="Release what `plan --out` wrote; - is stdin.")
]
Timeout = Annotated[str, typer.Option(envvar="DEPLOYCTL_TIMEOUT", help="Until promoted, such as 30m.")]
OnTimeout = Annotated[str, typer.Option(metavar="abort|hold", help="What to do at the time-out.")]
AcceptSync = Annotated[
    bool, typer.Option("--accept-sync", help="Go on although a GitOps sync may interfere.")
]
Fit = Annotated[
    bool, typer.Option("--fit", help="Where there is too little room, take the smaller release that fits.")
]
Replace = Annotated[
    bool, typer.Option("--replace", help="Turn another release of the app round first, then begin this one.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan and touch nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@running
def release(  # noqa: PLR0913 - one parameter a flag
    flags: Flags,
    target: Subjects = "",
    *,
    plan: SavedPlan = "",
    image: Image = [],  # noqa: B006 - typer's way
    restart: Restart = False,
    promote: Promote = "",
    wait: ReleaseWait = "",
    timeout: Timeout = "30m",
    on_timeout: OnTimeout = "abort",
    accept_sync: AcceptSync = False,
    fit: Fit = False,
    replace: Replace = False,
    reason: Reason = "",
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Release FILE or APP: bring up, gate, shift, keep, finish.

    Run it again to go on where an earlier run was interrupted. With --plan it carries out what `deployctl plan
    --out` wrote, to the letter, or says what has moved since (exit 6) and touches nothing. Exit codes: 0 done, 3 a gate said no and the old
    version serves, 4 waiting for a person, 5 time ran out, 6 somebody else is at it, 7 not allowed.
    """
    from deployctl.cli import planning, promised, releasing

    ask = releasing.Asked(
        image, restart, promote, wait, timeout, on_timeout, accept_sync, replace, reason, yes, plan, fit
    )
    if plan or not target:
        raise typer.Exit(promised.release(flags, target, ask, dry_run=dry_run))
    if dry_run:
        shown = planning.Asked(image, restart, promote, wait or "finished", accept_sync, fit=fit)
        raise typer.Exit(planning.plan(flags, target, shown))
    raise typer.Exit(releasing.release(flags, target, ask))
