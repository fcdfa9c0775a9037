"""Reads: objects, lists, selectors, pages, watches."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contracts.cluster.objects import config_map, deployment
from tests.contracts.cluster.probe import Probe


def _three(p: Probe) -> None:
    p.make("configmaps", config_map("a", {"tier": "web", "canary": "yes"}))
    p.make("configmaps", config_map("b", {"tier": "web"}))
    p.make("configmaps", config_map("c", {"tier": "db"}))


def _names(p: Probe, **query: Any) -> list[str]:
    found = p.get("configmaps", **query)["items"]
    return [one["metadata"]["name"] for one in found if one["metadata"]["name"] != "kube-root-ca.crt"]


def _events(lines: list[str]) -> list[Any]:
    return [json.loads(line) for line in list(lines)]


def _kinds(lines: list[str]) -> list[str]:
    return [f"{one['type']} {one['object']['metadata'].get('name', '')}" for one in _events(lines)]


def what_is_not_there_is_404(p: Probe) -> None:
    """A read of what is not there is a 404 whose details name it; so is a kind or a subresource that is not."""
    p.see(p.get("deployments", "none"))
    p.see(p.get("pods", "none"))
    p.see(p.get("pods", "none", "log"))
    p.see(p.get("gadgets", "none"))
    p.see(p.send("GET", "/apis/gadgets.example.com/v1/gadgets"))


def a_token_that_is_nobodys_is_401(p: Probe) -> None:
    """The server does not say what was wrong with it."""
    p.see(p.as_nobody(p.path("deployments")))
    p.see(p.as_nobody("/version"))


def an_object_has_its_kind_in_an_answer(p: Probe) -> None:
    """A single object says its kind and version; one in a list does not."""
    p.make("configmaps", config_map("a", {"tier": "web"}, key="value"))
    p.see(p.get("configmaps", "a"))
    p.see(p.get("configmaps", labelSelector="tier=web"))
    p.see(p.get("leases"))


def a_list_of_none_has_no_items(p: Probe) -> None:
    """A namespace that nobody made lists like an empty one."""
    p.see(p.send("GET", "/apis/apps/v1/namespaces/nobody-made-this/deployments"))


def label_selectors_choose(p: Probe) -> None:
    """Equality, sets, existence and their opposites; several are all to hold."""
    _three(p)
    for one in (
        "tier=web", "tier==web", "tier!=web", "canary", "!canary", "tier in (web,db)", "tier notin (web)",
        "tier=web,!canary", "tier=web,canary=yes", "tier in (db),canary", "none=x", "canary notin (no)",
    ):  # fmt: skip
        p.note(one, _names(p, labelSelector=one))


def a_selector_that_cannot_be_read_is_400(p: Probe) -> None:
    """The server says where it stopped to understand a selector."""
    for one in ("a=b=c", "a in b", "tier in (", "-a-=b", "a=$", ",", "a b"):
        p.see(p.get("configmaps", labelSelector=one))


def field_selectors_choose_by_name(p: Probe) -> None:
    """Every kind can be chosen by metadata.name; an unknown field is a 400."""
    _three(p)
    p.note("metadata.name=b", _names(p, fieldSelector="metadata.name=b"))
    p.note("metadata.name!=b", _names(p, fieldSelector="metadata.name!=b"))
    p.note("both", _names(p, fieldSelector="metadata.name=b", labelSelector="tier=db"))
    p.see(p.get("configmaps", fieldSelector="data.key=x"))
    p.see(p.get("deployments", fieldSelector="spec.replicas=1"))
    p.see(p.get("configmaps", fieldSelector="metadata.name"))


def pods_can_be_chosen_by_phase(p: Probe) -> None:
    """Pods know status.phase and spec.nodeName as fields to select by."""
    p.see(p.get("pods", fieldSelector="status.phase=Running"), "items")
    p.see(p.get("pods", fieldSelector="spec.nodeName!=x,status.phase!=Failed"), "items")
    p.see(p.get("pods", fieldSelector="spec.hostname=x"))


def a_list_comes_in_pages(p: Probe) -> None:
    """`limit` gives a page and a token for the next one; how many are left is told without a selector only."""
    for name in "abcde":
        p.make("leases", {"metadata": {"name": name, "labels": {"of": "pages"}}})
    first = p.see(p.get("leases", limit=2), "metadata.continue", "metadata.remainingItemCount")
    p.note("first", [one["metadata"]["name"] for one in first["items"]])
    second = p.get("leases", limit=2, **{"continue": first["metadata.continue"]})
    p.note("second", [one["metadata"]["name"] for one in second["items"]])
    p.note("one version", second["metadata.resourceVersion"] == first["metadata.resourceVersion"])
    last = p.get("leases", limit=2, **{"continue": second["metadata.continue"]})
    p.note("last", [[one["metadata"]["name"] for one in last["items"]], last["metadata.continue"]])
    p.see(p.get("leases", limit=2, labelSelector="of=pages"), "metadata.remainingItemCount")
    p.note("no limit", p.get("leases")["metadata.continue"])


def a_token_that_cannot_be_read_is_400(p: Probe) -> None:
    """A continue token is the server's own, and goes with no resourceVersion."""
    p.see(p.get("leases", limit=1, **{"continue": "nonsense"}))
    p.see(p.get("leases", limit="many"))


