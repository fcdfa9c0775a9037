"""Writes: create, update, the three patches, dry runs, deletes, and what stands against each."""

from __future__ import annotations

import copy

from tests.contracts.cluster.objects import config_map, deployment, lease, pod, replica_set, service, template
from tests.contracts.cluster.probe import STRATEGIC, Json, Probe

ANNOTATION = "deployctl.dev/release"
KEY = "/metadata/annotations/deployctl.dev~1release"


def _settled(p: Probe, name: str = "web") -> Json:
    def settled() -> bool:
        one = p.get("deployments", name)
        return bool(one["metadata.generation"] == one["status.observedGeneration"])

    p.until(settled, "the controller to have seen it")
    p.pass_time(0.3)
    found: Json = p.get("deployments", name).body
    return found


def _still(p: Probe) -> Json:
    p.make("deployments", deployment(replicas=0))
    return _settled(p)


def a_name_that_is_taken_is_409(p: Probe) -> None:
    """Two objects of one name cannot be."""
    p.make("configmaps", config_map())
    p.see(p.post("configmaps", config_map()))


def a_name_can_be_generated(p: Probe) -> None:
    """generateName gets five characters; a name that is given as well wins."""
    one = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "notes-"}}
    made = p.see(p.post("configmaps", one))
    p.note("length", len(made["metadata.name"]))
    one["metadata"] = {"generateName": "notes-", "name": "given"}
    p.see(p.post("configmaps", one), "metadata.name", "metadata.generateName")


