"""What the sandbox's API server gives when it is asked: objects, lists, tables, itself."""

from __future__ import annotations

import pytest

from deployctl.sandbox.calls import Call
from tests.sandbox.calling import (
    CONFIGMAPS,
    DEPLOYMENTS,
    PODS,
    SERVICES,
    Client,
    configmap,
    deployment,
    pod,
    service,
)


@pytest.fixture
def client():
    return Client()


@pytest.fixture
def five(client):
    for name in ("a", "b", "c", "d", "e"):
        client.post(CONFIGMAPS, configmap(name, {"name": name}))
    return client


def test_an_object_that_is_not_there_is_told_by_its_group(client):
    assert client.get(f"{DEPLOYMENTS}/none") == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'deployments.apps "none" not found',
        "reason": "NotFound",
        "details": {"name": "none", "group": "apps", "kind": "deployments"},
        "code": 404,
    }


def test_the_items_of_a_list_have_no_kind(five):
    listed = five.get(CONFIGMAPS)
    assert (listed["kind"], listed["apiVersion"]) == ("ConfigMapList", "v1")
    assert listed["metadata"] == {"resourceVersion": str(five.store.version)}
    assert listed["items"][0].keys() == {"metadata"}


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("name=a", ["a"]),
        ("name==a", ["a"]),
        ("name!=a", ["b", "c", "d", "e"]),
        ("name in (a, b)", ["a", "b"]),
        ("name notin (a,b),name", ["c", "d", "e"]),
        ("!name", []),
        ("name in (a,b),name!=a", ["b"]),
    ],
)
def test_labels_select(five, selector, names):
    assert five.names(CONFIGMAPS, labelSelector=selector) == names


def test_fields_select(client):
    client.post(PODS, pod("one", nodeName="here"))
    client.post(PODS, pod("two"))
    assert client.names(PODS, fieldSelector="spec.nodeName=here") == ["one"]
    assert client.names(PODS, fieldSelector="metadata.name!=one,status.phase=Pending") == ["two"]
    assert client.names("/api/v1/pods", fieldSelector="metadata.namespace=shop") == ["one", "two"]


def test_a_field_that_selects_nothing_is_refused_in_the_words_of_its_kind(client):
    assert client.get(PODS, fieldSelector="spec.x=1")["message"] == "field label not supported: spec.x"
    message = '"spec.x" is not a known field selector: only "metadata.name", "metadata.namespace"'
    assert client.get(DEPLOYMENTS, fieldSelector="spec.x=1")["message"] == message


def test_a_list_comes_page_by_page_as_it_was_at_the_first(five):
    first = five.get(CONFIGMAPS, limit="2")
    assert first["metadata"]["remainingItemCount"] == 3
    five.delete(f"{CONFIGMAPS}/c")
    five.post(CONFIGMAPS, configmap("f"))
    rest = five.get(CONFIGMAPS, **{"limit": "9", "continue": first["metadata"]["continue"]})
    assert [one["metadata"]["name"] for one in rest["items"]] == ["c", "d", "e"]
    assert rest["metadata"] == {"resourceVersion": first["metadata"]["resourceVersion"]}


def test_a_token_that_is_forgotten_is_gone_and_brings_another(five):
    token = five.get(CONFIGMAPS, limit="2")["metadata"]["continue"]
    five.post(CONFIGMAPS, configmap("f"))
    five.store.forget()
    gone = five.get(CONFIGMAPS, **{"limit": "2", "continue": token})
    assert (gone["code"], gone["reason"]) == (410, "Expired")
    assert five.names(CONFIGMAPS, **{"continue": gone["metadata"]["continue"]}) == ["c", "d", "e", "f"]


def test_a_version_that_nothing_has_yet_is_too_large(five):
    told = five.get(CONFIGMAPS, resourceVersion="99999")
    assert told["message"] == f"Timeout: Too large resource version: 99999, current: {five.store.version}"


def test_kubectl_get_is_given_a_table(five):
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    table = five.call("GET", CONFIGMAPS, accept=accept).body
    assert (table["kind"], table["rows"][0]["object"]["kind"]) == ("Table", "PartialObjectMetadata")
    assert [row["cells"][0] for row in table["rows"]] == ["a", "b", "c", "d", "e"]


def test_protobuf_first_and_json_later_is_json(five):
    answer = five.call("GET", CONFIGMAPS, accept="application/vnd.kubernetes.protobuf,application/json")
    assert answer.body["kind"] == "ConfigMapList"
    refused = five.call("GET", CONFIGMAPS, accept="text/html")
    assert (refused.status, refused.body["message"][:19]) == (406, "406: Not Acceptable")


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("GET", "/apis/apps/v1/nothings", 404, "NotFound"),
        ("POST", "/api/v1/pods", 405, "MethodNotAllowed"),
        ("PUT", PODS, 405, "MethodNotAllowed"),
        ("DELETE", "/api/v1/namespaces", 405, "MethodNotAllowed"),
    ],
)
def test_what_is_not_served_is_refused_by_the_router(client, method, path, status, reason):
    body = client.call(method, path).body
    assert (body["code"], body["reason"], body["details"]) == (status, reason, {})


