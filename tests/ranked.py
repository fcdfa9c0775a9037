"""The Kubernetes API in memory with a StatefulSet in it, and its controller (updateStatefulSet, one step a tick)."""

from __future__ import annotations

from dataclasses import dataclass

from deployctl.cluster.view import Names
from deployctl.observe import ready
from deployctl.template import digest
from deployctl.workload import ON_DELETE, ordinal, partition, template_in
from tests.fake import Cluster
from tests.objects import Json, service, template

NAMES = Names("igaming", "wallet", "wallet", ("wallet",), "StatefulSet")
OWN: Json = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}


@dataclass
class RankedCluster(Cluster):
    """Holds one StatefulSet, its ControllerRevisions and its pods, which come back under their names."""

    born: int = 0

    @classmethod
    def at_rest(cls, replicas: int = 3, policy: str = "OrderedReady") -> RankedCluster:
        made = cls()
        spec = {
            "replicas": replicas,
            "serviceName": "wallet-peers",
            "podManagementPolicy": policy,
            "selector": {"matchLabels": {"app": "wallet"}},
            "updateStrategy": OWN,
            "template": template(pre_stop=0),
        }
        meta = {"name": "wallet", "uid": "s", "generation": 1, "annotations": {"kept": "yes"}}
        made.put("statefulsets", {"metadata": meta, "spec": spec, "status": {}})
        made.put("services", service())
        for _ in range(3 * replicas):
            made.tick(made.ready_seconds)
        made.history.clear()
        return made

    @property
    def deployment(self) -> Json:
        return self.objects["statefulsets", "wallet"]

    def live(self) -> dict[str, str]:
        """Give the image of each pod."""
        return {
            one["metadata"]["name"]: one["spec"]["containers"][0]["image"]
            for one in sorted(self.all("pods"), key=lambda one: str(one["metadata"]["name"]))
        }

    def leftovers(self) -> list[str]:
        kinds = ("statefulsets", "controllerrevisions", "pods", "services")
        metas = ((name, one) for (kind, name), one in self.objects.items() if kind in kinds)
        return [
            name
            for name, one in metas
            if "deployctl" in str(one["metadata"]) or "deployctl" in str(one.get("spec", {}).get("selector"))
        ]

    def _deploy(self) -> None:
        """Be the StatefulSet controller."""
        thing = self.deployment
        update = self._revision(thing)
        current = self._current(thing, update)
        self._act(thing, current, update)
        pods = self.all("pods")
        new = [one for one in pods if _of(one) == update]
        done = len(new) == len(pods) == thing["spec"]["replicas"] == sum(map(ready, new))
        rolling = thing["spec"]["updateStrategy"] != ON_DELETE
        status = {
            "observedGeneration": thing["metadata"]["generation"],
            "currentRevision": update if done and rolling else current,
            "updateRevision": update,
            "readyReplicas": sum(map(ready, pods)),
            "availableReplicas": sum(map(ready, pods)),
            "updatedReplicas": len(new),
        }
        if status != thing["status"]:
            self.put("statefulsets", {**self.deployment, "status": status})

    def _current(self, thing: Json, update: str) -> str:
        return str(thing["status"].get("currentRevision") or update)

    def _revision(self, thing: Json) -> str:
        """Find the ControllerRevision of the template, or make it; the template's is the one of the highest number."""
        wanted, every = digest(thing["spec"]["template"]), self.all("controllerrevisions")
        newest = max((one["revision"] for one in every), default=0)
        found = next((one for one in every if digest(template_in(one)) == wanted), None)
        if found is None:
            name = f"wallet-{wanted[:8]}"
            meta = {"name": name, "uid": name, "labels": {"app": "wallet"}, "ownerReferences": [_owner()]}
            meta["annotations"] = dict(thing["metadata"]["annotations"])
            kept = {"spec": {"template": {"$patch": "replace", **thing["spec"]["template"]}}}
            self.put("controllerrevisions", {"metadata": meta, "data": kept, "revision": newest + 1})
            return name
        if found["revision"] < newest:
            self.put("controllerrevisions", {**found, "revision": newest + 1})
        return str(found["metadata"]["name"])

    def _act(self, thing: Json, current: str, update: str) -> None:
        pods = {ordinal(one["metadata"]["name"]): one for one in self.all("pods")}
        for number in range(thing["spec"]["replicas"]):
            if number not in pods:
                return self._make(number, current if number < partition(thing) else update)
            if not ready(pods[number]) and thing["spec"]["podManagementPolicy"] == "OrderedReady":
                return None
        if thing["spec"]["updateStrategy"] == ON_DELETE:
            return None
        for number in sorted(pods, reverse=True):
            if number < partition(thing) or (_of(pods[number]) == update and not ready(pods[number])):
                return None
            if _of(pods[number]) != update:
                return self.drop("pods", f"wallet-{number}")
        return None

    def _make(self, number: int, revision: str) -> None:
        self.born += 1
        kept = self.objects["controllerrevisions", revision]
        labels = {"app": "wallet", "controller-revision-hash": revision}
        meta = {"name": f"wallet-{number}", "uid": f"u{self.born}", "labels": labels}
        meta["ownerReferences"] = [_owner()]
        spec = template_in(kept)["spec"]
        self.put("pods", {"metadata": meta, "spec": spec, "status": {"conditions": []}, "born": self.now})


def _of(pod: Json) -> str:
    return str(pod["metadata"]["labels"]["controller-revision-hash"])


def _owner() -> Json:
    return {"kind": "StatefulSet", "name": "wallet", "uid": "s"}
