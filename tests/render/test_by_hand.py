"""The commands that go back without deployctl. That they work is shown on the real cluster (tests/cluster/test_look.py)."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace

import msgspec

from deployctl.by_hand import ByHand
from deployctl.consumes import Consumes
from deployctl.memory import ANNOTATION, PREVIEW_OF
from deployctl.observe import Snapshot
from tests.render import objects
from tests.render.objects import NEW, OLD, dark, in_flight, shifted, waiting


def commands(look: Snapshot) -> tuple[str, ...]:
    memory = look.memory
    assert memory
    return ByHand("kubectl -n igaming", look, memory).commands()


def verbs(look: Snapshot) -> list[str]:
    return [" ".join(one.removeprefix("kubectl -n igaming ").split()[:2]) for one in commands(look)]


def test_before_the_flip_the_deployment_goes_first_and_the_pin_comes_off_last() -> None:
    assert verbs(waiting()) == ["patch deployment", "rollout status", "patch service", "annotate replicasets"]


def test_after_the_flip_the_traffic_goes_first() -> None:
    assert verbs(shifted())[:3] == ["patch service", "sleep 3", "patch deployment"]
    assert f'{{"selector":{{"pod-template-hash":"{OLD}"}}}}' in commands(shifted())[0]


def test_a_stable_side_that_is_not_whole_gets_no_pin() -> None:
    """One old pod of three could not carry the load: both sides serve instead."""
    look = replace(shifted(), pods=(objects.pod(OLD, 0), *objects.pods(NEW, 3)))
    assert '{"selector":{"pod-template-hash":null}}' in commands(look)[0]


def test_dark_pods_are_first_to_go_before_every_pod_serves() -> None:
    assert verbs(dark()) == [
        "annotate pods",
        "patch deployment",
        "sleep 2",
        "patch service",
        "rollout status",
        "label pods",
        "annotate pods",
        "annotate replicasets",
    ]
    assert f"-l 'pod-template-hash={NEW},!deployctl.dev/serving'" in commands(dark())[0]


def test_one_patch_puts_back_the_template_and_the_users_own_settings() -> None:
    patch = commands(waiting())[0]
    assert f"get replicaset wallet-{OLD} -o jsonpath='{{.spec.template}}'" in patch
    _, _, ops = patch.partition(" -p '")
    ops = ops.removesuffix("'").replace(ops[ops.index("'\"$(") : ops.index(")\"'") + 3], "{}")
    written = {one["path"]: one.get("value") for one in json.loads(ops)}
    assert written["/spec/minReadySeconds"] == 0
    assert written["/spec/progressDeadlineSeconds"] == 600
    assert written["/spec/strategy"] == in_flight().own.strategy
    assert written["/spec/paused"] is False
    assert "/metadata/annotations/deployctl.dev~1release" in written
    assert "/spec/template/metadata/labels/pod-template-hash" in written


def fronted(**labels: str) -> Snapshot:
    """Blue-green before the flip, with a preview Service."""
    look = waiting()
    kept = msgspec.structs.replace(in_flight(), preview_service="wallet-preview")
    front = objects.service(pod_template_hash=NEW)
    meta = {"name": "wallet-preview", "labels": labels, "annotations": {ANNOTATION: kept.dump()}}
    return replace(look, deployment=objects.deployment(memory=kept), others=({**front, "metadata": meta},))


def test_a_preview_service_of_ours_is_deleted() -> None:
    made = commands(fronted(**{PREVIEW_OF: "wallet"}))
    assert "kubectl -n igaming delete service wallet-preview" in made


def test_a_preview_service_of_the_users_is_unpinned() -> None:
    [unpinned] = [one for one in commands(fronted()) if "service wallet-preview" in one]
    assert '{"spec":{"selector":{"pod-template-hash":null}},"metadata":{"annotations":' in unpinned


def test_without_the_old_replica_set_there_is_no_way_by_hand() -> None:
    look = waiting()
    assert commands(replace(look, replica_sets=look.replica_sets[1:])) == ()


def test_the_consumers_of_stable_are_told_once_those_of_the_preview_have_ended(tmp_path) -> None:
    page = Consumes(mode="handOver", path="/internal/consume", port=8080, at_start="paused")
    look = shifted()
    memory = msgspec.structs.replace(look.memory, consumes=page)
    told = ByHand(f"{tmp_path}/kubectl -n igaming", look, memory).commands()
    wait, tell = told[-3:-1]
    assert f"wait --for=delete pods -l 'app=wallet,pod-template-hash={NEW}'" in wait
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(
        '#!/bin/sh\ncase "$*" in *"get pods"*) echo one two;; *) echo "called $*"; cat;; esac\n'
    )
    kubectl.chmod(0o755)
    done = subprocess.run(["/bin/sh", "-c", tell], text=True, capture_output=True, check=True)
    where, order, *_ = done.stdout.splitlines()
    assert where == (
        "called -n igaming create --raw /api/v1/namespaces/igaming/pods/one:8080/proxy/internal/consume -f -"
    )
    assert json.loads(order)["consume"] is True
    assert json.loads(order)["seal"] > f"{memory.at}/{memory.fence:06}"
    assert len(done.stdout.splitlines()) == 4