def an_object_needs_a_name(p: Probe) -> None:
    """Without a name, or with one that DNS cannot have, nothing is made."""
    p.see(p.post("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}))
    p.see(p.post("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "Not_DNS"}}))
    p.see(p.post("deployments", {**deployment(), "metadata": {"name": "a/b"}}))


def a_created_object_gets_its_bookkeeping(p: Probe) -> None:
    """uid, version, time and who wrote what: managedFields name the fieldManager, or the client's first word."""
    one = p.see(p.post("configmaps", config_map(key="value"), fieldManager="deployctl"))
    p.note("managed", one["metadata.managedFields"])
    two = p.post("configmaps", config_map("other", a="1"))
    p.note("by", [[each["manager"], each["operation"]] for each in two["metadata.managedFields"]])


def what_was_written_is_owned_by_its_writer(p: Probe) -> None:
    """deployctl reads from managedFields who wrote a field of the spec last."""
    p.make("deployments", deployment(replicas=0), fieldManager="kubectl-create")
    _settled(p)
    p.patch("deployments", "web", {"spec": {"minReadySeconds": 7}}, fieldManager="somebody")
    ops = [{"op": "add", "path": "/spec/paused", "value": True}]
    p.patch("deployments", "web", ops, fieldManager="deployctl")
    p.patch("deployments", "web", {"spec": {"minReadySeconds": 8}}, fieldManager="deployctl")
    _settled(p)
    found = p.get("deployments", "web")["metadata.managedFields"]
    p.note("managed", sorted(found, key=lambda one: (one["manager"], one.get("subresource", ""))))


def the_namespace_of_a_body_must_be_that_of_the_path(p: Probe) -> None:
    """A body that names another namespace, kind or version than the path is a 400."""
    one = config_map()
    p.see(p.post("configmaps", {**one, "metadata": {**one["metadata"], "namespace": "elsewhere"}}))
    p.see(p.post("configmaps", {**one, "kind": "Secret"}))
    p.see(p.post("configmaps", {**one, "apiVersion": "v2"}))


def a_namespace_that_is_not_there_takes_nothing(p: Probe) -> None:
    """A create in a namespace that nobody made is a 404 that names the namespace."""
    p.see(p.send("POST", "/api/v1/namespaces/nobody-made-this/configmaps", config_map()))


def a_body_may_leave_out_kind_and_version(p: Probe) -> None:
    """The path tells them; deployctl sends Leases with both."""
    p.see(p.post("leases", {"metadata": {"name": "bare"}}))


def an_update_of_an_old_version_is_409(p: Probe) -> None:
    """PUT with the version that was read; who comes second reads again. deployctl's lock rests on this."""
    made = p.make("leases", lease())
    first = copy.deepcopy(made)
    first["spec"]["holderIdentity"] = "first"
    p.see(p.put("leases", first), "spec.holderIdentity")
    second = copy.deepcopy(made)
    second["spec"]["holderIdentity"] = "second"
    p.see(p.put("leases", second))
    p.see(p.get("leases", "lock"), "spec")


def an_update_without_a_version_is_taken(p: Probe) -> None:
    """A Lease may be updated without a resourceVersion; one that nobody made is a 404."""
    p.make("leases", lease())
    p.see(p.put("leases", lease()), "spec.leaseDurationSeconds")
    p.see(p.put("leases", lease("none")))
    p.see(p.send("PUT", p.path("leases", "lock"), lease("other")))


def a_lease_has_its_own_rules(p: Probe) -> None:
    """Durations are over 0, moments have microseconds."""
    bad = lease("bad")
    bad["spec"]["leaseDurationSeconds"] = 0
    p.see(p.post("leases", bad))
    bad["spec"] = {"renewTime": "yesterday"}
    p.see(p.post("leases", bad))
    fine = lease("fine")
    made = p.post("leases", fine)
    p.note("as it was given", made["spec.renewTime"] == fine["spec"]["renewTime"])


def a_version_may_not_be_given_at_birth(p: Probe) -> None:
    """resourceVersion must be empty in a create."""
    p.see(p.post("leases", lease(resourceVersion="1")))


def a_uid_that_is_another_is_409(p: Probe) -> None:
    """An update of an object that was replaced meanwhile fails by its uid."""
    p.make("leases", lease())
    p.see(p.put("leases", lease(uid="11111111-1111-4111-8111-111111111111")))


def a_failed_test_is_422_without_causes(p: Probe) -> None:
    """deployctl begins every write to a Deployment with tests: a lost race is a 422 that names no cause."""
    one = _still(p)
    stale = {"op": "test", "path": "/metadata/generation", "value": one["metadata"]["generation"] - 1}
    p.see(p.patch("deployments", "web", [stale, {"op": "add", "path": "/spec/paused", "value": True}]))
    p.see(p.patch("deployments", "web", [{"op": "test", "path": "/metadata/resourceVersion", "value": "1"}]))
    p.see(p.patch("deployments", "web", [{"op": "test", "path": KEY, "value": "not there"}]))
    p.see(p.get("deployments", "web"), "metadata.generation", "spec.paused")


def a_test_that_holds_lets_the_patch_through(p: Probe) -> None:
    """The generation and the annotation as they were read; the whole is one write."""
    one = _still(p)
    guard = {"op": "test", "path": "/metadata/generation", "value": one["metadata"]["generation"]}
    ops = [
        guard,
        {"op": "add", "path": KEY, "value": '{"id": 1}'},
        {"op": "add", "path": "/spec/paused", "value": True},
    ]
    p.see(p.patch("deployments", "web", ops, fieldManager="deployctl"), "metadata.generation", "spec.paused")
    again = [{"op": "test", "path": KEY, "value": '{"id": 1}'}, {"op": "remove", "path": KEY}]
    p.see(p.patch("deployments", "web", again), "metadata.annotations")


def a_json_patch_adds_to_what_there_is(p: Probe) -> None:
    """`add` needs its parent: where there are no annotations it fails, so they are made first."""
    p.make("configmaps", config_map())
    p.see(p.patch("configmaps", "notes", [{"op": "add", "path": KEY, "value": "x"}]))
    made = [
        {"op": "add", "path": "/metadata/annotations", "value": {}},
        {"op": "add", "path": KEY, "value": "x"},
    ]
    p.see(p.patch("configmaps", "notes", made), "metadata.annotations")
    p.see(p.patch("configmaps", "notes", [{"op": "remove", "path": "/data/none"}]))
    p.see(p.patch("configmaps", "notes", [{"op": "replace", "path": "/data/none", "value": "x"}]))


def a_json_patch_has_its_verbs(p: Probe) -> None:
    """copy, move, replace, list places and the end of a list; an operation that is none is a 4xx."""
    p.make("deployments", deployment(replicas=0))
    _settled(p)
    box = "/spec/template/spec/containers/0"
    ops = [
        {"op": "add", "path": f"{box}/env", "value": [{"name": "B", "value": "2"}]},
        {"op": "add", "path": f"{box}/env/0", "value": {"name": "A", "value": "1"}},
        {"op": "add", "path": f"{box}/env/-", "value": {"name": "C", "value": "3"}},
        {"op": "copy", "from": f"{box}/env/0", "path": f"{box}/env/-"},
        {"op": "replace", "path": f"{box}/env/3/name", "value": "D"},
        {"op": "remove", "path": f"{box}/env/1"},
        {"op": "move", "from": f"{box}/env/0", "path": f"{box}/env/2"},
    ]
    p.see(p.patch("deployments", "web", ops), "spec.template.spec.containers.0.env")
    p.see(p.patch("deployments", "web", [{"op": "dance", "path": "/spec"}]))
    p.see(p.patch("deployments", "web", [{"op": "add", "path": f"{box}/env/9", "value": {}}]))
    p.see(p.send("PATCH", p.path("deployments", "web"), {"op": "add"}, "application/json-patch+json"))


def a_merge_patch_with_an_old_version_is_409(p: Probe) -> None:
    """deployctl writes a Service by a merge patch that carries the version it has read."""
    made = p.make("services", service())
    version = made["metadata"]["resourceVersion"]
    change = {"metadata": {"resourceVersion": version}, "spec": {"selector": {"pod-template-hash": "abc"}}}
    p.see(p.patch("services", "web", change, fieldManager="deployctl"), "spec.selector")
    p.see(p.patch("services", "web", change, fieldManager="deployctl"))
    stale = {"metadata": {"resourceVersion": version}, "spec": {"type": "NodePort"}}
    p.see(p.patch("services", "web", stale, STRATEGIC))


def null_takes_away(p: Probe) -> None:
    """In a merge patch a null removes; what is not there may be removed."""
    p.make("services", service("web", app="web", track="a"))
    p.see(p.patch("services", "web", {"spec": {"selector": {"track": None, "none": None}}}), "spec.selector")
    p.see(p.patch("services", "web", {"metadata": {"annotations": {"none": None}}}), "metadata.annotations")


def an_annotation_leaves_a_replica_set(p: Probe) -> None:
    """deployctl takes its copied annotation off ReplicaSets; that is no new generation."""
    one = replica_set(replicas=0)
    one["metadata"]["annotations"] = {ANNOTATION: "x", "kept": "y"}
    p.make("replicasets", one)
    gone = {"metadata": {"annotations": {ANNOTATION: None}}}
    p.see(
        p.patch("replicasets", "web", gone, fieldManager="deployctl"),
        "metadata.annotations",
        "metadata.generation",
    )


def a_strategic_patch_merges_lists_by_key(p: Probe) -> None:
    """kubectl sends these: containers and env by name, `$patch: delete`, `$retainKeys`, tolerations whole."""
    p.make("deployments", deployment(replicas=0, pods=template(A="1", B="2")))
    _settled(p)

    def pods(**box: object) -> Json:
        return {"spec": {"template": {"spec": {"containers": [{"name": "app", **box}]}}}}

    where = "spec.template.spec.containers"
    p.see(p.patch("deployments", "web", pods(env=[{"name": "C", "value": "3"}]), STRATEGIC), where)
    gone = pods(env=[{"name": "A", "$patch": "delete"}, {"name": "B", "value": "9"}])
    p.see(p.patch("deployments", "web", gone, STRATEGIC), where)
    more = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "localhost/pause:1"}]}}}}
    p.note("two", [one["name"] for one in p.patch("deployments", "web", more, STRATEGIC)[where]])
    p.see(
        p.patch(
            "deployments",
            "web",
            {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}},
            STRATEGIC,
        ),
        "spec.strategy",
    )


