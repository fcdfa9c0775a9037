"""Room for more pods: which nodes take one, what a pod takes, what is short and which smaller release fits."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from deployctl.cli.planning import Asked, planned
from deployctl.cli.session import Subject
from deployctl.cluster.api import MERGE_PATCH, Denied, Request
from deployctl.prepare import guess
from deployctl.record import Record
from deployctl.room import for_release, on_nodes, room, short, taken, takes, told
from strategies.room import Need, Quota, Room
from tests.docs.pages import ROOT
from tests.sandbox.rehearsing import Scene, loaded

Json = dict[str, Any]


def node(name: str = "a", cpu: str = "1", taints: tuple[Json, ...] = (), **labels: str) -> Json:
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **labels}},
        "spec": {"taints": list(taints)},
        "status": {"allocatable": {"cpu": cpu, "memory": "4Gi", "pods": "20"}},
    }


def pod(cpu: str = "250m", on: str = "", phase: str = "Running", **spec: Any) -> Json:
    container = {"name": "app", "resources": {"requests": {"cpu": cpu, "memory": "64Mi"}}}
    return {
        "spec": {"containers": [container], **({"nodeName": on} if on else {}), **spec},
        "status": {"phase": phase},
    }


def taint(effect: str = "NoSchedule", value: str = "game") -> Json:
    return {"key": "team", "value": value, "effect": effect}


def affinity(*expressions: Json, key: str = "matchExpressions") -> Json:
    terms = [{key: list(expressions)}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return {"affinity": {"nodeAffinity": required}}


def expression(key: str, operator: str, *values: str) -> Json:
    return {"key": key, "operator": operator, "values": list(values)}


def test_what_the_pods_of_all_namespaces_request_is_taken() -> None:
    there = [pod("500m", on="a"), pod("250m", on="b"), pod("900m", on="b", phase="Succeeded"), pod("900m")]
    assert on_nodes(pod("250m"), [node("a"), node("b")], there) == 2 + 3


def test_a_node_has_only_so_many_places_however_small_the_pods() -> None:
    assert on_nodes(pod("1m"), [node()], []) == 20


def test_a_pod_takes_its_sidecars_its_overhead_and_what_it_starts_with() -> None:
    sidecar = {"name": "s", "restartPolicy": "Always", "resources": {"requests": {"cpu": "50m"}}}
    first = {"name": "i", "resources": {"limits": {"cpu": "2"}}}
    plain = pod(initContainers=[sidecar], overhead={"cpu": "10m"})["spec"]
    assert taken(plain) == {"cpu": 310, "memory": 64 * 2**20 * 1000, "pods": 1000}
    assert taken(pod(initContainers=[sidecar, first])["spec"])["cpu"] == 2050
    assert taken(pod(resources={"requests": {"cpu": "3"}})["spec"])["cpu"] == 3000


@pytest.mark.parametrize(
    ("one", "tolerations", "taken_so"),
    [
        (taint("PreferNoSchedule"), [], True),
        (taint(), [], False),
        (taint("NoExecute"), [], False),
        (taint(), [{"key": "team", "operator": "Exists"}], True),
        (taint(), [{"key": "team", "value": "game", "effect": "NoSchedule"}], True),
        (taint(), [{"key": "team", "value": "odds"}], False),
        (taint("NoExecute"), [{"key": "team", "value": "game", "effect": "NoSchedule"}], False),
        (taint(), [{"operator": "Exists"}], True),
    ],
)
def test_a_taint_that_is_not_tolerated_keeps_it_away(
    one: Json, tolerations: list[Json], taken_so: bool
) -> None:
    assert takes(node(taints=(one,)), pod(tolerations=tolerations)["spec"]) is taken_so


def test_a_cordoned_node_takes_none() -> None:
    cordoned = {**node(), "spec": {"unschedulable": True}}
    assert not takes(cordoned, pod()["spec"])


@pytest.mark.parametrize(
    ("wish", "taken_so"),
    [
        ({"nodeSelector": {"pool": "games"}}, True),
        ({"nodeSelector": {"pool": "odds"}}, False),
        (affinity(expression("pool", "In", "odds", "games")), True),
        (affinity(expression("pool", "NotIn", "games")), False),
        (affinity(expression("pool", "Exists"), expression("gpu", "DoesNotExist")), True),
        (affinity(expression("pool", "Exists"), expression("gpu", "Exists")), False),
        (affinity(expression("size", "Gt", "4")), True),
        (affinity(expression("size", "Lt", "4")), False),
        (affinity(expression("pool", "Gt", "4")), False),
        (affinity(expression("metadata.name", "In", "a"), key="matchFields"), True),
        (affinity(), False),
    ],
)
def test_its_labels_have_to_be_those_that_the_pod_wants(wish: Json, taken_so: bool) -> None:
    assert takes(node(pool="games", size="8"), pod(**wish)["spec"]) is taken_so


QUOTA = Quota("team", "requests.cpu", "4", 2)


def test_what_is_short_is_told_by_how_much() -> None:
    assert tuple(short(Room(3, (QUOTA,)), 6)) == (
        "quota team (requests.cpu 4) has room for 2 pods more, 4 short of 6",
        "the nodes have room for 3 pods more, 3 short of 6",
    )
    assert tuple(short(Room(6), 6)) == ()
    assert tuple(short(Room(None, unknown="no right"), 6)) == ()


@pytest.mark.parametrize(
    ("strategy", "nodes", "smaller"),
    [
        (
            "blueGreen",
            3,
            "previewReplicas: 3 fits until the traffic shifts, which needs all 6; rolling with batch: 3 fits throughout",
        ),
        ("blueGreen", 0, "rolling with surge: 0 needs none, and serves with a batch less meanwhile"),
        ("rolling", 1, "batch: 1 fits"),
        ("rolling", 0, "surge: 0 needs none, and serves with a batch less meanwhile"),
    ],
)
def test_the_smaller_release_that_fits_is_named(strategy: str, nodes: int, smaller: str) -> None:
    [told_so] = for_release(Room(nodes), strategy, Need(6, 6))
    assert told_so.partition("; ")[2] == smaller


@pytest.mark.parametrize(
    ("more", "smaller"),
    [
        (3, "batch: 1 fits"),
        (1, "surge: 0 and batch: 1 fits, and serves with a batch less meanwhile"),
        (0, "nothing fits a quota that is full"),
    ],
)
def test_a_quota_counts_a_batch_twice_for_the_old_pods_that_go(more: int, smaller: str) -> None:
    [told_so] = for_release(Room(9, (Quota("team", "pods", "9", more),)), "rolling", Need(2, 4))
    short_of = (
        f"quota team (pods 9) has room for {more} pod{'' if more == 1 else 's'} more, {4 - more} short of 4"
    )
    assert told_so == f"{short_of}, for a pod that goes counts until it is gone; {smaller}"


def test_what_is_not_known_is_said() -> None:
    assert told(Room(None, unknown="no right to list nodes")) == "not known: no right to list nodes"
    assert told(Room(3, uncounted=("podAntiAffinity",))) == "podAntiAffinity not counted"
    assert told(Room(3)) == ""


class Narrow:
    """An API for somebody who may not list nodes."""

    def __init__(self, scene: Scene) -> None:
        self._api = scene.api

    def get(self, where: str, **query: str) -> Json:
        if where.endswith("/nodes"):
            raise Denied(403, "nodes is forbidden")
        return self._api.get(where, **query)

    def send(self, request: Request) -> Json:
        return self._api.send(request)


def test_without_the_right_to_list_nodes_nothing_is_said_of_them() -> None:
    scene = Scene()
    api: Any = Narrow(scene)
    found = room(api, guess(scene.api, "balances"), scene.get("deployments")["spec"]["template"])
    assert (found.nodes, found.unknown) == (None, "no right to list nodes and pods of all namespaces")


def test_a_cluster_says_how_many_more_its_nodes_and_its_quota_take() -> None:
    scene = Scene()
    names, template = guess(scene.api, "balances"), scene.get("deployments")["spec"]["template"]
    found = room(scene.api, names, template)
    assert found.nodes is not None
    assert found.nodes > 6
    scene.api.create(
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "small", "namespace": "igaming"},
            "spec": {"hard": {"pods": "8"}},
        }
    )
    scene.world.pass_time(10)
    assert room(scene.api, names, template).more == 2


def test_a_release_that_finds_no_room_is_warned_of_by_its_plan() -> None:
    scene = Scene()
    [only] = scene.api.get("/api/v1/nodes")["items"]
    where = f"/api/v1/nodes/{only['metadata']['name']}/status"
    scene.api.send(Request("PATCH", where, {"status": {"allocatable": {"pods": "9"}}}, MERGE_PATCH))
    kept = Record(scene.api, "igaming", "balances").read()
    whole = loaded("balances")
    subject = Subject(whole.apps[0], whole.objects[0], kept)
    plan = planned(
        scene.api, subject, Asked(["any/image:2"], restart=False, promote="", wait="finished")
    ).plan
    assert any(
        one.startswith("the nodes have room for 3 pods more, 3 short of 6; previewReplicas: 3")
        for one in plan.warnings
    )


def test_the_cluster_role_gives_what_is_read_and_no_more() -> None:
    [rules] = [yaml.safe_load((ROOT / "manifests/rbac/room.yaml").read_text())["rules"]]
    given = {(resource, *rule["verbs"]) for rule in rules for resource in rule["resources"]}
    assert given == {("nodes", "list"), ("pods", "list")}
