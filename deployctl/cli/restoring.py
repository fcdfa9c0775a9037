"""The bodies of `flag snapshot` and `flag restore`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from deployctl.cli.flagging import POLL_SECONDS, everywhere, provider_of, reach, read
from deployctl.cli.flags import Flags
from deployctl.cli.releasing import allowed
from deployctl.cli.session import Subject, show, subject, tell
from deployctl.errors import DeployctlError, UsageError
from deployctl.flags import Setting
from deployctl.flags import snapshot as snapshots
from deployctl.flags.snapshot import Apart, Snapshot, kept, put_back, since_release, since_snapshot
from deployctl.flags.values import said
from deployctl.gates import Asked as Means
from deployctl.planfile import keep
from deployctl.record import Entry, now
from deployctl.releases import holder
from deployctl.spec import App
from deployctl.spec import Flags as FlagsOfApp
from deployctl.spoken import because, harmless, heard

Json = dict[str, Any]
NOT_SPREAD = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """The flags of `flag restore` as they were given."""

    file: str
    keys: tuple[str, ...]
    reason: str
    release: bool
    every: bool
    yes: bool


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one flag that was not as it was."""

    of: Apart
    did: str  # restored, spreading, left or failed
    why: str = ""
    code: int = 0
    now: Setting | None = None

    def __str__(self) -> str:
        match self.did:
            case "restored":
                told = f"{self.of.key} is {said(self.of.then)} again, at every endpoint"
            case "spreading":
                told = (
                    f"{self.of.key} is set to {said(self.of.then)} again, and not seen everywhere: {self.why}"
                )
            case "failed":
                told = f"{self.of}; it could not be put back: {self.why}"
            case _:
                told = because(f"{self.of}; left", self.why)
        return harmless(told)


def snapshot(flags: Flags, name: str, out: str, reason: str) -> int:
    """Write down every flag of an app; give the exit code."""
    api, found = subject(flags, name)
    of = provider_of(found.app)
    settings: tuple[Setting, ...] = of.provider.options.settings(reach(api, found.app))
    one = Snapshot(
        app=found.app.name,
        namespace=api.namespace,
        provider=of.provider.kind,
        at=now(),
        by=holder(),
        reason=heard(reason),
        flags=kept(settings),
    )
    plural = "s" * (len(settings) != 1)
    text = msgspec.json.format(msgspec.json.encode(one), indent=2)
    if out:
        keep(text + b"\n", out)
    told = f"{len(settings)} flag{plural} of {one.app} kept in {out}" if out else text.decode()
    show(flags, msgspec.to_builtins(one), told, out or "\n".join(f"flag/{each.key}" for each in settings))
    return 0


def restore(flags: Flags, name: str, ask: Asked) -> int:
    """Show how flags differ from what they were, put back those that are asked for; give the exit code."""
    if bool(ask.file) == ask.release:
        raise UsageError("what were the flags?", advice="give either FILE, of `flag snapshot`, or --release")
    api, found = subject(flags, name)
    of, means = provider_of(found.app), reach(api, found.app)
    known, differing = (_of_release if ask.release else _of_file)(found, of, means, ask)
    if strange := [key for key in ask.keys if key not in known]:
        raise UsageError(f"no flag {strange[0]} was kept; there are {', '.join(sorted(known)) or 'none'}")
    chosen = tuple(one for one in differing if one.key in ask.keys or (ask.every and not one.why))
    for one in differing if chosen else ():
        tell(harmless(f"{found.app.name}: flag {one}"))
    if chosen:
        allowed(flags, api, f"put back {_names(chosen)} of {found.app.name}", yes=ask.yes)
    made = tuple(_restored(of, chosen, because(f"put back by {holder()}", heard(ask.reason)), means))
    left = tuple(Done(one, "left", one.why or "not asked for") for one in differing if one not in chosen)
    _show(flags, found.app, (*made, *left), asked_for=bool(ask.keys or ask.every))
    return next((one.code for one in made if one.code), 0)


def _names(these: Iterable[Apart]) -> str:
    return ", ".join(one.key for one in these)


