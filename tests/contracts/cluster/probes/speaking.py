"""kubectl as a client: it reads, makes, changes and deletes. Its words and exit codes count."""

from __future__ import annotations

import json

from tests.contracts.cluster.objects import (
    autoscaler,
    budget,
    config_map,
    deployment,
    lease,
    pod,
    quota,
    service,
    template,
)
from tests.contracts.cluster.probe import Probe
from tests.contracts.cluster.probes.resting import ready, steady


def _still(p: Probe, **spec: object) -> None:
    p.make("deployments", deployment(replicas=0, **spec))
    steady(p)


def kubectl_finds_nothing(p: Probe) -> None:
    """An empty namespace, a name that is not there, a kind that is not there."""
    p.run("get", "pods")
    p.run("get", "pod", "none")
    p.run("get", "deploy/none", "-o", "yaml")
    p.run("get", "gadgets")
    p.run("get", "pods", "-l", "app=web")
    p.run("delete", "pod", "none")
    p.run("delete", "pod", "none", "--ignore-not-found")


def kubectl_shows_a_deployment(p: Probe) -> None:
    """The tables of a Deployment, its ReplicaSet and its pods; wide, by label, by name, without heads."""
    p.make("deployments", deployment(replicas=2))
    ready(p, 2)
    p.run("get", "deployments")
    p.run("get", "deploy", "web", "-o", "wide")
    p.run("get", "rs")
    p.run("get", "rs", "-o", "wide")
    p.run("get", "pods")
    p.run("get", "pods", "-l", "app=web", "--no-headers", "--show-labels")
    p.run("get", "deploy", "web", "-o", "name")
    p.run("get", "deploy,rs")


def kubectl_shows_pods_wide(p: Probe) -> None:
    """Address and node of each pod; one that waits for a node has none."""
    p.make("pods", pod("one"))
    far = pod("two")
    far["spec"]["nodeSelector"] = {"planet": "mars"}
    p.make("pods", far)
    p.until(lambda: p.get("pods", "one")["status.containerStatuses.0.ready"], "a ready pod")
    p.run("get", "pods", "-o", "wide")
    p.run("get", "pods", "-L", "app", "--sort-by=.metadata.name")


def kubectl_shows_the_other_kinds(p: Probe) -> None:
    """Services, slices, ConfigMaps, Leases, budgets, autoscalers, quotas."""
    p.make("services", service())
    p.make("services", service("other", app="web", track="a"))
    p.make("configmaps", config_map(a="1", b="2"))
    p.make("leases", lease())
    p.make("poddisruptionbudgets", budget(minAvailable=1))
    p.make("horizontalpodautoscalers", autoscaler())
    p.make("resourcequotas", quota(pods="3"))
    p.until(lambda: len(p.items("endpointslices")) == 2, "the slices")
    p.until(lambda: p.get("resourcequotas", "small")["status.hard"], "the quota's status")
    for kind in ("svc", "cm", "leases", "pdb", "quota"):
        p.run("get", kind)
    p.run("get", "svc", "-o", "wide")
    p.run("get", "endpointslices", "-o", "custom-columns=KIND:.kind,TYPE:.addressType,PORTS:.ports")
    p.run("get", "hpa", "--no-headers", "-o", "custom-columns=NAME:.metadata.name,MIN:.spec.minReplicas")


def kubectl_writes_out_objects(p: Probe) -> None:
    """YAML, JSON paths, templates and columns."""
    _still(p)
    p.run("get", "deploy", "web", "-o", "yaml")
    p.run("get", "deploy", "web", "-o", "jsonpath={.spec.replicas} {.metadata.generation}")
    p.run("get", "deploy", "-o", "custom-columns=NAME:.metadata.name,N:.spec.replicas,GONE:.spec.none")
    p.run("get", "deploy", "web", "-o", "go-template={{.spec.replicas}}")
    p.run("get", "deploy", "web", "-o", "jsonpath={.spec[}")


