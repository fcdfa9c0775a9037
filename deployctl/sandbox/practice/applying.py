"""Applies manifests as `kubectl apply` does: what is new is created, else what the files say is merged in.

Everything is read, checked and tried without effect before the first write, so that nothing is applied by half.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployctl import manifest
from deployctl.errors import UsageError
from deployctl.sandbox.calls import JSON, STRATEGIC_PATCH
from deployctl.sandbox.objects.fields import fields_of
from deployctl.sandbox.practice.client import Client, checked
from deployctl.sandbox.practice.platform import LAST, remembering, resource_of, where

Json = dict[str, Any]
MANAGER = "kubectl-client-side-apply"
ENDINGS = {".yaml", ".yml", ".json"}
NOT_FOR_A_CLUSTER = ("deployctl.dev/", "kustomize.config.k8s.io/")  # files for a client, beside manifests


@dataclass(frozen=True, slots=True)
class Wanted:
    """One object and the file that it stands in."""

    file: str
    object: Json

    @property
    def title(self) -> str:
        """Name it as kubectl does: `deployment.apps/balances`."""
        resource = resource_of(self.object)
        kind = f"{resource.singular}.{resource.group}" if resource and resource.group else self.kind.lower()
        return f"{kind}/{self.object['metadata']['name']}"

    @property
    def kind(self) -> str:
        return str(self.object["kind"])

    @property
    def path(self) -> str:
        return f"{where(self.object)}/{self.object['metadata']['name']}"


def apply_all(client: Client, files: list[str], namespace: str) -> Iterator[str]:
    """Apply the objects of files and folders; tell each as it is done. UsageError before any of it."""
    wanted = [one for name in files for file in _opened(name) for one in _read(file, namespace)]
    if not wanted:
        raise UsageError(f"{' '.join(files)}: no objects")
    _refuse_unknown(wanted)
    created = {one.object["metadata"]["name"] for one in wanted if one.kind == "Namespace"}
    for one in wanted:
        if one.object["metadata"].get("namespace") not in created:
            _apply(client, one, dry=True)
    for one in wanted:
        yield f"{one.title} {_apply(client, one)}"


def change(kind: str, last: Json, wanted: Json) -> Json:
    """Give the strategic patch that merges in what is wanted and takes out what only the last apply said."""
    known = fields_of(kind)
    patch: Json = {key: None for key in last if key not in wanted}
    for key, value in wanted.items():
        field = known.get(key)
        inner, merge = (field.inner, field.merge) if field else ("", None)
        match last.get(key), value:
            case dict(before), dict(now):
                patch[key] = change(inner, before, now)
            case list(before), list(now) if merge:
                patch[key] = _elements(inner, merge, before, now)
            case _:
                patch[key] = value
    return patch


def _elements(kind: str, key: str, last: list[Json], wanted: list[Json]) -> list[Json]:
    """Patch a list whose elements are known by a key."""
    before = {one.get(key): one for one in last}
    kept = [change(kind, before.get(one.get(key), {}), one) for one in wanted]
    gone = before.keys() - {one.get(key) for one in wanted}
    return [*kept, *({"$patch": "delete", key: name} for name in sorted(gone, key=str))]


def _apply(client: Client, one: Wanted, *, dry: bool = False) -> str:
    wanted = remembering(one.object)
    query = f"?fieldManager={MANAGER}" + ("&dryRun=All" if dry else "")
    held = client.get(one.path)
    if held is None:
        _accepted(one, client.send("POST", where(one.object) + query, wanted, JSON))
        return "created"
    last = json.loads((held["metadata"].get("annotations") or {}).get(LAST, "{}"))
    patch = change(one.kind, last, wanted)
    now = _accepted(one, client.send("PATCH", one.path + query, patch, STRATEGIC_PATCH))
    same = now["metadata"]["resourceVersion"] == held["metadata"]["resourceVersion"]
    return "unchanged" if same else "configured"


def _accepted(one: Wanted, answered: tuple[int, Json]) -> Json:
    """Give the object, or name the file that the API refuses."""
    status, answer = answered
    if status in {400, 404, 409, 422}:
        raise UsageError(f"{one.file}: {answer.get('message', status)}")
    return checked(status, answer)


def _opened(name: str) -> list[Path | None]:
    """Give the files that a name means, None for standard input; of a folder, as kubectl does, not those below."""
    if name == "-":
        return [None]
    path = Path(name)
    if not path.exists():
        raise UsageError(f"{name}: no such file or folder")
    if path.is_dir():
        return [one for one in sorted(path.iterdir()) if one.suffix in ENDINGS]
    return [path]


def _read(file: Path | None, namespace: str) -> Iterator[Wanted]:
    text, name = (sys.stdin.read(), "-") if file is None else (file.read_text(), str(file))
    for one in manifest.objects(text, name):
        if str(one["apiVersion"]).startswith(NOT_FOR_A_CLUSTER):
            continue
        resource = resource_of(one)
        if resource and resource.namespaced:
            one["metadata"].setdefault("namespace", namespace)
        yield Wanted(name, one)


def _refuse_unknown(wanted: list[Wanted]) -> None:
    unknown = [one for one in wanted if resource_of(one.object) is None]
    if unknown:
        named = "\n".join(
            f"{one.file}: {one.kind} ({one.object['apiVersion']}): the sandbox does not serve this kind"
            for one in unknown
        )
        raise UsageError(named, advice="nothing was applied; take these out, or use a real cluster")
