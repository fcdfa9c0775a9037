"""Flags as they were: a file of all of them, or what a release found; and how what is there now differs from it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from deployctl.errors import DeployctlError, UsageError
from deployctl.flags import Provider, Setting, Value
from deployctl.flags.values import said
from deployctl.foreign import printable
from deployctl.formats import Flagged
from deployctl.gates import Asked
from strategies.flags import Back, State, back

API_VERSION, KIND = "deployctl.dev/v1alpha1", "FlagSnapshot"
MOST_BYTES = 16 * 2**20


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """One flag as it was; `was` is the whole setting as its provider has it."""

    key: str
    value: Value | None
    share: bool = False
    was: dict[str, Any] | None = None

    @property
    def setting(self) -> Setting:
        return Setting(self.key, self.value, rollout=self.share, was=self.was)


class Snapshot(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """All flags of an app's provider at one time; `provider` is its kind, such as unleash."""

    api_version: str = API_VERSION
    kind: str = KIND
    app: str
    namespace: str
    provider: str
    at: str
    by: str
    reason: str = ""
    flags: tuple[Kept, ...]


@dataclass(frozen=True, slots=True)
class Apart:
    """A flag that is not as it was; `now` is None where there is no such flag any more.

    why: why it is left unless it is asked for by its name
    """

    then: Setting
    now: Setting | None
    why: str = ""

    @property
    def key(self) -> str:
        return self.then.key

    def __str__(self) -> str:
        there = said(self.now) if self.now else "gone"
        same = self.now and said(self.now) == said(self.then)
        return f"{self.key} is {there} and was {said(self.then)}{', by other rules' if same else ''}"


def kept(settings: Iterable[Setting]) -> tuple[Kept, ...]:
    """Give flags as a snapshot keeps them."""
    return tuple(
        Kept(one.key, one.value, one.rollout, dict(one.was) if one.was else None) for one in settings
    )


def read(name: str) -> Snapshot:
    """Read a snapshot, or with `-` the standard input; raise UsageError where it is none."""
    try:
        with sys.stdin.buffer if name == "-" else Path(name).open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise _broken(name, error.strerror or "it cannot be read") from error
    if len(raw) > MOST_BYTES:
        raise _broken(name, f"it is longer than {MOST_BYTES} bytes")
    try:
        found = msgspec.json.decode(raw, type=Snapshot)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _broken(name, f"no snapshot of flags: {printable(str(error))}") from error
    if (found.api_version, found.kind) != (API_VERSION, KIND):
        kind = printable(f"{found.kind} of {found.api_version}")
        raise _broken(name, f"its kind is {kind}; this deployctl reads {KIND} of {API_VERSION}")
    return found


def _broken(name: str, why: str) -> UsageError:
    return UsageError(
        f"{name}: {why}", advice="give a file that `deployctl flag snapshot APP --out FILE` wrote"
    )


def since_snapshot(then: Iterable[Kept], now: Iterable[Setting]) -> Iterator[Apart]:
    """Name each flag of a snapshot that is not as it was."""
    there = {one.key: one for one in now}
    for one in then:
        found = there.get(one.key)
        if found is None or not _alike(found, one.setting):
            yield Apart(one.setting, found)


def _alike(now: Setting, then: Setting) -> bool:
    if then.was is not None and now.was is not None:
        return dict(now.was) == dict(then.was)
    return (now.value, now.rollout) == (then.value, then.rollout)


def since_release(flag: Flagged, now: Setting | None) -> Apart | None:
    """Say how a flag that a release moved differs from what the release found, and whether somebody else has set it."""
    then = Setting(flag.key, flag.before.value, rollout=flag.rollout, was=flag.was or None)
    if now is None:
        return Apart(then, None)
    match back(State(now.value, now.rollout).plain, flag.before, flag.ours):
        case Back.NOTHING:
            return None
        case Back.LEAVE:
            return Apart(then, now, "somebody else has set it since the release")
        case _:
            return Apart(then, now)


def put_back(provider: Provider, one: Apart, reason: str, asked: Asked) -> Setting:
    """Put a flag back as it was, over what was seen; raise where nobody may, or where it is not known whole."""
    if one.now is None:
        raise UsageError(f"there is no flag {one.key} any more", advice="make it where flags are kept")
    if one.now.locked:
        raise UsageError(f"flag {one.key} cannot be set: {one.now.locked}", advice="set it where it is kept")
    if one.then.was:
        return provider.restore(one.now, one.then, reason, asked)
    if one.then.value is None:
        raise DeployctlError(f"flag {one.key}: its rules were not kept, so they cannot be put back")
    if one.then.rollout and isinstance(one.then.value, int):
        return provider.roll_out(one.now, one.then.value, reason, asked)
    return provider.set(one.now, one.then.value, reason, asked)
