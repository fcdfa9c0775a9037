"""The formats of the record's releases: the one that is written, and the older ones that are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from strategies.flags import State

FIRST, VERSION = "1", "2"  # the first was written without a version


class Word(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who did what to a release, and the reason they gave: `verb` is the command that they ran."""

    verb: str
    by: str
    at: str
    reason: str = ""


class Flagged(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A flag that a release moves: what it was, whole, and what was set last; `done` says that the write was made.

    `ours` ends in what was meant where it is not done; `back` is what the way back made of it.
    """

    key: str
    before: State
    was: dict[str, Any] = {}
    rollout: bool = False
    ours: tuple[State, ...] = ()
    by: str = ""
    at: str = ""
    done: bool = False
    back: str = ""


class Entry(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One release: who, what, why, and how it ended. `stable` and `preview` are template digests.

    Of a rollback `preview` is what was left, and `stable` what it went to; `images` and `image_ids` are of what the
    release was for. `image_ids` are the digests that its pods really ran, by container: several where a tag moved.
    `reason` says why it ended so, `words` what people said.
    """

    id: str
    strategy: str
    stable: str
    preview: str
    by: str
    started: str
    images: dict[str, str] = {}
    image_ids: dict[str, tuple[str, ...]] = {}
    stable_hash: str = ""
    preview_hash: str = ""
    words: tuple[Word, ...] = ()
    digest: str = ""
    ended: str = ""
    outcome: str = ""
    reason: str = ""
    gates: tuple[str, ...] = ()
    flags: tuple[Flagged, ...] = ()


class First(msgspec.Struct, frozen=True, rename="camel"):
    """A release as format 1 has it: one reason, `why`, which was copied to `reason` where a release was promoted."""

    id: str
    strategy: str
    stable: str
    preview: str
    by: str
    started: str
    images: dict[str, str] = {}
    why: str = ""
    digest: str = ""
    ended: str = ""
    outcome: str = ""
    reason: str = ""
    gates: tuple[str, ...] = ()

    def today(self) -> Entry:
        """Give it in the format of today."""
        whole = msgspec.structs.asdict(self)
        why = whole.pop("why")
        verb = "rollback" if self.strategy == "rollback" else "release"
        given = why if verb == "release" else ""
        words = (Word(verb, self.by, self.started, given),)
        reason = "" if given == self.reason else self.reason
        return Entry(**{**whole, "reason": reason, "words": words})


def known(held: Mapping[str, str]) -> bool:
    """Say whether a record's format is one that is read here."""
    return held.get("version", FIRST) in {FIRST, VERSION}


def releases_of(held: Mapping[str, str]) -> tuple[Entry, ...]:
    """Read the releases of a record of a known format; what cannot be read is as if it were not there."""
    text = held.get("releases")
    if not text:
        return ()
    kind: Any = Entry if held.get("version") == VERSION else First
    try:
        found = msgspec.json.decode(text, type=tuple[kind, ...])
    except msgspec.MsgspecError:
        return ()
    return tuple(one.today() if isinstance(one, First) else one for one in found)
