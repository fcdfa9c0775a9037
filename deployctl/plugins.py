"""Strategies, gates and traffic providers are found by name among the installed entry points."""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import Any

from deployctl.errors import DeployctlError, UsageError

STRATEGIES = "deployctl.strategies"
GATES = "deployctl.gates"
TRAFFIC = "deployctl.traffic"
FLAGS = "deployctl.flags"
NOTIFIERS = "deployctl.notifiers"


def names(group: str) -> tuple[str, ...]:
    """List what is installed in a group, in alphabetical order; nothing is imported."""
    return tuple(sorted(_installed(group).names))


def find(group: str, name: str) -> Any:
    """Import one plugin, and only this one; raise an error that lists what is installed if there is none."""
    found = tuple(_installed(group).select(name=name))
    if not found:
        installed = ", ".join(names(group)) or "none"
        raise UsageError(f"{name}: no such plugin of {group}; installed: {installed}")
    if len(found) > 1:
        owners = ", ".join(sorted(map(_owner, found)))
        raise DeployctlError(
            f"{name}: {owners} all provide it for {group}", advice="uninstall all but one of them"
        )
    return _load(found[0])


def _installed(group: str) -> EntryPoints:
    return _read(group, tuple(sys.path))


@cache
def _read(group: str, _path: tuple[str, ...]) -> EntryPoints:
    """Read the metadata of everything that is installed, which takes milliseconds: once for what `sys.path` is."""
    return entry_points(group=group)


def _load(plugin: EntryPoint) -> Any:
    try:
        return plugin.load()
    except (ImportError, AttributeError, SyntaxError) as error:
        what = f"{plugin.name}: {plugin.value} of {_owner(plugin)} cannot be imported: {error}"
        raise DeployctlError(what, advice=f"reinstall or remove {_owner(plugin)}") from error


def _owner(plugin: EntryPoint) -> str:
    return f"{plugin.dist.name} {plugin.dist.version}" if plugin.dist else "an unknown distribution"