def a_merge_patch_replaces_lists(p: Probe) -> None:
    """A merge patch knows no keys: the list is what it says."""
    p.make("deployments", deployment(replicas=0, pods=template(A="1")))
    _settled(p)
    box = {"name": "other", "image": "localhost/pause:1"}
    change = {"spec": {"template": {"spec": {"containers": [box]}}}}
    done = p.patch("deployments", "web", change)
    p.note("containers", [one["name"] for one in done["spec.template.spec.containers"]])


def a_patch_of_another_media_type_is_415(p: Probe) -> None:
    """The server names the patches that it takes."""
    p.make("configmaps", config_map())
    p.see(p.send("PATCH", p.path("configmaps", "notes"), {"data": {}}, "application/json"))
    p.see(p.send("PATCH", p.path("configmaps", "notes"), {"data": {}}, "text/plain"))
    p.see(p.send("POST", p.path("configmaps"), config_map("b"), "text/plain"))


def a_patch_that_changes_nothing_keeps_the_version(p: Probe) -> None:
    """Nothing is written, and no watch hears of it."""
    made = p.make("configmaps", config_map(key="value"))
    same = p.patch("configmaps", "notes", {"data": {"key": "value"}})
    p.note("same version", same["metadata.resourceVersion"] == made["metadata"]["resourceVersion"])
    other = p.patch("configmaps", "notes", {"data": {"key": "other"}})
    p.note("another version", other["metadata.resourceVersion"] != made["metadata"]["resourceVersion"])


