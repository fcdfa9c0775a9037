"""What the cluster remembers of an app's releases: one ConfigMap, the newest release first.

Its key `version` names the format. An older format is read, and written anew by the next write; one that is not
known here is neither read nor written, for it is somebody's who knows more. The way back does without a record.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from deployctl.cluster.api import MERGE_PATCH, Api, NotFound, Request, Stale
from deployctl.cluster.paths import path
from deployctl.errors import UsageError
from deployctl.formats import VERSION, Entry, Flagged, Word, known, releases_of
from deployctl.memory import FIELD_MANAGER
from deployctl.secrecy import masked
from deployctl.spoken import cut

__all__ = ["Entry", "Flagged", "Record", "Word"]
Json = dict[str, Any]
Parts = Mapping[str, str | None]
KEPT = 20
MOST_BYTES = 512 * 1024  # of all that the ConfigMap holds; the API server takes twice as much
MOST_SPARE = 4 * 1024  # for a wish
MOST_GATES = 100  # answers that one release keeps
MOST_WORDS = 20  # of people, that one release keeps
MOST_LETTERS = 500  # of one answer, and of why it ended so
TRIES = 8


def now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class Intent(msgspec.Struct, frozen=True, omit_defaults=True):
    """A wish left for the running release."""

    release: str
    wish: str  # promote, finish or pause
    by: str
    at: str
    reason: str = ""


class Kept(msgspec.Struct, frozen=True):
    """The whole record as read: the spec as canonical JSON, the template in flight, the releases.

    `unknown` names the format of a record that is not read, for it is none of those that are known here.
    """

    spec: Json | None = None
    template: Json | None = None
    releases: tuple[Entry, ...] = ()
    intent: Intent | None = None
    unknown: str = ""


def parse(config_map: Json | None) -> Kept:
    """Read a record; parts that cannot be read are as if they were not there."""
    held = (config_map or {}).get("data") or {}
    if not known(held):
        return Kept(unknown=held["version"])
    return Kept(
        spec=_read(held.get("spec"), Json),
        template=_read(held.get("template"), Json),
        releases=releases_of(held),
        intent=intent_of(config_map),
    )


def intent_of(config_map: Json | None) -> Intent | None:
    """Read the wish left for the running release, and nothing else of the record."""
    held = (config_map or {}).get("data") or {}
    found: Intent | None = _read(held.get("intent"), Intent) if known(held) else None
    return found


def refused(releases: tuple[Entry, ...]) -> frozenset[str]:
    """Name the templates that a release or a rollback left, and none brought back since: no way back leads there."""
    return frozenset(template for template, one in last_words(releases).items() if one)


def last_words(releases: tuple[Entry, ...]) -> dict[str, Entry | None]:
    """Give for each template the release that left it, or None where the newest word on it is a good one.

    `releases` has the newest first, and the newest word on a template counts. Of a release that no end was written
    of, for its process died of the last write or that failed, the next one tells: by what that began on.
    """
    words: dict[str, Entry | None] = {}
    for one, next_ in zip(releases, (None, *releases), strict=False):
        if one.outcome == "rolledBack":
            words.setdefault(one.stable, None)
        promoted = one.outcome == "promoted" or bool(
            not one.outcome and next_ and next_.stable == one.preview
        )
        words.setdefault(one.preview, None if promoted else one)
    return words


def _read(text: str | None, kind: Any) -> Any:
    try:
        return msgspec.json.decode(text, type=kind) if text else None
    except msgspec.MsgspecError:
        return None


class Record:
    """Reads and writes the ConfigMap of one app."""

    def __init__(self, api: Api, namespace: str, app: str) -> None:
        self._api, self._namespace, self._app, self._name = api, namespace, app, f"deployctl-{app}"

    @property
    def _path(self) -> str:
        return path(self._namespace, "configmaps", self._name)

    def read(self) -> Kept:
        return parse(self._found())

    def writable(self) -> Kept:
        """Read the record for who wants to write it; raise UsageError where its format is not known here."""
        return self._writable(self.read())

    def begin(self, entry: Entry, spec: Json | None, template: Json) -> Json:
        """Write down a release before anything is touched; the same id again changes nothing else.

        A wish for it that no process has heard yet stays, unless it was to pause: this run is the answer to that.
        """

        def begun(before: Kept) -> tuple[tuple[Entry, ...], Parts]:
            older = tuple(one for one in before.releases if one.id != entry.id)
            same = next((one for one in before.releases if one.id == entry.id), None)
            parts: dict[str, str | None] = {"template": _keepable(template)}
            wish = before.intent
            if wish is None or wish.release != entry.id or wish.wish == "pause":
                parts["intent"] = None
            return (_joined(same, entry), *older), {**parts, "spec": json.dumps(spec)} if spec else parts

        return self._change(begun)

    def end(self, entry: Entry) -> Json:
        return self._change(lambda before: (_with(before, entry), {"template": None, "intent": None}))

    def note(self, entry: Entry) -> Json:
        """Write down where a release stands that has not ended, and what its gates said."""
        return self._change(lambda before: (_with(before, entry), {}))

    def witnessed(self, entry: Entry) -> Json:
        """Add what a run has seen that did not come to an end; how the release stands, somebody else may say."""
        return self._change(lambda before: (_added(before, entry), {}))

    def flagged(self, id_: str, flags: tuple[Flagged, ...]) -> Json:
        """Write down what a release does to its flags."""
        return self._change(
            lambda before: (
                tuple(
                    msgspec.structs.replace(one, flags=_flags(one.flags, flags)) if one.id == id_ else one
                    for one in before.releases
                ),
                {},
            )
        )

    def leave(self, intent: Intent | None, word: Word | None = None) -> Json:
        """Leave a wish for the running release, and who wished it why; or take a wish away."""
        text = msgspec.json.encode(intent).decode() if intent else None
        name = intent.release if intent else ""
        return self._change(lambda before: (_heard(before.releases, name, word), {"intent": text}))

    def _found(self) -> Json | None:
        try:
            return self._api.get(self._path)
        except NotFound:
            return None

    def _writable(self, found: Kept) -> Kept:
        if not found.unknown:
            return found
        raise UsageError(
            f"the record configmap/{self._name} has format {found.unknown}, and this deployctl knows {VERSION}",
            advice=f"upgrade deployctl; `deployctl rollback {self._app}` works without the record",
        )

    def _change(self, change: Callable[[Kept], tuple[tuple[Entry, ...], Parts]]) -> Json:
        """Write what follows from the record as it is; what somebody wrote in between is read anew."""
        for left in reversed(range(TRIES)):
            found = self._found()
            entries, parts = change(self._writable(parse(found)))
            try:
                return self._write(found, fitted((found or {}).get("data") or {}, entries, parts))
            except Stale:
                if not left:
                    raise
        raise AssertionError

    def _write(self, found: Json | None, held: Parts) -> Json:
        if found is None:
            return self._create(held)
        query, body = {"fieldManager": FIELD_MANAGER}, {"data": held, "metadata": _version(found)}
        try:
            return self._api.send(Request("PATCH", self._path, body, MERGE_PATCH, query))
        except NotFound:
            return self._create(held)

    def _create(self, held: Parts) -> Json:
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": self._name, "labels": {"app.kubernetes.io/managed-by": "deployctl"}},
            "data": {key: value for key, value in held.items() if value is not None},
        }
        return self._api.post(path(self._namespace, "configmaps"), body)


def _version(found: Json) -> Json:
    return {"resourceVersion": found["metadata"]["resourceVersion"]}


def _keepable(template: Json) -> str | None:
    """Write a template, unless it holds what may be a secret: more people read ConfigMaps than Deployments.

    It is needed only where a process dies before the Deployment has the template; then the file is, too.
    """
    text = json.dumps(template) if masked(template, "template") == template else ""
    return text if 0 < len(text) < MOST_BYTES // 2 else None


def _with(before: Kept, entry: Entry) -> tuple[Entry, ...]:
    """Join a release with what is known of it; of one that is not known, for somebody took the record, it is all."""
    if entry.id not in {one.id for one in before.releases}:
        return (_joined(None, entry), *before.releases)
    return tuple(_joined(one, entry) if one.id == entry.id else one for one in before.releases)


def _added(before: Kept, entry: Entry) -> tuple[Entry, ...]:
    """Add answers and digests to a release, and leave how it ended as it was."""
    known_ = next((one for one in before.releases if one.id == entry.id), None)
    if known_ is None:
        return before.releases
    stays = {"ended": known_.ended, "outcome": known_.outcome, "reason": known_.reason}
    return _with(before, msgspec.structs.replace(entry, **stays))


def _heard(releases: tuple[Entry, ...], name: str, word: Word | None) -> tuple[Entry, ...]:
    """Add a person's word to the release that it is about."""
    return tuple(
        msgspec.structs.replace(one, words=_words((*one.words, word))) if word and one.id == name else one
        for one in releases
    )


