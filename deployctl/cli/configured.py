"""The body of `config view`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer._click.globals import get_current_context

from deployctl.cli import COMMANDS, single
from deployctl.cli.flags import Flags
from deployctl.cli.session import show
from deployctl.cluster.login import current
from deployctl.errors import DeployctlError

PREFIX = "DEPLOYCTL_"
BESIDES = {
    "DEPLOYCTL_PROTECTED_CONTEXTS": "contexts in which it is asked before anything is touched",
    "DEPLOYCTL_ALLOW_COMMANDS": "whether the gate job may run commands where deployctl runs",
    "DEPLOYCTL_COMPLETION_SECONDS": "how long completion waits for the cluster",
    "DEPLOYCTL_SANDBOX": "the folder of the practice cluster",
    "KUBECONFIG": "the kubeconfig, where --kubeconfig names none",
    "NO_COLOR": "no colours, where --color is auto",
    "CI": "no live view",
}  # read where they are needed, not by a flag
TOLD = ("DEPLOYCTL_LAST_", "DEPLOYCTL_COMPLETE")  # of what a job writes for the next one, and of completion
Row = dict[str, str]


def view(flags: Flags, *, show_origin: bool) -> None:
    """Print the settings."""
    given = get_current_context()
    rows = [*_shared(flags, given), *_environment(os.environ)]
    whole = {"apiVersion": "deployctl.dev/v1alpha1", "kind": "Config", "items": rows}
    width = max(len(one["name"]) for one in rows)
    shown = max(len(one["value"]) for one in rows)
    lines = (
        f"{one['name']:{width}}  {one['value']:{shown}}  {one['origin']}"
        if show_origin
        else f"{one['name']:{width}}  {one['value']}"
        for one in rows
    )
    text = "\n".join(line.rstrip() for line in lines)
    show(flags, whole, text, "\n".join(one["name"] for one in rows))


def _shared(flags: Flags, given: Any) -> Iterator[Row]:
    """Give the shared flags, the context and the namespace as the kubeconfig has them where nobody else says."""
    for one in given.command.params:
        if not hasattr(flags, one.name or ""):
            continue
        value, origin = getattr(flags, one.name), _origin(one, given)
        if value is None and one.name in {"context", "namespace"}:
            value, origin = _by_kubeconfig(flags, one.name)
        yield {"name": one.opts[0], "value": _plain(value), "origin": origin}


def _origin(one: Any, given: Any) -> str:
    source = given.get_parameter_source(one.name)
    if source is None or source.name == "DEFAULT":
        return "default"
    if source.name == "COMMANDLINE":
        return "flag"
    own = f"{given.auto_envvar_prefix}_{one.name.upper()}"
    return str(one.envvar if os.environ.get(one.envvar or "") else own)


def _by_kubeconfig(flags: Flags, name: str) -> tuple[str, str]:
    try:
        file, context, namespace = current(flags.kubeconfig, flags.context)
    except DeployctlError as error:
        return "", str(error)
    return (context if name == "context" else namespace), f"kubeconfig {file}"


def _plain(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _environment(env: Mapping[str, str]) -> Iterator[Row]:
    """Give what else is set in the environment; of a name that nobody knows the value is not shown."""
    for name, about in BESIDES.items():
        if env.get(name):
            yield {"name": name, "value": env[name], "origin": about}
    known = variables()
    for name in sorted(one for one in env if one.startswith(PREFIX) and env[one]):
        if known.get(name):
            yield {"name": name, "value": env[name], "origin": known[name]}
        elif name not in {*known, *BESIDES} and not name.startswith(TOLD):
            yield {"name": name, "value": "", "origin": "no setting has this name"}


def variables() -> dict[str, str]:
    """Name the variable of every flag of every command, with what it is for; shared ones say nothing more."""
    found: dict[str, str] = {}
    for name, (module, _) in COMMANDS.items():
        function = getattr(import_module(f"deployctl.cli.{module}"), name)
        found |= dict(_of(single(name, function), name))
    return found


def _of(command: Any, called: str) -> Iterator[tuple[str, str]]:
    if isinstance(command, typer.core.TyperGroup):
        for name, one in command.commands.items():
            yield from _of(one, f"{called} {name}")
        return
    prefix = PREFIX + called.replace(" ", "_").replace("-", "_").upper()
    for one in command.params:
        if isinstance(one, typer.core.TyperOption) and one.name != "help":
            own = f"{prefix}_{str(one.name).upper()}"
            if not own.endswith("_"):  # a name that Python needs otherwise, which has a variable of its own
                yield own, f"{one.opts[0]} of deployctl {called}"
            if one.envvar:
                yield (
                    str(one.envvar),
                    "" if str(one.envvar) != own else f"{one.opts[0]} of deployctl {called}",
                )