def generation_counts_changes_of_the_spec(p: Probe) -> None:
    """Of a Deployment annotations count as well; labels and status do not. The controller notes what it saw."""
    one = _still(p)
    changes: list[Json] = [
        {"metadata": {"labels": {"a": "b"}}},
        {"metadata": {"annotations": {"a": "b"}}},
        {"spec": {"minReadySeconds": 1}},
        {"spec": {"minReadySeconds": 1}},
        {"spec": {"replicas": 1}},
    ]
    told = [p.patch("deployments", "web", change)["metadata.generation"] for change in changes]
    p.note("generations", [one["metadata"]["generation"], *told])
    p.note("seen", _settled(p)["status"]["observedGeneration"])


def the_controllers_mark_is_no_new_generation(p: Probe) -> None:
    """The controller writes the revision, an annotation, with the status: the generation stays."""
    made = p.make("deployments", deployment(replicas=0))
    p.note("at birth", made["metadata"]["generation"])
    one = _still_after(p)
    p.note("at rest", [one["metadata"]["generation"], one["metadata"]["annotations"]])


def _still_after(p: Probe) -> Json:
    p.until(lambda: p.get("deployments", "web")["metadata.annotations"], "the revision")
    return _settled(p)


def a_status_is_written_on_its_own(p: Probe) -> None:
    """A write to the object leaves the status, one to `/status` leaves the spec."""
    p.make("pods", pod())
    change = {"status": {"message": "hello"}, "metadata": {"labels": {"a": "b"}}}
    p.see(p.patch("pods", "one", change), "status.message", "metadata.labels")
    change = {"status": {"message": "hello"}, "spec": {"activeDeadlineSeconds": 9}}
    p.see(p.patch("pods", "one", change, sub="status"), "status.message", "spec.activeDeadlineSeconds")
    p.see(p.patch("configmaps", "none", {}, sub="status"))


def a_dry_run_stores_nothing(p: Probe) -> None:
    """It answers as the write would; nothing is kept, no version used, no name taken."""
    p.see(p.post("configmaps", config_map(key="value"), dryRun="All"))
    p.see(p.get("configmaps", "notes"), "code")
    p.make("configmaps", config_map(key="value"))
    p.see(p.patch("configmaps", "notes", {"data": {"key": "2"}}, dryRun="All"), "data")
    p.see(p.get("configmaps", "notes"), "data")
    p.see(p.delete("configmaps", "notes", dryRun="All"))
    p.see(p.get("configmaps", "notes"), "data")
    p.see(p.post("configmaps", config_map("b"), dryRun="Some"))


