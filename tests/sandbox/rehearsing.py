"""Releases of the example platform's services in virtual time, with who served at every moment."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import yaml

from deployctl.prepare import Wanted, find, names_of, prepare, refuse
from deployctl.record import Record
from deployctl.releases import Run, forget_copies, fresh, in_flight
from deployctl.rollout import Orders, Result
from deployctl.sandbox.faults import Fault
from deployctl.sandbox.rehearsal import Rehearsal
from deployctl.sandbox.store import Event
from deployctl.spec import App, Loaded, digest, read
from tests.run import Story

Json = dict[str, Any]
EXAMPLE = Path(__file__).parent.parent.parent / "manifests" / "igaming"


@cache
def loaded(name: str) -> Loaded:
    return read(str(EXAMPLE / name / "deployctl.yaml"))


@dataclass
class Scene:
    """One service at rest in a cluster of its own, ready to be released; `faults` begin with the release."""

    name: str = "balances"
    seed: int = 0
    faults: tuple[Fault, ...] = ()
    orders: Orders = field(default_factory=Orders)
    env: dict[str, str] = field(default_factory=dict)
    replicas: int = 6
    preview_service: str = ""
    story: Story = field(default_factory=Story)
    served: list[Counter[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world = Rehearsal(self.seed)
        self.world.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "igaming"}})
        self.api = self.world.api("igaming")
        for one in ("deployment", "service", "pdb"):
            self.api.create(self._sized(yaml.safe_load((EXAMPLE / self.name / f"{one}.yaml").read_text())))
        self.world.pass_time(10)
        self.before = self.settings()
        self.served.append(self.serving())
        self.world.cluster.store.listeners.append(self._heard)

    def _sized(self, one: Json) -> Json:
        return (
            one
            if one["kind"] != "Deployment"
            else {**one, "spec": {**one["spec"], "replicas": self.replicas}}
        )

    @property
    def app(self) -> App:
        """Give the service's own spec, with a preview Service where there is to be one."""
        app = loaded(self.name).apps[0]
        if not self.preview_service:
            return app
        chosen = app.spec.strategy
        options = dataclasses.replace(chosen.options, preview_service=self.preview_service)
        strategy = msgspec.structs.replace(chosen, options=options)
        return msgspec.structs.replace(app, spec=msgspec.structs.replace(app.spec, strategy=strategy))

    def get(self, resource: str, name: str = "") -> Json:
        found = self.world.cluster.store.get(resource, "igaming", name or self.name)
        assert found
        return found

    def all(self, resource: str) -> list[Json]:
        return self.world.cluster.store.list(resource, "igaming")

    def _heard(self, event: Event) -> None:
        if event.resource == "endpointslices":
            self.served.append(self.serving())

    def serving(self) -> Counter[str]:
        """Count the ready endpoints by image."""
        behind = "kubernetes.io/service-name"
        slices = (one for one in self.all("endpointslices") if one["metadata"]["labels"][behind] == self.name)
        ready = (one for each in slices for one in each["endpoints"] or [] if one["conditions"]["ready"])
        pods = (self.world.cluster.store.get("pods", "igaming", one["targetRef"]["name"]) for one in ready)
        return Counter(one["spec"]["containers"][0]["image"] for one in pods if one)

    def sliced(self) -> int:
        """Count the EndpointSlices; none holds more than a hundred endpoints."""
        sizes = [len(one["endpoints"] or []) for one in self.all("endpointslices")]
        assert max(sizes) <= 100
        return len(sizes)

    def least(self) -> int:
        return min(sum(one.values()) for one in self.served)

    def settings(self) -> Json:
        """Give everything of the user's that a release leaves as it was."""
        deployment = self.get("deployments")
        spec = {key: one for key, one in deployment["spec"].items() if key != "template"}
        kept = {key: one for key, one in _annotations(deployment).items() if "revision" not in key}
        service = self.get("services")
        return {"spec": spec, "annotations": kept, "service": service["spec"], "marks": _annotations(service)}

    def leftovers(self) -> list[str]:
        """Name every object of the user's that still bears a mark of ours."""
        kinds = ("deployments", "replicasets", "pods", "services")
        every = ((kind, one) for kind in kinds for one in self.all(kind))
        return [f"{kind}/{one['metadata']['name']}" for kind, one in every if _marked(one)]

    def release(self, image: str = "localhost/igaming:2") -> Result:
        """Release the service to an image."""
        app, objects = self.app, loaded(self.name).objects[0]
        there = prepare(self.api, app, self._manifests(), Wanted({"": image}))
        refuse(self.api, there, app)
        plan = fresh(there, app, content=digest(app, objects))
        self.world.faults.plan = list(self.faults)
        return self._run(plan, self.orders)

    def go_on(self) -> Result | None:
        """Be the next process after one that died: resume what it left, begin where it had not, else tidy up."""
        self.world.faults.plan = []
        self.api = self.world.api("igaming")
        there = find(self.api, names_of(self.app, "igaming"))
        if there.memory:
            kept = Record(self.api, "igaming", self.name).read()
            return self._run(in_flight(there, self.app, kept.template), self.orders)
        forget_copies(self.api, there)
        return None if self.serving() == {"localhost/igaming:2": 6} else self.release()

    def _run(self, plan: Any, orders: Orders) -> Result:
        run = Run(self.api, plan, self.story, orders, waiting=_patient, means=self.world.means())
        return run.run()

    def _manifests(self) -> tuple[Json, ...]:
        """Give the manifests, with what the test wants in the container's environment."""
        return tuple(self._changed(one) for one in loaded(self.name).objects[0])

    def _changed(self, one: Json) -> Json:
        if one["kind"] != "Deployment":
            return one
        spec = one["spec"]["template"]["spec"]
        box = spec["containers"][0]
        env = [*box["env"], *({"name": key, "value": value} for key, value in self.env.items())]
        boxes = [{**box, "env": env}]
        template = {**one["spec"]["template"], "spec": {**spec, "containers": boxes}}
        return {**one, "spec": {**one["spec"], "template": template}}


def _patient(_holder: str, _seconds_left: float) -> None:
    """Wait for a dead holder's lease."""


def _annotations(one: Json) -> dict[str, str]:
    return one["metadata"].get("annotations") or {}


def _marked(one: Json) -> bool:
    marks = (*(one["metadata"].get("labels") or {}), *_annotations(one), *(_selector(one)))
    return any("deployctl" in mark for mark in marks) or "pod-template-hash" in _selector(one)


def _selector(one: Json) -> Json:
    return (one["spec"].get("selector") or {}) if one["kind"] == "Service" else {}
