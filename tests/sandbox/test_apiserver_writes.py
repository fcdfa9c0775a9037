"""What the sandbox's API server makes of writes: what it stores, what it refuses and in which words."""

from __future__ import annotations

import pytest

from tests.sandbox.calling import (
    CONFIGMAPS,
    DEPLOYMENTS,
    PODS,
    QUOTAS,
    SERVICES,
    Client,
    configmap,
    deployment,
    pod,
    service,
)

WEB = f"{DEPLOYMENTS}/web"
MODIFIED = (
    'Operation cannot be fulfilled on deployments.apps "web": the object has been modified; '
    "please apply your changes to the latest version and try again"
)


@pytest.fixture
def client():
    made = Client()
    made.post(DEPLOYMENTS, deployment())
    return made


def test_a_name_that_is_taken_is_refused(client):
    refused = client.post(DEPLOYMENTS, deployment())
    assert (refused["code"], refused["message"]) == (409, 'deployments.apps "web" already exists')


def test_nothing_is_made_in_a_namespace_that_is_not_there(client):
    refused = client.post("/api/v1/namespaces/nowhere/configmaps", configmap("one"))
    assert refused["message"] == 'namespaces "nowhere" not found'
    assert refused["details"] == {"name": "nowhere", "kind": "namespaces"}


def test_a_namespace_that_is_not_that_of_the_path_is_refused(client):
    one = configmap("one")
    one["metadata"]["namespace"] = "other"
    message = "the namespace of the provided object does not match the namespace sent on the request"
    assert client.post(CONFIGMAPS, one)["message"] == message


def test_a_name_is_generated(client):
    made = client.post(PODS, {"metadata": {"generateName": "web-"}, "spec": pod("x")["spec"]})
    assert made["metadata"]["name"].startswith("web-")
    assert len(made["metadata"]["name"]) == 9


def test_what_only_the_server_gives_is_not_taken_from_a_client(client):
    one = configmap("one")
    one["metadata"] |= {"uid": "mine", "creationTimestamp": "2000-01-01T00:00:00Z", "generation": 7}
    made = client.post(CONFIGMAPS, one)["metadata"]
    assert (made["uid"] == "mine", made["creationTimestamp"]) == (False, "2027-01-15T08:00:00Z")
    assert "generation" not in made


def test_a_version_may_not_be_set_on_what_is_new(client):
    one = configmap("one")
    one["metadata"]["resourceVersion"] = "5"
    refused = client.post(CONFIGMAPS, one)
    assert (refused["code"], refused["message"]) == (
        500,
        "resourceVersion should not be set on objects to be created",
    )


def test_a_stale_put_is_a_conflict(client):
    held = client.get(WEB)
    client.patch(WEB, {"spec": {"replicas": 4}})
    refused = client.put(WEB, held)
    assert (refused["code"], refused["message"]) == (409, MODIFIED)


def test_a_put_without_a_version_is_unconditional(client):
    assert client.put(WEB, deployment(replicas=7))["spec"]["replicas"] == 7


def test_a_put_under_another_name_is_refused(client):
    message = "the name of the object (other) does not match the name on the URL (web)"
    assert client.put(WEB, deployment("other"))["message"] == message


def test_a_put_makes_a_service_but_no_deployment(client):
    assert client.call("PUT", f"{SERVICES}/web", service()).status == 201
    assert client.put(f"{DEPLOYMENTS}/none", deployment("none"))["code"] == 404


def test_a_put_of_another_uid_is_a_conflict(client):
    other = deployment()
    other["metadata"]["uid"] = "another"
    assert "Precondition failed: UID in precondition: another" in client.put(WEB, other)["message"]


@pytest.mark.parametrize("how", ["merge", "strategic"])
def test_a_patch_with_a_stale_version_is_a_conflict(client, how):
    refused = client.patch(WEB, {"metadata": {"resourceVersion": "1"}, "spec": {"paused": True}}, how)
    assert (refused["code"], refused["message"]) == (409, MODIFIED)


def test_a_failed_test_of_a_json_patch_is_a_422_without_a_cause(client):
    refused = client.patch(WEB, [{"op": "test", "path": "/metadata/generation", "value": 9}], "json")
    assert (refused["code"], refused["reason"], refused["details"]) == (422, "Invalid", {})
    assert refused["message"] == "the server rejected our request due to an error in our request"


def test_a_patch_that_changes_nothing_keeps_the_version(client):
    before = client.get(WEB)
    assert client.patch(WEB, {"spec": {"replicas": 3}}) == before