def kubectl_selects(p: Probe) -> None:
    """By labels and fields, in all namespaces, and a selector that cannot be read."""
    p.make("configmaps", config_map("a", {"tier": "web"}))
    p.make("configmaps", config_map("b", {"tier": "db"}))
    p.run("get", "cm", "-l", "tier in (web,db),tier!=db", "-o", "name")
    p.run("get", "cm", "--field-selector", "metadata.name=b", "-o", "name")
    p.run("get", "cm", "--field-selector", "data=b")
    p.run("get", "cm", "-l", "a b")
    p.run("get", "cm", "a", "b", "c", "-o", "name")


def kubectl_applies(p: Probe) -> None:
    """Created, unchanged, configured; what was applied is remembered, and what is taken out goes."""
    one = deployment(replicas=0, pods=template(A="1", B="2"))
    p.run("apply", "-f", "-", given=json.dumps(one))
    steady(p)
    p.run("apply", "-f", "-", given=json.dumps(one))
    less = deployment(replicas=0, pods=template(A="9"), minReadySeconds=3)
    p.run("apply", "-f", "-", given=json.dumps(less))
    steady(p)
    found = p.get("deployments", "web")
    p.note("env", found["spec.template.spec.containers.0.env"])
    p.note(
        "applied",
        json.loads(found["metadata.annotations"]["kubectl.kubernetes.io/last-applied-configuration"]),
    )
    p.note("writers", sorted({one["manager"] for one in found["metadata.managedFields"]}))


def kubectl_applies_to_what_others_made(p: Probe) -> None:
    """A warning where the object has no memory of an apply; what others wrote stays."""
    p.make("configmaps", config_map(a="1", b="2"))
    p.run("apply", "-f", "-", given=json.dumps(config_map(a="9")))
    p.note("data", p.get("configmaps", "notes")["data"])


def kubectl_applies_several(p: Probe) -> None:
    """A list in one file: each is told; one that is bad does not stop the others."""
    several = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [service(), config_map(), deployment(replicas=-1)],
    }
    p.run("apply", "-f", "-", given=json.dumps(several))
    p.run("get", "svc,cm,deploy", "-o", "name", "--field-selector", "metadata.name!=kube-root-ca.crt")


def kubectl_applies_dry(p: Probe) -> None:
    """By the server and by itself; nothing stays."""
    p.run("apply", "--dry-run=server", "-f", "-", given=json.dumps(config_map()))
    p.run("apply", "--dry-run=client", "-f", "-", given=json.dumps(config_map()))
    p.run("get", "cm", "notes")


