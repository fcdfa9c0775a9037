"""What somebody else wrote to a release's objects: who, what and when, each told once.

Every write of ours is refused where the object is not as it was last seen, so whatever differs from what this
process last saw or wrote is somebody else's.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from deployctl.difference import unlike
from deployctl.memory import FIELD_MANAGER, LABEL, Memory, Settings, annotation
from deployctl.observe import Snapshot
from deployctl.secrecy import masked, secret
from deployctl.template import bare, digest, images
from deployctl.workload import HASH, RESOURCES, governs, kind_of, resource_of, stateful
from strategies.model import Phase

Json = dict[str, Any]


@dataclass
class Others:
    """Remembers the objects as this process last saw or wrote them, and what was written over."""

    deployment: Json
    services: dict[str, Json]
    stable: Json
    preview: Json
    overwritten: Json | None = None  # the last foreign template, with who wrote it
    author: str = ""
    unlisted: set[str] = field(default_factory=set)
    _unanswered: set[tuple[str, str]] = field(default_factory=set)  # resource and name

    @classmethod
    def since(cls, look: Snapshot, stable: Json, preview: Json) -> Others:
        """Begin with what the last process left, or where nothing is in flight with what is there."""
        services = {one["metadata"]["name"]: one for one in look.services}
        return cls(_left(look.deployment, look.memory, stable, preview), services, stable, preview)

    def ours(self, one: Json) -> None:
        """Take in the answer to a write of our own."""
        if one.get("kind") in RESOURCES:
            self.deployment = one
        elif one.get("kind") == "Service":
            self.services[one["metadata"]["name"]] = one

    def unanswered(self, resource: str, name: str) -> None:
        """Note a write of our own that may or may not have been carried out."""
        self._unanswered.add((resource, name))

    def _answered_late(self, resource: str, before: Json, now: Json) -> bool:
        """Say whether this is what became of a write of ours, each of which changes our annotation, too."""
        key = (resource, now["metadata"]["name"])
        if key not in self._unanswered or annotation(before) == annotation(now):
            return False
        self._unanswered.remove(key)
        return True

    def notices(self, look: Snapshot, everywhere: Iterable[Json]) -> Iterator[str]:
        """Tell each change since the last call: to the Deployment, the Services, and by Services not listed."""
        yield from self._of_deployment(look)
        yield from (text for one in look.services for text in self._of_service(one))
        yield from self._of_unlisted(look, everywhere)

    def _of_deployment(self, look: Snapshot) -> Iterator[str]:
        before, now, memory = self.deployment, look.deployment, look.memory
        self.deployment = now
        if not memory or now is before or self._answered_late(resource_of(now), before, now):
            return
        if annotation(before) and not annotation(now):
            yield f"somebody took the memory of this release off the {kind_of(now)}{by(now)}; it is put back"
        yield from self._of_template(before, now, memory)
        for place, old, new in unlike(_fields(before), _fields(now), "spec"):
            where = place.replace("spec.strategy", "spec.updateStrategy", stateful(now))
            name = where.split(".")[1]
            yield f"{who(now, name)} wrote {where}: {shown(old)} -> {shown(new)}; {_meaning(name)}"

    def _of_template(self, before: Json, now: Json, memory: Memory) -> Iterator[str]:
        old, new = before["spec"]["template"], now["spec"]["template"]
        if digest(old) == digest(new):
            return
        back = digest(new) == digest(self._expected(memory))
        self.overwritten, self.author = (None, "") if back else (new, who(now, "template"))
        meaning = "stored and inert: this release goes on with its own template"
        if not Settings.of(now).paused:
            meaning = "put back: nothing but this release's own template is let in"
        for text in changes(old, new):
            yield f"{who(now, 'template')} wrote {text}; {'as this release has it' if back else meaning}"

    def _expected(self, memory: Memory) -> Json:
        return self.stable if memory.phase == Phase.RETURNING.value else self.preview

    def _of_service(self, now: Json) -> Iterator[str]:
        name = now["metadata"]["name"]
        before, self.services[name] = self.services[name], now
        if now is before or self._answered_late("services", before, now):
            return
        if annotation(before) and not annotation(now):
            yield f"somebody took the memory of this release off Service {name}{by(now)}"
        for where, old, new in unlike(before["spec"], now["spec"], "spec"):
            meaning = _of_field(where, new)
            yield f"{who(now)} wrote {where} of Service {name}: {shown(old)} -> {shown(new)}; {meaning}"

    def _of_unlisted(self, look: Snapshot, everywhere: Iterable[Json]) -> Iterator[str]:
        labels = look.deployment["spec"]["template"]["metadata"]["labels"]
        for one in everywhere:
            name, selector = one["metadata"]["name"], one["spec"].get("selector") or {}
            selects = bool(selector) and all(labels.get(key) == value for key, value in selector.items())
            known = name in self.services or name in self.unlisted or governs(one, look.deployment)
            if not selects or known:
                continue
            self.unlisted.add(name)
            yield (
                f"Service {name}{by(one)} selects the pods and is not listed: it sends traffic to pods that no "
                f"gate has vouched for; add it to spec.workload.services before the next release"
            )

    def offers(self, app: str, live: Json) -> tuple[str, ...]:
        """Say what was written over, and how to release it next."""
        if self.overwritten is None or digest(self.overwritten) == digest(live):
            return ()
        told = ", ".join(changes(live, self.overwritten))
        return (
            f"{self.author} wrote {told}: written over by this release",
            self._command(app, live, self.overwritten),
        )

    def _command(self, app: str, live: Json, wanted: Json) -> str:
        """Give the command that releases a foreign template next."""
        if digest(wanted) == digest(self.stable):
            return f"deployctl rollback {app}"
        new = {name: ref for name, ref in images(wanted).items() if images(live).get(name) != ref}
        flags = "".join(f" --image {name}={ref}" for name, ref in new.items())
        only_images = not set(changes(live, wanted)) - set(changes(live, _with(live, new)))
        return (
            f"deployctl release {app}{flags}"
            if only_images
            else "change the manifest, then deployctl release FILE"
        )


def _left(deployment: Json, memory: Memory | None, stable: Json, preview: Json) -> Json:
    """Give a Deployment as the last write of a release left it; what it shows otherwise is somebody else's."""
    if memory is None or memory.wrote is None:
        return deployment
    left, wrote = copy.deepcopy(deployment), memory.wrote
    begun = memory.phase != Phase.RETURNING.value and (
        wrote.min_ready_seconds != memory.own.min_ready_seconds or stateful(deployment)
    )
    found = digest(deployment["spec"]["template"])
    known = found in (memory.stable, memory.preview)
    if not known:
        left["spec"]["template"] = preview if begun else stable
    left["spec"].update(_written(deployment, wrote), replicas=memory.replicas)
    return left