def test_a_changed_spec_is_a_new_generation_and_a_label_is_none(client):
    assert client.patch(WEB, {"metadata": {"labels": {"a": "b"}}})["metadata"]["generation"] == 1
    assert client.patch(WEB, {"spec": {"paused": True}})["metadata"]["generation"] == 2


def test_the_status_is_written_on_its_own_path_only(client):
    client.patch(WEB, {"status": {"replicas": 9}})
    assert client.get(WEB)["status"] == {}
    written = client.patch(f"{WEB}/status", {"status": {"replicas": 9}, "spec": {"replicas": 1}})
    assert (written["status"]["replicas"], written["spec"]["replicas"]) == (9, 3)
    assert written["metadata"]["generation"] == 1


def test_a_patch_of_another_media_type_has_no_route(client):
    refused = client.call("PATCH", WEB, {}, content_type="application/json").body
    assert (refused["code"], refused["message"]) == (415, "415: Unsupported Media Type")
    apply = client.call("PATCH", WEB, {}, content_type="application/apply-patch+yaml").body
    assert "no server-side apply" in apply["message"]


def test_unknown_fields_are_warned_of_refused_or_ignored(client):
    change = {"spec": {"replica": 1}}
    told = client.call("PATCH", WEB, change, content_type="application/merge-patch+json")
    assert told.headers["Warning"] == '299 - "unknown field \\"spec.replica\\""'
    assert client.patch(WEB, change, fieldValidation="Strict")["code"] == 422
    new = deployment("new") | {"speck": {}}
    refused = client.post(DEPLOYMENTS, new, fieldValidation="Strict")
    assert refused["message"] == (
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "speck"'
    )


def test_a_value_of_a_wrong_type_in_a_patch_is_told_of_the_patch(client):
    refused = client.patch(WEB, {"spec": {"replicas": "x"}}, "strategic")
    assert refused["message"] == (
        ' "" is invalid: patch: Invalid value: "map[spec:map[replicas:x]]": json: cannot unmarshal string '
        "into Go struct field DeploymentSpec.spec.replicas of type int32"
    )


def test_another_kind_is_refused(client):
    refused = client.post(CONFIGMAPS, deployment())
    assert refused["message"] == (
        "the API version in the data (apps/v1) does not match the expected API version (v1)"
    )


def test_a_dry_run_stores_nothing(client):
    version = client.store.version
    assert client.post(CONFIGMAPS, configmap("one"), dryRun="All")["metadata"]["uid"]
    assert client.patch(WEB, {"spec": {"replicas": 9}}, dryRun="All")["spec"]["replicas"] == 9
    assert client.delete(WEB, dryRun="All")["status"] == "Success"
    assert client.store.version == version


def test_a_dry_run_of_anything_but_all_is_refused(client):
    refused = client.post(CONFIGMAPS, configmap("one"), dryRun="Some")
    assert refused["message"] == (
        'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: supported values: "All"'
    )


def test_the_manager_is_the_parameter_or_the_first_word_of_the_agent(client):
    client.patch(WEB, {"spec": {"replicas": 4}}, fieldManager="scaler")
    managers = {one["manager"]: one["fieldsV1"] for one in client.get(WEB)["metadata"]["managedFields"]}
    assert managers.keys() == {"kubectl", "scaler"}
    assert managers["scaler"] == {"f:spec": {"f:replicas": {}}}


def quota(client, **status):
    client.post(QUOTAS, {"metadata": {"name": "small"}, "spec": {"hard": {"pods": "2"}}})
    client.patch(f"{QUOTAS}/small/status", {"status": {"hard": {"pods": "2"}, **status}})


def test_a_pod_over_the_quota_is_refused_in_a_dry_run_too(client):
    quota(client, used={"pods": "2"})
    message = (
        'pods "one" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2'
    )
    assert client.post(PODS, pod("one"), dryRun="All")["message"] == message
    assert client.post(PODS, pod("one"))["message"] == message


def test_a_pod_within_the_quota_is_counted_at_once(client):
    quota(client, used={"pods": "0"})
    client.post(PODS, pod("one"))
    assert client.get(f"{QUOTAS}/small")["status"]["used"] == {"pods": "1"}


def test_a_quota_that_is_not_counted_yet_lets_nothing_through(client):
    quota(client)
    assert "status unknown for quota: small, resources: pods" in client.post(PODS, pod("one"))["message"]


def test_a_pod_is_given_what_the_plug_ins_give(client):
    made = client.post(PODS, pod("one"))
    assert made["spec"]["serviceAccountName"] == "default"
    assert [one["key"] for one in made["spec"]["tolerations"]] == [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ]
    assert made["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
