"""The configMap provider keeps flags in one value of a ConfigMap, as flagd's file or as plain `key: value`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from deployctl.cluster.paths import path
from deployctl.errors import DeployctlError, UsageError
from deployctl.flags.keeping import Format, Keeping, Text
from deployctl.gates import Asked
from deployctl.object_names import key_of, object_name

Json = dict[str, Any]
Name = Annotated[str, object_name("the name of a ConfigMap")]
Key = Annotated[str, key_of("a key of its data")]


@dataclass(frozen=True)
class ConfigMap(Keeping):
    """Flags in one value of a ConfigMap of the app's namespace; a write tests that nobody else's came between.

    name: of the ConfigMap
    key: of the value in it
    format: flagd's flag definitions, or plain `key: value`
    spread: how long pods may take to see a change; a mounted one is renewed by the kubelet within a minute or so
    """

    name: Name
    key: Key
    format: Format = "flagd"
    spread_seconds: float = 120.0

    def look(self, asked: Asked) -> Text:
        found = asked.cluster.get(self._path(asked))
        text = (found.get("data") or {}).get(self.key)
        if text is None:
            known = ", ".join(sorted(found.get("data") or {})) or "none"
            raise UsageError(f"the ConfigMap {self.name} has no key {self.key}; it has {known}")
        locked = f"the ConfigMap {self.name} is immutable" if found.get("immutable") else ""
        version = str(found["metadata"].get("resourceVersion", ""))
        return Text(f"{self.key} of the ConfigMap {self.name}", text, version, locked, _by(found))

    def put(self, over: Text, text: str, asked: Asked) -> None:
        if not over.version:
            raise DeployctlError(f"the ConfigMap {self.name} has no resourceVersion to test")
        asked.cluster.patch(
            self._path(asked),
            [
                {"op": "test", "path": "/metadata/resourceVersion", "value": over.version},
                {"op": "replace", "path": f"/data/{self.key}", "value": text},
            ],
        )

    def _path(self, asked: Asked) -> str:
        return path(asked.about.namespace, "configmaps", self.name)


def _by(found: Json) -> str:
    """Name who wrote last and when, by the API's own bookkeeping."""
    fields = found["metadata"].get("managedFields") or []
    last = max(fields, key=lambda one: str(one.get("time", "")), default=None)
    return f"{last.get('manager', 'somebody')} at {last.get('time', 'some time')}" if last else ""
