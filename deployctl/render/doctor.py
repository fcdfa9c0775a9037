"""Writes a diagnosis: the cluster, the rights, and one line a check with the command that mends it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deployctl.foreign import printable

Json = dict[str, Any]
ROLLOUT = "A fix that is marked * changes the pod template: kubectl begins a rollout then, without gates."
BETTER = "Better write it into the manifest, and release that."


def text(whole: Json, rights_fix: tuple[str, ...]) -> str:
    return printable("\n".join(_lines(whole, rights_fix)))


def _lines(whole: Json, rights_fix: tuple[str, ...]) -> Iterator[str]:
    yield f"cluster   {whole['context']} at {whole['server']}, Kubernetes {whole['version']}"
    yield from _rights(whole, rights_fix)
    found: list[Json] = whole["findings"]
    if not whole["app"]:
        yield from ("", "next", "  deployctl doctor APP")
        return
    yield from ("", f"{whole['app']} in {whole['namespace']}: {_counted(found)}")
    width = max(len(one["check"]) for one in found)
    for one in found:
        yield f"  {one['level']:<7}  {one['check']:<{width}}  {one['message']}"
        if one["fix"]:
            yield f"    {'*' if one['restarts'] else ' '} {one['fix']}"
    if any(one["restarts"] for one in found):
        yield from ("", ROLLOUT, BETTER)


def _rights(whole: Json, rights_fix: tuple[str, ...]) -> Iterator[str]:
    rights, where = whole["rights"], f"in namespace {whole['namespace']}"
    lacking = [f"{one['verb']} {one['resource']}" for one in rights if not one["allowed"]]
    if not lacking:
        yield f"rights    all {len(rights)} that a release needs {where}"
        return
    yield f"rights    {len(lacking)} of {len(rights)} are missing {where}: {', '.join(lacking)}"
    yield from (f"      {one}" for one in rights_fix)
    yield "      and bind them to yourself with kubectl create rolebinding; docs/rbac.md has the whole Role"


def _counted(found: list[Json]) -> str:
    """Sum it up: `1 error, 2 warnings`."""
    counts = [(sum(one["level"] == level for one in found), level) for level in ("error", "warning")]
    return ", ".join(f"{n} {level}{'s' * (n != 1)}" for n, level in counts if n) or "ready"