def _of_file(found: Subject, of: FlagsOfApp, means: Means, ask: Asked) -> tuple[set[str], tuple[Apart, ...]]:
    """Compare with a snapshot of the same app."""
    then = snapshots.read(ask.file)
    for what, theirs, ours in (
        ("app", then.app, found.app.name),
        ("namespace", then.namespace, means.about.namespace),
        ("provider", then.provider, of.provider.kind),
    ):
        if theirs != ours:
            told = f"{ask.file}: the {what} of this snapshot is {harmless(theirs)}, and is {ours} here"
            raise UsageError(told, advice="give a snapshot of this app, or use `deployctl flag set`")
    now_: tuple[Setting, ...] = of.provider.options.settings(means)
    known = {one.key for one in then.flags}
    if new := sorted(one.key for one in now_ if one.key not in known):
        tell(harmless(f"{found.app.name}: new since the snapshot, and left: {', '.join(new)}"))
    return known, tuple(since_snapshot(then.flags, now_))


def _of_release(
    found: Subject, of: FlagsOfApp, means: Means, ask: Asked
) -> tuple[set[str], tuple[Apart, ...]]:
    """Compare with what the last release that moved flags found."""
    del ask
    one: Entry | None = next((entry for entry in found.kept.releases if entry.flags), None)
    if one is None:
        raise UsageError(
            f"no release on record of {found.app.name} moved a flag",
            advice="give a file that `deployctl flag snapshot` wrote",
        )
    tell(f"{found.app.name}: as release {one.id} found them at {one.started}")
    each = (since_release(flag, _there(of, flag.key, means)) for flag in one.flags)
    return {flag.key for flag in one.flags}, tuple(each_ for each_ in each if each_)


def _there(of: FlagsOfApp, key: str, means: Means) -> Setting | None:
    """Read a flag, or nothing where there is no such flag any more."""
    try:
        found: Setting = of.provider.options.setting(key, means)
    except UsageError:
        return None
    return found


def _restored(of: FlagsOfApp, chosen: tuple[Apart, ...], reason: str, means: Means) -> Iterator[Done]:
    """Write all first, then wait for all to spread: one that fails keeps none of the others."""
    written = [_written(of, one, reason, means) for one in chosen]
    end = time.monotonic() + of.provider.options.spread_seconds
    for one in written:
        yield _spread(of, one, end, means) if one.now else one


def _written(of: FlagsOfApp, one: Apart, reason: str, means: Means) -> Done:
    try:
        return Done(one, "restored", now=put_back(of.provider.options, one, reason, means))
    except DeployctlError as error:
        return Done(one, "failed", str(error), error.exit_code)


def _spread(of: FlagsOfApp, one: Done, end: float, means: Means) -> Done:
    """Read until every endpoint has it or the time is over; what rules decide has no one value to wait for."""
    if one.now is None or one.now.value is None:
        return one
    while not everywhere(one.now, readings := read(of, one.of.key, means)) and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
    if everywhere(one.now, readings):
        return one
    late = next((each for each in readings if not everywhere(one.now, (each,))), None)
    why = (late.why or f"{late.value} at {late.endpoint}") if late else "no endpoint was asked"
    return Done(one.of, "spreading", why, NOT_SPREAD, one.now)


def _show(flags: Flags, app: App, every: tuple[Done, ...], *, asked_for: bool) -> None:
    whole: Json = {
        "apiVersion": "deployctl.dev/v1alpha1",
        "kind": "FlagRestore",
        "app": app.name,
        "items": [_item(one) for one in every],
    }
    text = "\n".join(map(str, every)) or "every flag is as it was"
    show(
        flags,
        whole,
        text,
        "\n".join(f"flag/{one.of.key}" for one in every if one.did in {"restored", "spreading"}),
    )
    if every and not asked_for:
        tell(f"{app.name}: nothing was put back; name flags with --flag KEY, or all with --all")


def _item(one: Done) -> Json:
    now_, then = one.of.now, one.of.then
    return {
        "key": one.of.key,
        "now": {"value": now_.value, "share": now_.rollout} if now_ else None,
        "then": {"value": then.value, "share": then.rollout},
        "did": one.did,
        "why": one.why,
    }
