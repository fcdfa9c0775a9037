"""What a person's word does: leave it for the process that runs the release, or run it."""

from __future__ import annotations

import time
from dataclasses import replace

from deployctl.cli.flags import Flags, span
from deployctl.cli.releasing import keep_seconds
from deployctl.cli.session import (
    carry_out,
    connect,
    drain_of,
    flags_of,
    outliving,
    recorded,
    show,
    story,
    tell,
    word,
)
from deployctl.cluster.api import Api, Denied
from deployctl.cluster.view import Names
from deployctl.errors import SpecError
from deployctl.lock import Lock, fresh, holder_of
from deployctl.prepare import Found, find, guess, names_of
from deployctl.record import Intent, Kept, Record, Word
from deployctl.releases import Run, forget_copies, holder, in_flight, turning
from deployctl.rollout import Orders
from deployctl.spec import from_canonical
from deployctl.spoken import because
from strategies.model import Wish

PAUSE_SECONDS = 60.0
Located = tuple[Api, Found, Kept]


def pause(flags: Flags, name: str, reason: str) -> int:
    """Ask the running process to stop at a safe point, and wait until it has."""
    api, there, _ = located(flags, name)
    lock = _lock(api, there)
    if there.memory is None or not _alive(lock):
        show(flags, {"app": name, "paused": False}, f"{name}: no process runs a release; nothing to pause")
        return 0
    _leave(api, there, "pause", word("pause", reason))
    until = time.monotonic() + PAUSE_SECONDS
    while _alive(lock) and time.monotonic() < until:
        time.sleep(0.3)
    if _alive(lock):
        tell(f"{name}: asked to pause; the running process has not come to a safe point yet")
        return 5
    show(flags, {"app": name, "paused": True}, f"{name}: paused; go on with `deployctl resume {name}`")
    return 0


def abort(flags: Flags, name: str, reason: str, *, fast: bool) -> int:
    at = located(flags, name)
    if at[1].memory is None:
        text = f"{name}: no release is in flight; nothing to abort"
        show(flags, {"app": name, "outcome": "unchanged"}, text)
        return 0
    return turn_back(flags, at, word("abort", reason), fast=fast)


def turn_back(flags: Flags, at: Located, said: Word, *, fast: bool) -> int:
    """Take the release over at once and go back."""
    api, there, kept = at
    why = because(f"aborted by {said.by}", said.reason)
    run = turning(api, there, kept.template, story(flags, there.names.app), why)
    run.plan = replace(run.plan, drain=drain_of(kept), flags=flags_of(kept))
    run.orders, run.word = Orders(fast=fast), said
    return carry_out(flags, run, back=True)


def located(flags: Flags, name: str) -> Located:
    """Find an app by name; without a readable record by its Deployment and the Services that select it.

    Where a process died after the last write of a release, what it had still to take off is taken off here.
    """
    api = connect(flags)
    kept = _kept(api, name)
    try:
        names = names_of(from_canonical(kept.spec or {}), api.namespace)
    except SpecError:
        names = guess(api, name)
    there = find(api, names)
    for one in forget_copies(api, there):
        tell(one)
    return api, there, kept


def _kept(api: Api, name: str) -> Kept:
    """Read the record, which the way back can do without."""
    try:
        kept = Record(api, api.namespace, name).read()
    except Denied as error:
        tell(f"{name}: the record cannot be read: {error}")
        return Kept()
    if kept.unknown:
        tell(f"{name}: the record has format {kept.unknown}, which this deployctl does not know: passed over")
    return kept


def go_on(  # noqa: PLR0913 - one parameter a flag
    flags: Flags, name: str, timeout: str, wish: str, reason: str, *, proceed: bool
) -> int:
    """Run the release to its end, or leave the wish for the process that runs it."""
    api, there, kept = located(flags, name)
    if there.memory is None:
        show(flags, {"app": name, "outcome": "unchanged"}, f"{name}: no release is in flight; nothing to do")
        return 0
    said = word(wish or "resume", reason)
    if wish and _alive(_lock(api, there)):
        _leave(api, there, wish, said)
        text = f"{name}: left for the running process; follow it with `deployctl status {name} -w`"
        show(flags, {"app": name, "outcome": "left"}, text)
        return 0
    found = recorded(api, name)
    orders = Orders(
        span("--timeout", timeout),
        wish=Wish(wish) if wish else None,
        keep_seconds=keep_seconds(found.app),
        proceed=proceed,
    )
    plan = in_flight(there, found.app, kept.template)
    run = Run(api, plan, story(flags, name), orders, waiting=outliving(name), word=said)
    return carry_out(flags, run)


def _lock(api: Api, there: Found) -> Lock:
    return Lock(api, there.names.namespace, there.names.app, holder())


def _alive(lock: Lock) -> bool:
    lease = lock.look()
    return bool(lease and holder_of(lease) and fresh(lease))


def _leave(api: Api, there: Found, wish: str, said: Word) -> None:
    if there.memory:
        leave(api, there.names, there.memory.id, wish, said)


def leave(api: Api, names: Names, release: str, wish: str, said: Word) -> None:
    """Leave a wish for the process that runs a release."""
    intent = Intent(release, wish, said.by, said.at, said.reason)
    Record(api, names.namespace, names.app).leave(intent, said)