def test_a_path_of_no_group_is_no_object(client):
    answer = client.call("GET", "/apis/nobody.example/v1/things")
    assert (answer.status, answer.body) == (404, "404 page not found\n")


def test_it_tells_what_it_is(client):
    assert client.get("/version")["gitVersion"] == "v1.35.4"
    assert [client.call("GET", path).body for path in ("/healthz", "/livez", "/readyz")] == ["ok"] * 3


def test_groups_and_resources_are_listed_both_ways(client):
    plain = {one["name"]: one for one in client.get("/apis/apps/v1")["resources"]}
    assert plain["deployments"]["shortNames"] == ["deploy"]
    assert plain["deployments/scale"] == {
        "name": "deployments/scale",
        "singularName": "",
        "namespaced": True,
        "group": "autoscaling",
        "version": "v1",
        "kind": "Scale",
        "verbs": ["get", "patch", "update"],
    }
    kind = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    answer = client.call("GET", "/apis", accept=f"{kind},application/json")
    assert answer.headers["Content-Type"] == kind
    assert {one["metadata"]["name"] for one in answer.body["items"]} >= {"apps", "autoscaling", "policy"}


def test_openapi_says_that_a_patch_can_validate_fields(client):
    patch = client.get("/openapi/v3/apis/apps/v1")["paths"][
        "/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
    ]
    assert "fieldValidation" in {one["name"] for one in patch["patch"]["parameters"]}


def test_what_is_denied_is_refused_and_told_by_the_reviews(client):
    client.server.denied.add(("get", "pods/log"))
    refused = client.get(f"{PODS}/one/log")
    assert refused["message"] == (
        'pods "one" is forbidden: User "kubernetes-admin" cannot get resource "pods/log" in API group "" '
        'in the namespace "shop"'
    )
    asked = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods", "subresource": "log"}}}
    review = client.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", asked)
    assert review["status"] == {"allowed": False}


def test_the_administrator_may_everything_and_others_nothing(client):
    path, spec = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {"spec": {"namespace": "shop"}}
    rules = client.post(path, spec)["status"]["resourceRules"]
    assert rules == [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
    assert client.call("GET", PODS, user="bob").body["reason"] == "Forbidden"


def test_a_watch_of_one_object_is_a_watch(client):
    client.post(CONFIGMAPS, configmap("one"))
    client.post(CONFIGMAPS, configmap("two"))
    events = client.watch(f"{CONFIGMAPS}/one").take()
    assert [one["object"]["metadata"]["name"] for one in events] == ["one"]


def test_a_service_keeps_its_address(client):
    made = client.post(SERVICES, service())
    assert made["spec"]["clusterIP"].startswith("10.96.")
    again = client.put(f"{SERVICES}/web", service(ports=[{"port": 81}]))
    assert again["spec"]["clusterIP"] == made["spec"]["clusterIP"]


def test_a_scale_is_what_is_wanted_and_there(client):
    client.post(DEPLOYMENTS, deployment())
    scale = client.get(f"{DEPLOYMENTS}/web/scale")
    assert (scale["spec"], scale["status"]) == ({"replicas": 3}, {"replicas": 0, "selector": "app=web"})
    assert client.patch(f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 5}})["spec"] == {"replicas": 5}
    scaled = client.get(f"{DEPLOYMENTS}/web")
    assert (scaled["spec"]["replicas"], scaled["metadata"]["generation"]) == (5, 2)


def test_a_stale_scale_is_a_conflict(client):
    client.post(DEPLOYMENTS, deployment())
    scale = client.get(f"{DEPLOYMENTS}/web/scale")
    client.patch(f"{DEPLOYMENTS}/web", {"spec": {"replicas": 4}})
    assert client.put(f"{DEPLOYMENTS}/web/scale", scale)["reason"] == "Conflict"


def test_the_same_seed_gives_the_same_answers():
    one, other = Client(), Client()
    assert one.post(DEPLOYMENTS, deployment()) == other.post(DEPLOYMENTS, deployment())


def test_a_call_without_watch_is_an_answer(client):
    assert client.server.call(Call("GET", PODS, {"watch": "false"})).status == 200


def test_a_scale_that_is_written_as_it_is_parts_the_owner_of_replicas_once(client):
    client.post(DEPLOYMENTS, deployment())
    version = client.store.version
    client.patch(f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 3}})
    client.patch(f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 3}})
    held = client.get(f"{DEPLOYMENTS}/web")["metadata"]
    assert held["resourceVersion"] == str(version + 1)
    assert held["managedFields"][1]["fieldsV1"] == {"f:spec": {"f:replicas": {}}}
    assert held["generation"] == 1
