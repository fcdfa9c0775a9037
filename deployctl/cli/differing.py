"""The body of `diff`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from deployctl.cli.flags import Flags
from deployctl.cli.looking import plain
from deployctl.cli.session import connect, show
from deployctl.difference import between
from deployctl.errors import UsageError
from deployctl.observe import replica_set
from deployctl.past import Past, past, target
from deployctl.published import Difference
from deployctl.render.plan import Paint, changed, colored, uncolored
from deployctl.render.terminal import colors
from deployctl.revisions import listed, named, newest_first
from deployctl.spoken import harmless
from deployctl.workload import template_in

Json = dict[str, Any]


def diff(flags: Flags, app: str, old: str, new: str) -> None:
    """Print the changes from one revision to another."""
    api = connect(flags)
    one = past(api, app)
    before, now = _old(one, old), _new(one, new)
    found = Difference(
        app=app,
        namespace=api.namespace,
        old=target(before),
        new=target(now),
        changes=tuple(between(template_in(before), template_in(now))),
    )
    paint = colored if colors(flags.color, sys.stdout) else uncolored
    show(flags, plain(found), "\n".join(_lines(found, paint)), "\n".join(each.path for each in found.changes))


def _old(one: Past, name: str) -> Json:
    if name:
        return _named(one, name)
    if one.way_back is None:
        there = listed(newest_first(one.sets))
        raise UsageError(f"diff from which revision of {one.app}? There are {there}", advice="name one")
    return one.way_back


def _new(one: Past, name: str) -> Json:
    """Find the revision that is named; else the one on trial, or the live one."""
    if name:
        return _named(one, name)
    found = replica_set(one.sets, one.memory.preview if one.memory else one.live)
    if found is None:
        there = listed(newest_first(one.sets))
        raise UsageError(f"no revision keeps what is live; there are {there}", advice="name both")
    return found


def _named(one: Past, name: str) -> Json:
    if one.deployment is None:
        raise UsageError(f"the workload of {one.app} is gone, and with it its revisions")
    return named(one.deployment, one.sets, name, one.kept.releases, asked="diff")


def _lines(one: Difference, paint: Paint) -> Iterator[str]:
    names = (f"{each.number} ({each.hash})" for each in (one.old, one.new))
    yield f"{one.app} in {one.namespace}: from {' to '.join(names)}"
    if not one.changes:
        yield "  the same pod template"
    harmless_ = (type(each)(*map(harmless, (each.path, each.old, each.new))) for each in one.changes)
    for each in harmless_:
        yield from changed(each, paint)
