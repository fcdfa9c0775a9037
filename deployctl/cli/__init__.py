"""The command line: a table of commands, each in a module that is imported when it is called.

A command function parses, wires, runs and exits; what it raises becomes a message and an exit code here.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from deployctl.aloud import bear, deafen
from deployctl.cli.completing import silent
from deployctl.errors import DeployctlError

COMMANDS: dict[str, tuple[str, str]] = {
    "release": ("release", "Release FILE or APP: bring up, gate, shift, keep, finish."),
    "plan": ("plan", "Show what a release would do, and touch nothing."),
    "status": ("status", "Show what runs, what a release waits for, and how to go on by hand."),
    "why": ("status", "Say why a release stands where it stands."),
    "history": ("history", "List the last releases: how each ended, who, why, what ran."),
    "diff": ("diff", "Show what changed from one revision to another."),
    "report": ("report", "Write a report of one release: HTML, Markdown or JSON."),
    "promote": ("steer", "Let the waiting preview have the traffic."),
    "pause": ("steer", "Stop the running release at its next safe point."),
    "resume": ("steer", "Go on with a release that was paused or whose process died."),
    "abort": ("steer", "Turn the release round and return to stable, now."),
    "finish": ("steer", "Retire the old side now, without waiting for keepOld."),
    "rollback": ("rollback", "Go back: out of a running release, or to an earlier revision."),
    "gate": ("gate", "Ask gates now; list and explain the kinds there are."),
    "flag": ("flag", "See, set, keep and put back feature flags of an app, at every endpoint."),
    "autoscale": ("autoscale", "Set how many pods an app has, raise that for an event, put it back."),
    "sandbox": ("sandbox", "Practise without a cluster: one of local processes, up in a second."),
    "config": ("config", "Show what is set, and by what."),
    "init": ("init", "Write a spec file for a Deployment that runs."),
    "doctor": ("doctor", "Check the cluster, your rights and an app's readiness, and print the fixes."),
    "validate": ("validate", "Check a spec file and its manifests, without a cluster."),
    "schema": ("validate", "Print the JSON Schema of the spec file, or of a plan file."),
    "version": ("validate", "Print the versions of the client and the server."),
}


class Commands(TyperGroup):
    """Lists the table; imports the one command that is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"deployctl.cli.{COMMANDS[cmd_name][0]}")
        return single(cmd_name, getattr(module, cmd_name))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that is called; of one that there is not, say which may be meant."""
        try:
            return super().resolve_command(ctx, args)
        except typer._click.exceptions.UsageError as error:  # noqa: SLF001 - typer carries click inside
            if meant := get_close_matches(args[0], COMMANDS):
                error.message = f"{error.message.rstrip('.')}. Did you mean {' or '.join(meant)}?"
            raise

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Offer the commands of the table without importing any."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        from typer._click.shell_completion import CompletionItem

        return [
            CompletionItem(one, help=said)
            for one, (_, said) in COMMANDS.items()
            if one.startswith(incomplete)
        ]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def single(name: str, function: Callable[..., None] | typer.Typer) -> Any:
    """Turn one function into a command without importing rich; a group of commands is one already."""
    if isinstance(function, typer.Typer):
        return typer.main.get_command(function)
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(name)(function)
    return typer.main.get_command(app)


app = typer.Typer(
    cls=Commands,
    name="deployctl",
    help="Gated, zero-drop releases of an unchanged Kubernetes Deployment: nothing installed, nothing left behind.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "DEPLOYCTL"},
)


@app.callback()
def _root() -> None:
    """Every flag can be set in the environment too: --namespace as DEPLOYCTL_NAMESPACE, release --wait as DEPLOYCTL_RELEASE_WAIT."""


def run() -> int:
    """Run the command of sys.argv; give the exit code of docs/exit-codes.md."""
    if _completes():
        silent()
    bear()
    try:
        code = typer.main.get_command(app)(standalone_mode=False)
        sys.stdout.flush()
    except DeployctlError as error:
        return _tell(error)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        deafen(sys.stdout)
        return 1
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        deafen(sys.stdout)
        return _tell(DeployctlError(f"standard output: {error.strerror}"))
    except typer._click.exceptions.ClickException as error:  # noqa: SLF001 - typer carries click inside
        error.show()
        return error.exit_code
    except typer.Abort:
        return 130
    return code if isinstance(code, int) else 0


def _completes() -> bool:
    """Say whether a shell asks at TAB, where a complaint would be written into somebody's command line."""
    asked = ("_DEPLOYCTL_COMPLETE", "_KUBECTL_DEPLOYCTL_COMPLETE")
    return any(os.environ.get(one, "").startswith("complete_") for one in asked)


def _tell(error: DeployctlError) -> int:
    print(f"error: {error}", file=sys.stderr)
    if error.advice:
        print(f"  next: {error.advice}", file=sys.stderr)
    return error.exit_code