def a_read_may_ask_for_a_version(p: Probe) -> None:
    """resourceVersion 0 is any version, one from the future is a 504 after some seconds, and nonsense a 400."""
    _three(p)
    p.see(p.get("configmaps", labelSelector="tier=db", resourceVersion="0"), "kind", "apiVersion")
    p.see(p.get("configmaps", resourceVersion="nonsense"))
    p.see(p.get("configmaps", resourceVersionMatch="Exact"))
    p.see(p.get("configmaps", resourceVersion="1", resourceVersionMatch="Sometimes"))


def a_watch_from_a_version_brings_what_came_after(p: Probe) -> None:
    """A watch goes on from the list's version: added, modified and deleted, each with the object whole."""
    _three(p)
    since = p.get("configmaps")["metadata.resourceVersion"]
    watch = p.watch(p.path("configmaps"), resourceVersion=since)
    p.make("configmaps", config_map("d", key="1"))
    p.patch("configmaps", "d", {"data": {"key": "2"}})
    p.delete("configmaps", "a")
    p.until(lambda: len(watch.lines) >= 3, "three events")
    p.note("events", _kinds(watch.lines))
    p.note("the last state of what was deleted", _events(watch.lines)[2]["object"])


def a_deletion_is_an_event_with_a_version_of_its_own(p: Probe) -> None:
    """What a watch says of a deleted object carries the version of the deletion, not its last one."""
    made = p.make("configmaps", config_map("a"))
    since = made["metadata"]["resourceVersion"]
    watch = p.watch(p.path("configmaps"), resourceVersion=since)
    p.delete("configmaps", "a")
    p.until(lambda: watch.lines, "an event")
    event = _events(watch.lines)[0]
    p.note("event", [event["type"], int(event["object"]["metadata"]["resourceVersion"]) > int(since)])


def a_watch_without_a_version_begins_with_what_is_there(p: Probe) -> None:
    """Without a resourceVersion, or with 0, a watch first brings every object as ADDED."""
    _three(p)
    for version in ({}, {"resourceVersion": "0"}):
        watch = p.watch(p.path("configmaps"), labelSelector="tier", **version)
        p.until(lambda watch=watch: len(watch.lines) >= 3, "three objects")
        p.make("configmaps", config_map(f"d{len(version)}", {"tier": "new"}))
        p.until(lambda watch=watch: len(watch.lines) >= 4, "the new one")
        p.note(str(version), sorted(_kinds(watch.lines)[:3]) + _kinds(watch.lines)[3:])
        p.delete("configmaps", f"d{len(version)}")


def a_watch_with_a_selector_tells_who_comes_and_goes(p: Probe) -> None:
    """An object that begins to match is ADDED, one that stops to match is DELETED."""
    _three(p)
    since = p.get("configmaps")["metadata.resourceVersion"]
    watch = p.watch(p.path("configmaps"), resourceVersion=since, labelSelector="tier=web")
    p.patch("configmaps", "c", {"metadata": {"labels": {"tier": "web"}}})
    p.patch("configmaps", "c", {"data": {"key": "1"}})
    p.patch("configmaps", "b", {"metadata": {"labels": {"tier": "db"}}})
    p.patch("configmaps", "b", {"data": {"key": "1"}})
    p.delete("configmaps", "a")
    p.until(lambda: len(watch.lines) >= 4, "four events")
    p.note("events", _kinds(watch.lines))


