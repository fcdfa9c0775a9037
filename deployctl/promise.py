"""What a saved plan promises: what is released, how, and on what. Its digest is a function of its inputs.

No secret is in it. What may be one is told by its name (`deployctl.secrecy`) and left out where the live
template has the same value at the same place: it is taken from there again. One that is new or changed cannot
come from anywhere but the file, and a file ends in a pipeline's artifacts; such a plan is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from deployctl.difference import unlike
from deployctl.errors import UsageError
from deployctl.identity import Cluster
from deployctl.memory import LABEL, Settings
from deployctl.prepare import Prepared
from deployctl.published import Plan, Shown
from deployctl.secrecy import masked, restored
from deployctl.spec import App, Label, Subdomain, canonical
from deployctl.template import digest
from deployctl.workload import HASH

Json = dict[str, Any]
AT_RELEASE = "(the time of the release)"  # stands for the stamp of a restart, which is no input
WHERE = "template"
SHORT = 12


class Flags(Shown, frozen=True):
    """The flags that shaped the plan, as they were given."""

    image: dict[str, str] = msgspec.field(default_factory=dict)
    restart: bool = False
    promote: str = ""
    wait: Literal["finished", "promoted"] = "finished"
    accept_sync: bool = False


class Ground(Shown, frozen=True):
    """The Deployment that was planned on: `stable` is the digest of its template, `own` its user's settings."""

    name: Subdomain
    uid: str
    replicas: int
    stable: str
    own: Settings


class Promise(Shown, frozen=True):
    """Everything that a release of a saved plan carries out, and everything that it does so on.

    `content` is the digest of the spec and its manifests, `last_release` the newest of the record, `preview`
    the digest of the whole template, of which `template` is what may be shown.
    """

    app: Label
    namespace: Label
    cluster: Cluster
    flags: Flags
    spec: Json
    content: str
    deployment: Ground
    services: dict[Label, dict[str, str]]
    last_release: str
    template: Json
    preview: str
    steps: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Name the promise: sha256 over its canonical JSON. The same inputs have the same digest."""
        return sha256(msgspec.to_builtins(self))

    @property
    def nothing_to_do(self) -> bool:
        return self.preview == self.deployment.stable

    def template_on(self, ground: Json) -> Json:
        """Give the whole template: what is not in the file is in the template that was planned on."""
        whole: Json = restored(self.template, ground)
        return whole


@dataclass(frozen=True, slots=True)
class Given:
    """What a promise is made of beside what was prepared and planned."""

    cluster: Cluster
    content: str
    last_release: str = ""
    flags: Flags = field(default_factory=Flags)


def promise(found: Prepared, app: App, one: Plan, given: Given) -> Promise:
    """Make the promise of a plan; raise UsageError where it would hold a secret."""
    deployment, spec = found.deployment, canonical(app)
    _open(spec)
    return Promise(
        app=found.names.app,
        namespace=found.names.namespace,
        cluster=given.cluster,
        flags=given.flags,
        spec=spec,
        content=given.content,
        deployment=Ground(
            found.names.deployment,
            deployment["metadata"]["uid"],
            one.replicas,
            digest(found.stable),
            Settings.of(deployment),
        ),
        services={each["metadata"]["name"]: selector_of(each) for each in found.services},
        last_release=given.last_release,
        template=_shown(found),
        preview=digest(found.preview),
        steps=tuple(step.does for step in one.steps),
    )


def selector_of(service: Json) -> dict[str, str]:
    """Give a Service's selector as its manifest has it, without what is ours for the time of a release."""
    selector = service["spec"].get("selector") or {}
    return {key: value for key, value in selector.items() if key not in {HASH, LABEL}}


def sha256(whole: Mapping[str, Any]) -> str:
    """Digest plain JSON in its canonical form: keys in order, no spaces."""
    return hashlib.sha256(json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def short(digest_: str) -> str:
    return digest_[:SHORT]


def _shown(found: Prepared) -> Json:
    """Give the new template without what may be a secret, if all of that is live too."""
    shown: Json = masked(found.preview, WHERE)
    lost = [where for where, _, _ in unlike(restored(shown, found.stable), found.preview, WHERE)]
    if lost:
        raise UsageError(
            f"no plan file was written: {', '.join(lost)} may be a secret and is not the live one,"
            " and a plan file holds no secret",
            advice="keep it in a Secret and refer to it (valueFrom.secretKeyRef), or release without --plan",
        )
    return shown


def _open(spec: Json) -> None:
    """Raise where the spec holds a secret, such as a password in the address of a gate."""
    hidden = [where for where, _, _ in unlike(masked(spec), spec)]
    if hidden:
        raise UsageError(
            f"no plan file was written: {', '.join(hidden)} holds what may be a secret, and a plan file holds none",
            advice="take it out of the spec file, or release without --plan",
        )