def _joined(before: Entry | None, after: Entry) -> Entry:
    """Add to a release what another run of it has seen; the latest answers of its gates are kept."""
    before = before or msgspec.structs.replace(after, gates=(), words=())
    gates = (*before.gates, *after.gates)[-MOST_GATES:]
    words = (*before.words, *(one for one in after.words if one not in before.words))
    return msgspec.structs.replace(
        after,
        by=before.by,
        started=before.started,
        words=_words(words),
        gates=tuple(cut(one, MOST_LETTERS) for one in gates),
        reason=cut(after.reason, MOST_LETTERS),
        stable_hash=after.stable_hash or before.stable_hash,
        preview_hash=after.preview_hash or before.preview_hash,
        image_ids={**before.image_ids, **after.image_ids},
        flags=_flags(before.flags, after.flags),
    )


def _flags(before: tuple[Flagged, ...], after: tuple[Flagged, ...]) -> tuple[Flagged, ...]:
    """Keep what is known of each flag last."""
    return tuple({one.key: one for one in (*before, *after)}.values())


def _words(words: tuple[Word, ...]) -> tuple[Word, ...]:
    """Keep the first word, by which the release began, and the latest."""
    return words if len(words) <= MOST_WORDS else (words[0], *words[1 - MOST_WORDS :])


def fitted(there: Mapping[str, str], entries: tuple[Entry, ...], parts: Parts) -> Parts:
    """Complete a change of the record by the newest releases, as many as fit beside what else it holds.

    `there` is all that the record held before; what is None in `parts` goes.
    """
    others = {key: value for key, value in {**there, **parts}.items() if value and key != "releases"}
    room = MOST_BYTES - MOST_SPARE - sum(len(one.encode()) for one in others.values())
    return {**parts, "version": VERSION, "releases": _releases(entries, room)}


def _releases(entries: tuple[Entry, ...], room: int) -> str:
    """Write the newest releases, as many as fit; of the newest, if it must be, no more than who, when and how."""
    kept = entries[:KEPT]
    while len(text := msgspec.json.encode(kept)) > room and len(kept) > 1:
        kept = kept[:-1]
    if len(text) > room:
        least = (msgspec.structs.replace(one, gates=(), words=(), images={}, image_ids={}) for one in kept)
        text = msgspec.json.encode(tuple(least))
    return text.decode()
