"""The preview's own Service on a real cluster: made or borrowed, reached before it has traffic, put back."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.bed.cluster import Cluster
from tests.cluster.platform import App, grant
from tests.cluster.running import as_before, begun, under_load
from tests.cluster.small import refused, small

Json = dict[str, Any]
FRONT = "balances-preview"


@pytest.fixture
def app(cluster: Cluster, namespace: str, tmp_path: Path) -> App:
    """A small blue-green app of the test's own, not yet installed."""
    grant(cluster, namespace)
    return small(cluster, namespace, tmp_path)


@pytest.fixture
def shown(app: App) -> App:
    """The same with a preview Service, waiting for a person before the shift."""
    app.strategy(previewService=FRONT, promoteAfter="5m", keepOld="1s")
    return app.install()


def names(app: App) -> list[str]:
    found = app.cluster.json("get", "-n", app.namespace, "services")["items"]
    return [one["metadata"]["name"] for one in found]


def asked(app: App, service: str) -> str:
    """Ask a Service at its address; give the revision that answers, or nothing."""
    found = app.get("service", service)["spec"]
    where = f"http://{found['clusterIP']}:{found['ports'][0]['port']}/"
    code = f"import urllib.request as u; print(u.urlopen('{where}', timeout=3).read().decode())"
    done = app.cluster.run([sys.executable, "-c", code])
    return str(yaml.safe_load(done.stdout)["revision"]) if done.returncode == 0 else ""


def test_the_preview_is_reached_at_its_own_service_before_it_has_traffic(shown: App) -> None:
    app = shown
    with under_load(app):
        running = begun(app, says="promoteAfter")
        assert f"show the preview {app.hash_of('r2')} at Service {FRONT}" in running.story
        made = app.get("service", FRONT)
        assert made["spec"]["selector"]["pod-template-hash"] == app.hash_of("r2")
        assert made["spec"]["ports"][0]["port"] == app.get("service")["spec"]["ports"][0]["port"]
        app.cluster.wait(lambda: asked(app, FRONT) == "r2", what="an answer of the preview")
        assert {asked(app, FRONT) for _ in range(5)} == {"r2"}
        assert {asked(app, "balances") for _ in range(5)} == {"r1"}
        assert running.goes_on("promote") == 0, running.story
        assert (names(app), app.live_revisions()) == (["balances"], {"r2": 2})
    assert as_before(app)


def test_it_is_gone_after_a_gate_that_said_no(shown: App) -> None:
    app = shown
    app.env(HEALTHZ_STATUS="500")
    with under_load(app):
        done = app.release()
        assert (done.returncode, names(app)) == (3, ["balances"]), done.stderr
    assert f"put Service {FRONT} back as it was before" in done.stderr
    assert as_before(app)


@pytest.mark.parametrize("words", [("promote", "resume"), ("abort",)], ids=" ".join)
def test_another_process_puts_it_back(shown: App, words: tuple[str, ...]) -> None:
    """Promote leaves a wish while the dead one's lease is fresh; resume waits for the lease to end."""
    app = shown
    with under_load(app):
        begun(app, says="promoteAfter").dies()
        assert FRONT in app.run("status", app.name).stdout
        ended = [app.run(word, app.name) for word in words][-1]
        assert (ended.returncode, names(app)) == (0, ["balances"]), ended.stderr
    assert as_before(app)


def test_the_way_back_by_hand_deletes_it(shown: App) -> None:
    app = shown
    begun(app, says="promoteAfter").dies()
    told = yaml.safe_load(app.run("status", app.name, "-o", "json").stdout)["byHand"]
    assert [one for one in told if one.endswith(f" delete service {FRONT}")]
    assert app.run("abort", app.name).returncode == 0


def users(app: App, change: Callable[[Json], None] = lambda _: None) -> Json:
    """Give the user a Service of that name; give it as the API has it."""
    one = yaml.safe_load((app.folder / "service.yaml").read_text())
    one["metadata"] = {"name": FRONT, "labels": {"team": "wallets"}, "annotations": {"note": "for testers"}}
    change(one)
    app.cluster.kubectl("create", "-n", app.namespace, "-f", "-", input=yaml.safe_dump(one))
    return kept(app)


def kept(app: App) -> Json:
    one = copy.deepcopy(app.get("service", FRONT))
    for key in ("resourceVersion", "managedFields"):
        one["metadata"].pop(key, None)
    return one


def test_one_of_the_users_own_is_only_pinned_and_is_afterwards_as_it_was(shown: App) -> None:
    app = shown
    before = users(app)
    with under_load(app):
        running = begun(app, says="promoteAfter")
        assert app.get("service", FRONT)["spec"]["selector"]["pod-template-hash"] == app.hash_of("r2")
        app.cluster.wait(lambda: asked(app, FRONT) == "r2", what="an answer of the preview")
        assert "is not listed" not in running.story
        assert running.goes_on("promote") == 0, running.story
    assert kept(app) == before
    assert as_before(app)


def test_what_others_do_to_it_is_mended(shown: App) -> None:
    app = shown
    with under_load(app):
        running = begun(app, says="promoteAfter")
        app.kubectl("delete", "service", FRONT)
        running.told(f"at Service {FRONT}")
        app.kubectl(
            "patch",
            "service",
            FRONT,
            "--type=merge",
            "-p",
            '{"spec":{"selector":{"pod-template-hash":null}}}',
        )
        running.told(f"at Service {FRONT}")
        assert running.goes_on("promote") == 0, running.story
        assert names(app) == ["balances"]
    assert as_before(app)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"selector": {"app": "other"}, "ports": [{"port": 80}]}, "selects app=other, which no pod"),
        ({"type": "ExternalName", "externalName": "example.org"}, "is an ExternalName"),
    ],
    ids=["another app's", "external"],
)
def test_a_name_that_is_taken_is_refused(shown: App, spec: Json, says: str) -> None:
    users(shown, lambda one: one.update(spec=spec))
    shown.env(REVISION="r2")
    refused(shown, 2, f"previewService {FRONT} is taken", says)


def test_a_quota_without_room_for_a_service_is_told_before_anything_is_touched(shown: App) -> None:
    shown.kubectl("create", "quota", "few", "--hard=services=1")
    shown.cluster.wait(lambda: shown.get("quota", "few")["status"].get("used"), what="the quota's count")
    shown.env(REVISION="r2")
    refused(shown, 2, f"previewService {FRONT} is refused", "exceeded quota: few")


def test_without_a_preview_service_its_rights_are_not_asked_for(app: App, cluster: Cluster) -> None:
    app.install()
    app.env(REVISION="r2")
    cluster.kubectl("replace", "-n", app.namespace, "-f", "-", input=yaml.safe_dump(lesser(app)))
    assert app.release().returncode == 0
    app.strategy(previewService=FRONT)
    app.env(REVISION="r3")
    refused(app, 7, f"not allowed in namespace {app.namespace}: create services, delete services\n")
    assert "delete services" in app.run("plan", str(app.spec)).stdout


def lesser(app: App) -> Json:
    """Give the Role as it is in the cluster, less what only a preview Service needs."""
    role = app.get("role", "deployctl")
    role["rules"] = [
        one
        for one in role["rules"]
        if (one["resources"], one["verbs"]) != (["services"], ["create", "delete"])
    ]
    return role
