"""How objects go: at once, after a grace, when their last finalizer has gone, or not at all."""

from __future__ import annotations

import pytest

from tests.sandbox.calling import CONFIGMAPS, DEPLOYMENTS, PODS, Client, configmap, deployment, pod

WEB = f"{DEPLOYMENTS}/web"
BUDGETS = "/apis/policy/v1/namespaces/shop/poddisruptionbudgets"


@pytest.fixture
def client():
    made = Client()
    made.post(DEPLOYMENTS, deployment())
    made.post(PODS, pod("one", nodeName="here"))
    return made


def test_what_is_gone_is_told_with_its_uid(client):
    uid = client.get(WEB)["metadata"]["uid"]
    assert client.delete(WEB) == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {"name": "web", "group": "apps", "kind": "deployments", "uid": uid},
    }
    assert client.get(WEB)["code"] == 404


def test_a_pod_that_runs_stays_for_its_grace(client):
    going = client.delete(f"{PODS}/one")["metadata"]
    assert (going["deletionTimestamp"], going["deletionGracePeriodSeconds"]) == ("2027-01-15T08:00:30Z", 30)
    assert client.get(f"{PODS}/one")["metadata"]["generation"] == 2


def test_a_second_delete_can_only_shorten_the_grace(client):
    client.delete(f"{PODS}/one")
    assert (
        client.delete(f"{PODS}/one", {"gracePeriodSeconds": 60})["metadata"]["deletionGracePeriodSeconds"]
        == 30
    )
    client.now += 5
    shorter = client.delete(f"{PODS}/one", {"gracePeriodSeconds": 10})["metadata"]
    assert (shorter["deletionTimestamp"], shorter["deletionGracePeriodSeconds"]) == (
        "2027-01-15T08:00:10Z",
        10,
    )


def test_no_grace_at_all_takes_a_pod_away_at_once(client):
    watch = client.watch(PODS, resourceVersion=str(client.store.version))
    client.delete(f"{PODS}/one", gracePeriodSeconds="0")
    assert [one["type"] for one in watch.take()] == ["MODIFIED", "DELETED"]


def test_a_pod_on_no_node_has_no_grace(client):
    client.post(PODS, pod("two"))
    client.delete(f"{PODS}/two")
    assert client.names(PODS) == ["one"]


def test_preconditions_are_kept(client):
    refused = client.delete(WEB, {"preconditions": {"uid": "other"}})
    assert refused["code"] == 409
    assert "the UID in the precondition (other) does not match the UID in record" in refused["message"]
    assert client.delete(WEB, {"preconditions": {"resourceVersion": "1"}})["code"] == 409


def test_the_last_finalizer_lets_an_object_go(client):
    one = configmap("one")
    one["metadata"]["finalizers"] = ["example.com/wait"]
    client.post(CONFIGMAPS, one)
    assert client.delete(f"{CONFIGMAPS}/one")["metadata"]["deletionGracePeriodSeconds"] == 0
    client.patch(f"{CONFIGMAPS}/one", {"metadata": {"finalizers": None}})
    assert client.get(f"{CONFIGMAPS}/one")["code"] == 404


@pytest.mark.parametrize(
    ("policy", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")]
)
def test_a_policy_that_has_to_wait_is_a_finalizer(client, policy, finalizer):
    going = client.delete(WEB, {"propagationPolicy": policy})["metadata"]
    assert going["finalizers"] == [finalizer]
    assert client.get(WEB)["metadata"]["deletionTimestamp"]


def test_a_collection_goes_by_its_labels(client):
    client.post(CONFIGMAPS, configmap("a", {"x": "1"}))
    client.post(CONFIGMAPS, configmap("b", {"x": "2"}))
    gone = client.delete(CONFIGMAPS, labelSelector="x=1")
    assert (gone["kind"], [one["metadata"]["name"] for one in gone["items"]]) == ("ConfigMapList", ["a"])
    assert client.names(CONFIGMAPS) == ["b"]


def test_a_namespace_that_goes_takes_nothing_new(client):
    assert client.delete("/api/v1/namespaces/shop")["status"]["phase"] == "Terminating"
    refused = client.post(CONFIGMAPS, configmap("one"))
    assert refused["message"] == (
        'configmaps "one" is forbidden: unable to create new content in namespace shop because it is being '
        "terminated"
    )
    assert refused["details"]["causes"] == [
        {
            "reason": "NamespaceTerminating",
            "message": "namespace shop is being terminated",
            "field": "metadata.namespace",
        }
    ]


def test_the_default_namespace_stays(client):
    client.post("/api/v1/namespaces", {"metadata": {"name": "default"}})
    message = 'namespaces "default" is forbidden: this namespace may not be deleted'
    assert client.delete("/api/v1/namespaces/default")["message"] == message


def evicted(client):
    return client.post(f"{PODS}/one/eviction", {"metadata": {"name": "one"}})


def running(client, budget):
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    client.patch(f"{PODS}/one/status", {"status": status})
    spec = {"selector": {"matchLabels": {"app": "web"}}, "minAvailable": 1}
    client.post(BUDGETS, {"metadata": {"name": "most"}, "spec": spec})
    client.patch(f"{BUDGETS}/most/status", {"status": budget})


def test_an_eviction_within_the_budget_deletes_the_pod_and_is_counted(client):
    running(
        client,
        {"observedGeneration": 1, "disruptionsAllowed": 1, "currentHealthy": 2, "desiredHealthy": 1},
    )
    assert evicted(client)["code"] == 201
    gone = client.get(f"{PODS}/one")
    assert gone["metadata"]["deletionTimestamp"]
    assert gone["status"]["conditions"][-1]["type"] == "DisruptionTarget"
    assert client.get(f"{BUDGETS}/most")["status"]["disruptionsAllowed"] == 0


def test_an_eviction_that_the_budget_forbids_is_to_be_tried_later(client):
    running(
        client,
        {"observedGeneration": 1, "disruptionsAllowed": 0, "currentHealthy": 1, "desiredHealthy": 1},
    )
    refused = evicted(client)
    assert (refused["code"], refused["message"]) == (
        429,
        "Cannot evict pod as it would violate the pod's disruption budget.",
    )
    assert refused["details"]["causes"] == [
        {
            "reason": "DisruptionBudget",
            "message": "The disruption budget most needs 1 healthy pods and has 1 currently",
        }
    ]
