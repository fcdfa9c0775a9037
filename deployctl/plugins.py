"""Strategies, gates and traffic providers are found by name among the installed entry points."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from deployctl.errors import DeployctlError, UsageError

STRATEGIES = "deployctl.strategies"
GATES = "deployctl.gates"
TRAFFIC = "deployctl.traffic"
FLAGS = "deployctl.flags"
NOTIFIERS = "deployctl.notifiers"


def names(group: str) -> tuple[str, ...]:
    """List what is installed in a group, in alphabetical order; nothing is imported."""
    return tuple(sorted(entry_points(group=group).names))


def find(group: str, name: str) -> Any:
    """Import one plugin, and only this one; raise an error that lists what is installed if there is none."""
    found = tuple(entry_points(group=group, name=name))
    if not found:
        installed = ", ".join(names(group)) or "none"
        raise UsageError(f"{name}: no such plugin of {group}; installed: {installed}")
    if len(found) > 1:
        owners = ", ".join(sorted(map(_owner, found)))
        raise DeployctlError(
            f"{name}: {owners} all provide it for {group}", advice="uninstall all but one of them"
        )
    return _load(found[0])


def _load(plugin: EntryPoint) -> Any:
    try:
        return plugin.load()
    except (ImportError, AttributeError, SyntaxError) as error:
        what = f"{plugin.name}: {plugin.value} of {_owner(plugin)} cannot be imported: {error}"
        raise DeployctlError(what, advice=f"reinstall or remove {_owner(plugin)}") from error


def _owner(plugin: EntryPoint) -> str:
    return f"{plugin.dist.name} {plugin.dist.version}" if plugin.dist else "an unknown distribution"
