"""What the cluster remembers of an app's releases: one ConfigMap, the newest release first."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import msgspec

from deployctl.cluster.api import FIELD_MANAGER, MERGE_PATCH, Api, NotFound, Request
from deployctl.cluster.paths import path
from deployctl.secrecy import masked

Json = dict[str, Any]
KEPT = 20
MOST_BYTES = 512 * 1024
MOST_GATES = 100  # answers that one release keeps


def now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class Entry(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One release: who, what, why, and how it ended. `stable` and `preview` are template digests."""

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
    gates: list[str] = []


class Intent(msgspec.Struct, frozen=True, omit_defaults=True):
    """A wish left for the running release."""

    release: str
    wish: str  # promote, finish or pause
    by: str
    at: str


class Kept(msgspec.Struct, frozen=True):
    """The whole record as read: the spec as canonical JSON, the template in flight, the releases."""

    spec: Json | None = None
    template: Json | None = None
    releases: tuple[Entry, ...] = ()
    intent: Intent | None = None


def parse(config_map: Json | None) -> Kept:
    """Read a record; parts that cannot be read are as if they were not there."""
    held = (config_map or {}).get("data") or {}
    return Kept(
        spec=_read(held.get("spec"), Json),
        template=_read(held.get("template"), Json),
        releases=_read(held.get("releases"), tuple[Entry, ...]) or (),
        intent=intent_of(config_map),
    )


def intent_of(config_map: Json | None) -> Intent | None:
    """Read the wish left for the running release, and nothing else of the record."""
    found: Intent | None = _read(((config_map or {}).get("data") or {}).get("intent"), Intent)
    return found


def refused(releases: tuple[Entry, ...]) -> frozenset[str]:
    """Name the templates that a release or a rollback left, and none brought back since: no way back leads there.

    `releases` has the newest first, and the newest word on a template counts.
    """
    words: dict[str, bool] = {}
    for one in releases:
        if one.outcome == "rolledBack":
            words.setdefault(one.stable, False)
        if one.outcome:
            words.setdefault(one.preview, one.outcome != "promoted")
    return frozenset(template for template, bad in words.items() if bad)


def _read(text: str | None, kind: Any) -> Any:
    try:
        return msgspec.json.decode(text, type=kind) if text else None
    except msgspec.MsgspecError:
        return None


class Record:
    """Reads and writes the ConfigMap of one app."""

    def __init__(self, api: Api, namespace: str, app: str) -> None:
        self._api, self._namespace, self._name = api, namespace, f"deployctl-{app}"

    @property
    def _path(self) -> str:
        return path(self._namespace, "configmaps", self._name)

    def read(self) -> Kept:
        try:
            return parse(self._api.get(self._path))
        except NotFound:
            return Kept()

    def begin(self, entry: Entry, spec: Json | None, template: Json) -> Json:
        """Write down a release before anything is touched; the same id again changes nothing else.

        A wish for it that no process has heard yet stays, unless it was to pause: this run is the answer to that.
        """
        known = self.read()
        older = tuple(one for one in known.releases if one.id != entry.id)
        entry = next((_joined(one, entry) for one in known.releases if one.id == entry.id), entry)
        held: dict[str, str | None] = {
            "releases": _releases((entry, *older)),
            "template": _keepable(template),
        }
        if known.intent is None or known.intent.release != entry.id or known.intent.wish == "pause":
            held["intent"] = None
        return self._write({**held, "spec": json.dumps(spec)} if spec else held)

    def end(self, entry: Entry) -> Json:
        return self._write({"releases": self._with(entry), "template": None, "intent": None})

    def note(self, entry: Entry) -> Json:
        """Write down where a release stands that has not ended, and what its gates said."""
        return self._write({"releases": self._with(entry)})

    def _with(self, entry: Entry) -> str:
        known = self.read().releases
        return _releases(tuple(_joined(one, entry) if one.id == entry.id else one for one in known))

    def leave(self, intent: Intent | None) -> Json:
        """Leave a wish for the running release, or take it away."""
        return self._write({"intent": msgspec.json.encode(intent).decode() if intent else None})

    def _write(self, held: dict[str, str | None]) -> Json:
        query = {"fieldManager": FIELD_MANAGER}
        try:
            return self._api.send(Request("PATCH", self._path, {"data": held}, MERGE_PATCH, query))
        except NotFound:
            body = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": self._name, "labels": {"app.kubernetes.io/managed-by": "deployctl"}},
                "data": {key: value for key, value in held.items() if value is not None},
            }
            return self._api.post(path(self._namespace, "configmaps"), body)


def _keepable(template: Json) -> str | None:
    """Write a template, unless it holds what may be a secret: more people read ConfigMaps than Deployments.

    It is needed only where a process dies before the Deployment has the template; then the file is, too.
    """
    return json.dumps(template) if masked(template, "template") == template else None


def _joined(before: Entry, after: Entry) -> Entry:
    """Add to a release what another run of it has seen; the latest answers of its gates are kept."""
    gates = [*before.gates, *after.gates][-MOST_GATES:]
    return msgspec.structs.replace(after, gates=gates, by=before.by, started=before.started)


def _releases(entries: tuple[Entry, ...]) -> str:
    """Write the newest releases, as many as fit in the bound."""
    kept = entries[:KEPT]
    while len(text := msgspec.json.encode(kept)) > MOST_BYTES and len(kept) > 1:
        kept = kept[:-1]
    return text.decode()
