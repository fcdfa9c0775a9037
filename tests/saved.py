"""Saved plans of the example platform's services, made and released in virtual time; and what others do meanwhile."""

from __future__ import annotations

from typing import Any

import msgspec

from deployctl.cli.planning import Asked, kept, planned
from deployctl.cli.promised import Case, holds, run_of
from deployctl.cli.releasing import promoting
from deployctl.cli.session import Subject
from deployctl.cluster.api import Request
from deployctl.planfile import PlanFile, seal_of
from deployctl.record import Record
from deployctl.rollout import Orders, Result
from deployctl.sandbox.calls import STRATEGIC_PATCH
from deployctl.spec import App, from_canonical
from tests.sandbox.rehearsing import Scene, loaded

Json = dict[str, Any]
IMAGE = "localhost/igaming:2"
ROOTS = {"deployments": "/apis/apps/v1", "replicasets": "/apis/apps/v1"}


def saved(scene: Scene, *image: str, of: App | None = None, **flags: Any) -> PlanFile:
    """Make the file of what `deployctl plan` finds, of the image 2 unless other flags are given."""
    given = {"image": list(image), "restart": False, "promote": "", "wait": "finished", **flags}
    ask = Asked(**given)
    return kept(planned(scene.api, subject(scene, of, ask.promote), ask), ask, 3600.0)


def image_saved(scene: Scene, **flags: Any) -> PlanFile:
    return saved(scene, IMAGE, **flags)


def subject(scene: Scene, of: App | None = None, promote: str = "") -> Subject:
    """Give the app as its spec file and its record have it."""
    record = Record(scene.api, "igaming", scene.name).read()
    app = promoting(of or loaded(scene.name).apps[0], promote)
    return Subject(app, scene._manifests(), record)


def held(scene: Scene, file: PlanFile) -> Case:
    """Look whether a plan holds; raise Conflict where it does not."""
    return holds(scene.api, file, from_canonical(file.promise.spec))


def released(scene: Scene, file: PlanFile, **orders: Any) -> Result:
    """Carry out a plan."""
    return scene._run(run_of(scene.api, held(scene, file)), Orders(**orders))


def resealed(file: PlanFile, **promise: Any) -> PlanFile:
    """Change a promise and seal it anew, as somebody can who knows how."""
    changed = msgspec.structs.replace(file.promise, **promise)
    fresh = msgspec.structs.replace(file, promise=changed, digest=changed.digest)
    return msgspec.structs.replace(fresh, seal=seal_of(msgspec.to_builtins(fresh)))


def where(scene: Scene, resource: str, name: str = "") -> str:
    root = ROOTS.get(resource, "/api/v1")
    return f"{root}/namespaces/igaming/{resource}/{name or scene.name}"


def edit(scene: Scene, resource: str, body: Json, manager: str = "kubectl-edit", *, sub: str = "") -> None:
    """Write to an object as somebody else does, and give the controllers a minute."""
    query = {"fieldManager": manager}
    path = where(scene, resource) + sub
    scene.api.send(Request("PATCH", path, body, STRATEGIC_PATCH, query))
    scene.world.pass_time(60)


def set_env(scene: Scene, **env: str) -> None:
    """Set variables of the live container, as `kubectl set env` does."""
    variables = [{"name": key, "value": value} for key, value in env.items()]
    box = {"name": "app", "env": variables}
    edit(scene, "deployments", {"spec": {"template": {"spec": {"containers": [box]}}}}, "kubectl-set")


def set_image(scene: Scene, image: str) -> None:
    box = {"name": "app", "image": image}
    edit(scene, "deployments", {"spec": {"template": {"spec": {"containers": [box]}}}}, "kubectl-set")


def delete(scene: Scene, resource: str, name: str = "") -> None:
    scene.api.send(Request("DELETE", where(scene, resource, name)))
    scene.world.pass_time(60)