def a_dry_run_defaults_a_template(p: Probe) -> None:
    """deployctl lets the server complete the new pod template, and compares that."""
    _still(p)
    bare = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "app", "image": "localhost/igaming:2"}]},
    }
    ops = [{"op": "replace", "path": "/spec/template", "value": bare}]
    query = {"fieldManager": "deployctl", "fieldValidation": "Strict", "dryRun": "All"}
    p.see(p.patch("deployments", "web", ops, **query), "spec.template", "metadata.generation")
    p.see(p.get("deployments", "web"), "metadata.generation", "spec.template.spec.containers.0.image")


def a_delete_says_what_it_deleted(p: Probe) -> None:
    """A Status with the name and uid; what waits for a finalizer, or a pod for its grace, comes as the object."""
    p.make("configmaps", config_map())
    p.see(p.delete("configmaps", "notes"))
    p.see(p.delete("configmaps", "notes"))


def a_delete_may_ask_for_the_very_object(p: Probe) -> None:
    """Preconditions: another uid or version is a 409."""
    made = p.make("configmaps", config_map())
    wrong = {"preconditions": {"uid": "11111111-1111-4111-8111-111111111111"}}
    p.see(p.delete("configmaps", "notes", body=wrong))
    p.see(p.delete("configmaps", "notes", body={"preconditions": {"resourceVersion": "1"}}))
    right = {"preconditions": {"uid": made["metadata"]["uid"]}}
    p.see(p.delete("configmaps", "notes", body=right), "status")


def a_finalizer_keeps_an_object(p: Probe) -> None:
    """It is marked as being deleted, takes no new finalizers, and goes when the last one does."""
    one = config_map()
    one["metadata"]["finalizers"] = ["example.com/keep"]
    p.make("configmaps", one)
    p.see(p.delete("configmaps", "notes"))
    p.see(
        p.patch("configmaps", "notes", {"metadata": {"finalizers": ["example.com/keep", "example.com/more"]}})
    )
    p.see(p.patch("configmaps", "notes", {"metadata": {"finalizers": None}}), "metadata.name")
    p.see(p.get("configmaps", "notes"), "code")


def many_are_deleted_by_a_selector(p: Probe) -> None:
    """A deletion of a collection takes those that match, and lists them."""
    p.make("configmaps", config_map("a", {"x": "1"}))
    p.make("configmaps", config_map("b", {"x": "1"}))
    p.make("configmaps", config_map("c"))
    gone = p.delete("configmaps", labelSelector="x=1")
    p.note("answer", [gone.status, gone["kind"], [one["metadata"]["name"] for one in gone["items"]]])
    p.note(
        "left",
        [one["metadata"]["name"] for one in p.items("configmaps") if len(one["metadata"]["name"]) == 1],
    )


def what_cannot_be_done_is_405(p: Probe) -> None:
    """A verb that a path does not have."""
    p.see(p.send("POST", p.path("configmaps", "notes"), config_map()))
    p.see(p.send("PUT", p.path("configmaps"), config_map()))
    p.see(p.send("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"))


def a_config_map_is_a_merge_away(p: Probe) -> None:
    """deployctl's record: a merge patch, and where that is a 404 a create."""
    change = {"data": {"releases": "[]", "template": None}}
    p.see(p.patch("configmaps", "deployctl-web", change, fieldManager="deployctl"))
    p.make(
        "configmaps",
        config_map("deployctl-web", {"app.kubernetes.io/managed-by": "deployctl"}, spec="{}", template="{}"),
    )
    p.see(p.patch("configmaps", "deployctl-web", change, fieldManager="deployctl"), "data")
    p.see(p.patch("configmaps", "deployctl-web", {"data": {"spec": 7}}))
