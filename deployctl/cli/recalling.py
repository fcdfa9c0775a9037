"""The body of `history`."""

from __future__ import annotations

import shutil
import sys

from deployctl.cli.flags import Flags
from deployctl.cli.looking import nothing_released, plain
from deployctl.cli.session import connect, show, tell
from deployctl.glance import listed
from deployctl.past import histories, of_listed, past
from deployctl.past import history as stated
from deployctl.render import history as render


def history(flags: Flags, app: str, release: str) -> None:
    """Print the releases of one app, or one of them in full."""
    api = connect(flags)
    one = stated(past(api, app), api.now(), release)
    text = render.whole(one) if release or flags.verbose else render.text(one, width())
    show(flags, plain(one), text, "\n".join(f"{one.app}/{each.id}" for each in one.releases))


def every(flags: Flags, *, everywhere: bool) -> None:
    """Print the releases of every app."""
    api = connect(flags)
    apps = listed(api, everywhere=everywhere)
    for one in apps:
        if one.kept.unknown:
            tell(f"{one.app}: its record has format {one.kept.unknown}, which is not known here: left out")
    found = histories(map(of_listed, apps), api.now())
    where = "any namespace" if everywhere else f"namespace {api.namespace}"
    text = render.listing(found, everywhere=everywhere, width=width()) if found.items else ""
    names = "\n".join(f"{each.app}/{each.id}" for each in found.items)
    show(flags, plain(found), text or nothing_released(api, where), names)


def width() -> int | None:
    """Give the width of the terminal, if there is one."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