def a_watch_of_one_name_tells_of_that_only(p: Probe) -> None:
    """deployctl watches its Deployment by a field selector."""
    since = p.get("deployments")["metadata.resourceVersion"]
    watch = p.watch(p.path("deployments"), resourceVersion=since, fieldSelector="metadata.name=web")
    p.make("deployments", deployment("other", replicas=0))
    p.make("deployments", deployment("web", replicas=0))
    p.until(lambda: watch.lines, "an event")
    p.note("first", _kinds(watch.lines)[0])


def a_watch_can_begin_with_a_whole_list(p: Probe) -> None:
    """sendInitialEvents brings the objects, then a bookmark that says that these were all."""
    _three(p)
    query = {
        "sendInitialEvents": "true",
        "allowWatchBookmarks": "true",
        "resourceVersionMatch": "NotOlderThan",
    }
    watch = p.watch(p.path("configmaps"), labelSelector="tier", **query)
    p.until(lambda: len(watch.lines) >= 4, "three objects and the bookmark")
    p.note("events", sorted(_kinds(watch.lines)[:3]) + _kinds(watch.lines)[3:])
    p.note("bookmark", _events(watch.lines)[3])


def a_watch_from_too_old_a_version_is_gone(p: Probe) -> None:
    """The version is not remembered: an ERROR event with a Status of 410, in a stream that was 200."""
    watch = p.watch(p.path("configmaps"), resourceVersion="1")
    p.until(lambda: watch.lines, "an event")
    events = _events(watch.lines)
    if events[0]["type"] == "ADDED":
        pytest.skip("this cluster is so young that it still remembers its first version")
    p.note("events", [{**one, "object": {**one["object"], "message": "..."}} for one in events])


def a_watch_may_not_ask_for_nonsense(p: Probe) -> None:
    """A watch from a version that is none is a 400, before anything is streamed."""
    p.see(p.get("configmaps", watch="true", resourceVersion="nonsense"))
    p.see(p.get("configmaps", watch="true", sendInitialEvents="true"))


def a_watch_ends_when_it_was_asked_to(p: Probe) -> None:
    """timeoutSeconds ends a watch; one that allows bookmarks may have had one by then."""
    since = p.get("leases")["metadata.resourceVersion"]
    watch = p.watch(p.path("leases"), resourceVersion=since, timeoutSeconds="2")
    p.until(lambda: watch.ended, "the end", 10)
    p.note("lines", watch.lines)


def a_list_of_other_kinds_of_answer(p: Probe) -> None:
    """What nobody can give is a 406; the part after a `;` counts."""
    p.see(p.send("GET", p.path("configmaps"), None, "", "text/html"))
    p.see(p.send("GET", p.path("configmaps", "none"), None, "", "*/*"))


def a_table_is_given_to_who_asks_for_one(p: Probe) -> None:
    """kubectl asks for a Table; each row has the metadata of its object."""
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    p.make("deployments", deployment(replicas=0))
    p.until(lambda: p.get("deployments", "web")["status.observedGeneration"] == 1, "the controller")
    p.see(p.send("GET", p.path("deployments"), None, "", accept))
    p.see(p.send("GET", p.path("leases"), None, "", accept))


def metadata_alone_is_given_to_who_asks_for_it(p: Probe) -> None:
    """A PartialObjectMetadata is an object without its content."""
    p.make("configmaps", config_map("a", {"tier": "web"}, key="value"))
    accept = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json"
    p.see(p.send("GET", p.path("configmaps", "a"), None, "", accept))


def the_version_is_told(p: Probe) -> None:
    """`/version` has major and minor as text, by which deployctl refuses a cluster that is too old."""
    p.see(p.send("GET", "/version"), "major", "minor", "gitVersion")
    p.see(p.send("GET", "/healthz"))
    p.see(p.send("GET", "/readyz"))


def what_a_group_serves_is_told(p: Probe) -> None:
    """Discovery names each kind with its verbs, short names and subresources."""
    listed = p.send("GET", "/apis/apps/v1")["resources"]
    p.note("apps", [one for one in listed if one["name"].split("/")[0] in ("deployments", "replicasets")])
    core = p.send("GET", "/api/v1")["resources"]
    ours = (
        "pods",
        "services",
        "configmaps",
        "namespaces",
        "events",
        "pods/proxy",
        "pods/log",
        "pods/eviction",
    )
    p.note("core", [one for one in core if one["name"] in ours])
    p.note("versions", p.send("GET", "/api").body["versions"])
