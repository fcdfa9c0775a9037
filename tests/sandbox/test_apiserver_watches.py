"""What a watch tells: what is there, what comes, leaves and goes, and that it has missed something."""

from __future__ import annotations

import pytest

from tests.sandbox.calling import CONFIGMAPS, PODS, Client, configmap, pod


@pytest.fixture
def client():
    made = Client()
    made.post(CONFIGMAPS, configmap("one", {"tier": "front"}))
    return made


def told(watch):
    return [(one["type"], one["object"]["metadata"].get("name")) for one in watch.take()]


def newest(client):
    return {"resourceVersion": str(client.store.version)}


@pytest.mark.parametrize("version", ["", "0"])
def test_without_a_version_what_is_there_comes_first(client, version):
    watch = client.watch(CONFIGMAPS, resourceVersion=version)
    client.post(CONFIGMAPS, configmap("two"))
    assert told(watch) == [("ADDED", "one"), ("ADDED", "two")]
    assert told(watch) == []


def test_from_a_version_on_there_are_only_changes(client):
    watch = client.watch(CONFIGMAPS, **newest(client))
    client.patch(f"{CONFIGMAPS}/one", {"data": {"a": "b"}})
    client.delete(f"{CONFIGMAPS}/one")
    assert told(watch) == [("MODIFIED", "one"), ("DELETED", "one")]


def test_what_enters_a_selection_is_new_and_what_leaves_it_is_gone(client):
    watch = client.watch(CONFIGMAPS, labelSelector="tier=back", **newest(client))
    client.patch(f"{CONFIGMAPS}/one", {"metadata": {"labels": {"tier": "back"}}})
    client.patch(f"{CONFIGMAPS}/one", {"data": {"a": "b"}})
    client.patch(f"{CONFIGMAPS}/one", {"metadata": {"labels": {"tier": "front"}}})
    client.delete(f"{CONFIGMAPS}/one")
    assert told(watch) == [("ADDED", "one"), ("MODIFIED", "one"), ("DELETED", "one")]


def test_the_last_of_what_leaves_is_as_it_was_before_with_the_version_of_its_leaving(client):
    watch = client.watch(CONFIGMAPS, labelSelector="tier=front", **newest(client))
    client.patch(f"{CONFIGMAPS}/one", {"metadata": {"labels": {"tier": "back"}}})
    (event,) = watch.take()
    meta = event["object"]["metadata"]
    assert (meta["labels"], meta["resourceVersion"]) == ({"tier": "front"}, str(client.store.version))


def test_other_namespaces_are_not_told(client):
    client.post("/api/v1/namespaces", {"metadata": {"name": "other"}})
    watch = client.watch(CONFIGMAPS, **newest(client))
    client.post("/api/v1/namespaces/other/configmaps", configmap("two"))
    assert told(watch) == []


def test_a_forgotten_version_is_an_error_in_the_stream_and_its_end(client):
    client.store.forget()
    watch = client.watch(CONFIGMAPS, resourceVersion="1")
    client.post(CONFIGMAPS, configmap("two"))
    (event,) = watch.take()
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
    assert event["object"]["message"] == "too old resource version: 1 (102)"
    assert watch.ended


def test_bookmarks_come_every_minute_and_before_the_end(client):
    watch = client.watch(CONFIGMAPS, allowWatchBookmarks="true", timeoutSeconds="100", **newest(client))
    client.now += 60
    client.post(PODS, pod("web"))
    (bookmark,) = watch.take()
    assert bookmark == {
        "type": "BOOKMARK",
        "object": {
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "metadata": {"resourceVersion": str(client.store.version)},
        },
    }
    client.now += 38
    assert [one["type"] for one in watch.take()] == ["BOOKMARK"]
    assert not watch.ended
    client.now += 2
    assert (watch.take(), watch.ended) == ([], True)


def test_a_list_can_be_had_as_a_watch_that_tells_where_it_ends(client):
    query = {
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
    }
    first, last = client.watch(CONFIGMAPS, **query).take()
    assert first["type"] == "ADDED"
    assert last["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_initial_events_without_a_match_are_refused(client):
    refused = client.get(CONFIGMAPS, watch="1", sendInitialEvents="true")
    assert refused["message"] == (
        'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires '
        "setting resourceVersionMatch to NotOlderThan"
    )


def test_a_table_names_its_columns_once(client):
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    from deployctl.sandbox.calls import Call

    watch = client.server.call(Call("GET", CONFIGMAPS, {"watch": "true"}, accept=accept))
    client.post(CONFIGMAPS, configmap("two"))
    first, second = watch.take()
    assert first["object"]["columnDefinitions"][0]["name"] == "Name"
    assert second["object"]["columnDefinitions"] is None
    assert [one["object"]["rows"][0]["cells"][0] for one in (first, second)] == ["one", "two"]