def kubectl_is_told_of_bad_manifests(p: Probe) -> None:
    """Unknown fields, wrong types, kinds that are not there, no kind at all."""
    p.run("apply", "-f", "-", given=json.dumps(deployment(replicas=0, minReadySecond=5)))
    p.run("apply", "-f", "-", given=json.dumps(deployment(replicas="two")))
    p.run(
        "apply",
        "-f",
        "-",
        given=json.dumps(deployment(strategy={"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}})),
    )
    p.run(
        "apply",
        "-f",
        "-",
        given='{"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": {"name": "x"}}',
    )
    p.run("apply", "-f", "-", given="a: b")
    p.run("create", "-f", "-", given=json.dumps({**config_map(), "metadata": {"name": "Bad_Name"}}))


def kubectl_creates(p: Probe) -> None:
    """Deployments, ConfigMaps, quotas, budgets by command; a second time it is refused."""
    p.run("create", "deployment", "web", "--image=localhost/pause:1", "--replicas=0")
    p.run("create", "deployment", "web", "--image=localhost/pause:1", "--replicas=0")
    p.run("create", "configmap", "notes", "--from-literal=a=1")
    p.run("create", "quota", "small", "--hard=pods=1,requests.cpu=1")
    p.run("create", "poddisruptionbudget", "web", "--selector=app=web", "--min-available=1")
    p.run("create", "service", "clusterip", "web", "--tcp=80:8080")
    p.run("create", "-f", "-", given=json.dumps(config_map("more")))
    p.run("get", "deploy", "web", "-o", "yaml")


def kubectl_exposes(p: Probe) -> None:
    """A Service for a Deployment takes its selector."""
    _still(p)
    p.run("expose", "deployment", "web", "--port=80", "--target-port=8080")
    p.note("service", p.get("services", "web")["spec"])
    p.run("expose", "deployment", "web", "--port=80")
    p.run("expose", "deployment", "none", "--port=80")


def kubectl_labels_and_annotates(p: Probe) -> None:
    """It adds, refuses to overwrite unless told, removes, and says when nothing changed."""
    p.make("configmaps", config_map())
    p.run("label", "cm/notes", "tier=web")
    p.run("label", "cm/notes", "tier=db")
    p.run("label", "cm/notes", "tier=db", "--overwrite")
    p.run("label", "cm/notes", "tier-")
    p.run("label", "cm/notes", "tier=a b")
    p.run("annotate", "cm/notes", "note=x")
    p.run("annotate", "cm/notes", "note=x")
    p.run("annotate", "cm/notes", "note-", "none-")
    p.run("label", "cm", "none", "a=b")
    p.note("left", p.get("configmaps", "notes")["metadata.labels"])


def kubectl_patches(p: Probe) -> None:
    """In three ways; where nothing changes it says so; the server's words where it refuses."""
    _still(p, paused=False)
    p.run("patch", "deploy", "web", "-p", '{"spec":{"minReadySeconds":1}}')
    p.run("patch", "deploy", "web", "-p", '{"spec":{"minReadySeconds":1}}')
    p.run("patch", "deploy", "web", "--type=merge", "-p", '{"spec":{"minReadySeconds":null}}')
    p.run(
        "patch", "deploy", "web", "--type=json", "-p", '[{"op":"replace","path":"/spec/replicas","value":0}]'
    )
    p.run("patch", "deploy", "web", "--type=json", "-p", '[{"op":"test","path":"/spec/replicas","value":7}]')
    p.run("patch", "deploy", "web", "-p", '{"spec":{"replicas":-1}}')
    p.run("patch", "deploy", "web", "-p", '{"spec":{"none":1}}')
    p.run("patch", "deploy", "web", "-p", "nonsense")
    p.run("patch", "deploy", "none", "-p", "{}")
    p.run("patch", "deploy", "web", "--subresource=scale", "--type=merge", "-p", '{"spec":{"replicas":0}}')


def kubectl_sets(p: Probe) -> None:
    """Image and environment; what is not there is refused."""
    _still(p)
    p.run("set", "image", "deployment/web", "app=localhost/igaming:1")
    p.run("set", "image", "deployment/web", "app=localhost/igaming:1")
    p.run("set", "image", "deployment/web", "other=x")
    p.run("set", "env", "deployment/web", "A=1", "B=2")
    p.run("set", "env", "deployment/web", "A-")
    p.run("set", "env", "deployment/web", "--list")
    p.run("set", "resources", "deployment/web", "--requests=cpu=10m")
    p.note("container", p.get("deployments", "web")["spec.template.spec.containers.0"])


def kubectl_scales(p: Probe) -> None:
    """By a number, on a condition."""
    _still(p)
    p.run("scale", "deployment/web", "--replicas=1")
    p.run("scale", "deployment/web", "--replicas=0", "--current-replicas=7")
    p.run("scale", "deployment/none", "--replicas=0")
    p.run("scale", "deployment/web", "--replicas=-1")
    p.run("scale", "--replicas=0", "deploy/web")
    p.note("replicas", p.get("deployments", "web")["spec.replicas"])


def kubectl_autoscales(p: Probe) -> None:
    """An autoscaler for a Deployment."""
    _still(p)
    p.run("autoscale", "deployment", "web", "--min=1", "--max=3", "--cpu=70%")
    p.note("spec", p.get("horizontalpodautoscalers", "web")["spec"])
    p.run("autoscale", "deployment", "web", "--max=3")


def kubectl_replaces(p: Probe) -> None:
    """The whole object; what is not there cannot be replaced."""
    p.make("configmaps", config_map(a="1"))
    p.run("replace", "-f", "-", given=json.dumps(config_map(b="2")))
    p.run("replace", "-f", "-", given=json.dumps(config_map("none")))
    p.note("data", p.get("configmaps", "notes")["data"])


def kubectl_deletes(p: Probe) -> None:
    """By name, by selector, all of a kind; it waits for the end."""
    p.make("configmaps", config_map("a", {"x": "1"}))
    p.make("configmaps", config_map("b", {"x": "1"}))
    p.make("services", service())
    _still(p)
    p.run("delete", "cm", "a", "none")
    p.run("delete", "cm", "-l", "x=1")
    p.run("delete", "svc/web", "--now")
    p.run("delete", "deploy", "--all")
    p.run("delete", "deploy", "--all")
    p.make("pods", pod())
    p.run("delete", "pod", "one", "--force")
    p.run("delete", "-f", "-", given=json.dumps(config_map("none")))


def kubectl_waits(p: Probe) -> None:
    """For a condition, a value, a deletion; and gives up after its time."""
    p.make("deployments", deployment(replicas=1))
    p.run("wait", "deploy/web", "--for=condition=Available", "--timeout=30s")
    p.run("wait", "deploy/web", "--for=jsonpath={.status.readyReplicas}=1", "--timeout=30s")
    p.run("wait", "deploy/web", "--for=condition=Never", "--timeout=1s")
    p.run("wait", "pod/none", "--for=condition=Ready", "--timeout=1s")
    p.run("wait", "pod", "-l", "app=web", "--for=create", "--timeout=5s", "-o", "jsonpath={.kind}")
    p.run("wait", "pod/none", "--for=delete", "--timeout=5s")


def kubectl_compares(p: Probe) -> None:
    """diff ends with 0 where nothing differs, with 1 where something does."""
    p.make("configmaps", config_map(a="1"))
    code, _, _ = p.kubectl("apply", "-f", "-", given=json.dumps(config_map(a="1")))
    p.note("same", p.kubectl("diff", "-f", "-", given=json.dumps(config_map(a="1")))[0])
    code, out, _ = p.kubectl("diff", "-f", "-", given=json.dumps(config_map(a="2")))
    p.note("other", [code, [line for line in out.splitlines() if line in ('-  a: "1"', '+  a: "2"')]])


def kubectl_asks_what_it_may(p: Probe) -> None:
    """The administrator may do everything."""
    p.run("auth", "can-i", "patch", "deployments")
    p.run("auth", "can-i", "create", "pods", "--subresource=eviction")
    p.run("auth", "can-i", "get", "gadgets")


def kubectl_lists_kinds(p: Probe) -> None:
    """api-resources of the groups that a release needs: the rows of the kinds that are served here and there."""
    for group in ("apps", "autoscaling", "policy", "discovery.k8s.io", "coordination.k8s.io"):
        out = p.kubectl("api-resources", f"--api-group={group}")[1]
        kinds = ("deployments", "replicasets", "horizontal", "poddis", "endpointslices", "leases")
        p.note(group, [" ".join(line.split()) for line in out.splitlines() if line.startswith(kinds)])
    out = p.kubectl("version", "-o", "json")[1]
    p.note("version", [json.loads(out)["serverVersion"][key] for key in ("major", "minor")])


def kubectl_explains(p: Probe) -> None:
    """It reads logs, runs a server's raw paths, and says where a cluster is missing."""
    p.make("configmaps", config_map(a="1"))
    out = p.kubectl("get", "--raw", p.path("configmaps", "notes"))[1]
    p.note("raw", json.loads(out)["data"])
    p.run("logs", "none")
    p.run("get", "--raw", "/none")