def _written(deployment: Json, wrote: Settings) -> Json:
    """Give the fields of a workload's spec as they were written."""
    if stateful(deployment):
        return {"updateStrategy": wrote.strategy}
    return {
        "minReadySeconds": wrote.min_ready_seconds,
        "progressDeadlineSeconds": wrote.progress_deadline_seconds,
        "strategy": wrote.strategy,
        "paused": wrote.paused,
    }


def _fields(deployment: Json) -> Json:
    """Give the size and the fields that a hold writes over, as Kubernetes defaults them."""
    fields: Json = msgspec.to_builtins(Settings.of(deployment))
    if stateful(deployment):
        return {"strategy": fields["strategy"], "replicas": deployment["spec"].get("replicas", 1)}
    return {**fields, "replicas": deployment["spec"].get("replicas", 1)}


def _with(template: Json, new: dict[str, str]) -> Json:
    changed = copy.deepcopy(template)
    for one in changed["spec"]["containers"]:
        one["image"] = new.get(one["name"], one["image"])
    return changed


def who(thing: Json, name: str = "") -> str:
    """Name who wrote last, or a field of the spec, and when, from managedFields."""
    entries = [
        one
        for one in thing["metadata"].get("managedFields") or []
        if one["manager"] != FIELD_MANAGER and one.get("subresource") != "status" and _owns(one, name)
    ]
    last = max(entries, key=lambda one: one.get("time") or "", default=None)
    if last is None:
        return who(thing) if name else "somebody"
    return f"{last['manager']} at {last['time']}" if last.get("time") else last["manager"]


def _owns(entry: Json, name: str) -> bool:
    spec = (entry.get("fieldsV1") or {}).get("f:spec") or {}
    return not name or f"f:{name}" in spec


def by(thing: Json) -> str:
    """Name who wrote last, as far as managedFields tell."""
    found = who(thing)
    return "" if found == "somebody" else f" (last written by {found})"


def _of_field(where: str, new: Any) -> str:
    """Say what becomes of what somebody wrote to a Service."""
    if any(where == f"spec.selector.{key}" for key in (HASH, LABEL)):
        return "it is put back"
    if (where, new) == ("spec.type", "ExternalName"):
        return "it sends nothing to the pods, and its endpoints stand still until it is changed back"
    return "it is left so"


def _meaning(name: str) -> str:
    if name == "replicas":
        return "followed"
    if name == "paused":
        return "the hold is put back"
    return "the hold is put back, and this comes back at the end"


def changes(old: Json, new: Json) -> tuple[str, ...]:
    """Put the differences of two pod templates into words: `image of app: a -> b`."""
    return tuple(_worded(*one) for one in unlike(bare(old), bare(new), "template"))


def _worded(where: str, old: Any, new: Any) -> str:
    image = re.fullmatch(r"template\.spec\.containers\[(.+)\]\.image", where)
    env = re.fullmatch(r"template\.spec\.containers\[(.+?)\]\.env\[(.+?)\](\.value)?", where)
    if image:
        return f"image of {image[1]}: {old} -> {new}"
    if not env:
        return f"{where}: {shown(masked(old, where))} -> {shown(masked(new, where))}"
    if secret(env[2]):
        return f"env {env[2]} of {env[1]}: another value"
    was, now = (shown(masked(_value(one))) for one in (old, new))
    return f"env {env[2]} of {env[1]}: {was} -> {now}"


def _value(one: Any) -> Any:
    return one.get("value", one) if isinstance(one, dict) else one


def shown(one: Any) -> str:
    if one is None:
        return "nothing"
    return one if isinstance(one, str) else json.dumps(one, separators=(",", ":"))
