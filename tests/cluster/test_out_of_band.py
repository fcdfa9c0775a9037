"""What other people do to an app in mid-release: told with who, what and when, and no request is lost to it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.cluster.platform import App
from tests.cluster.running import Running, as_before, begun, under_load

Json = dict[str, Any]


def patch(app: App, kind: str, body: str) -> None:
    app.kubectl("patch", kind, app.name, "--type", "merge", "-p", body)


def graceful(app: App) -> App:
    """Give the first revision a preStop: what scaling down takes away is Kubernetes' own business."""

    def change(deployment: Json) -> None:
        box = deployment["spec"]["template"]["spec"]["containers"][0]
        box["lifecycle"] = {"preStop": {"sleep": {"seconds": 5}}}

    app.edit("deployment.yaml", change)
    return app


def scaled(app: App, replicas: int) -> None:
    app.kubectl("scale", f"deployment/{app.name}", f"--replicas={replicas}")
    app.before["deployment"]["spec"]["replicas"] = replicas


@pytest.fixture
def before_the_shift(balances: App) -> App:
    """Blue-green: the preview is gated and waits for promoteAfter until somebody promotes it."""
    balances.strategy(promoteAfter="5m", keepOld="1s")
    return graceful(balances).install()


@pytest.fixture
def after_the_shift(balances: App) -> App:
    """Blue-green: the old side is kept until somebody finishes."""
    balances.strategy(keepOld="5m")
    return graceful(balances).install()


@pytest.fixture
def in_mid_walk(sessions: App) -> App:
    """Rolling: each batch of two bakes for three seconds."""
    sessions.strategy(bake="3s")
    return graceful(sessions).install()


def test_an_edited_template_is_inert_while_the_preview_waits_and_is_offered_as_the_next_release(
    before_the_shift: App,
) -> None:
    app = before_the_shift
    with under_load(app):
        running = begun(app, says="promoteAfter")
        app.kubectl("set", "image", f"deployment/{app.name}", "app=localhost/igaming:2")
        running.told("kubectl-set at")
        assert (
            "wrote image of app: localhost/igaming:1 -> localhost/igaming:2; stored and inert"
            in running.story
        )
        app.kubectl("set", "env", f"deployment/{app.name}", "MODE=quick")
        running.told("env MODE of app: nothing -> quick")
        assert "resume it first" in app.kubectl("rollout", "undo", f"deployment/{app.name}", check=False)
        assert "rollout resume first" in app.kubectl(
            "rollout", "restart", f"deployment/{app.name}", check=False
        )
        assert app.live_revisions() == {"r1": 6, "r2": 5}
        assert running.goes_on("promote") == 0, running.story
        assert app.live_revisions() == {"r2": 6}
    assert "next: change the manifest, then deployctl release FILE" in running.story
    assert as_before(app)


def test_an_edited_image_is_released_by_the_command_that_was_offered(after_the_shift: App) -> None:
    app = after_the_shift
    with under_load(app, keepalive=True):
        running = begun(app, says="keepOld")
        app.kubectl("set", "image", f"deployment/{app.name}", "app=localhost/igaming:2")
        running.told("stored and inert")
        assert running.goes_on("finish") == 0, running.story
        last = running.story.strip().splitlines()[-1]
        assert last == f"  next: deployctl release {app.name} --image app=localhost/igaming:2"
        following = Running(app, "release", app.name, "--image", "app=localhost/igaming:2")
        following.told("keepOld")
        assert following.goes_on("finish") == 0, following.story
    assert (
        app.get("deployment")["spec"]["template"]["spec"]["containers"][0]["image"] == "localhost/igaming:2"
    )
    assert as_before(app)


def test_an_edit_while_a_step_is_under_way_lets_nothing_in(balances: App) -> None:
    balances.env(READY_AFTER="3s")
    app = balances.install()
    with app.load() as load:
        running = begun(app, says="of 5 pods ready")
        app.kubectl("set", "env", f"deployment/{app.name}", "REVISION=foreign")
        running.told("wrote env REVISION of app: r2 -> foreign; put back")
        assert (running.ends(), app.live_revisions()) == (0, {"r2": 6}), running.story
    assert (load.report.failed, load.report.answers("foreign")) == (0, 0), load.report
    assert as_before(app)


def test_an_edit_while_a_batch_comes_up_lets_nothing_in(sessions: App) -> None:
    sessions.env(READY_AFTER="3s")
    app = sessions.install()
    with app.load() as load:
        running = begun(app, says="2 preview pods to bake")
        running.told("of 4 pods ready")
        app.kubectl("set", "env", f"deployment/{app.name}", "REVISION=foreign")
        running.told("wrote env REVISION of app: r2 -> foreign; put back")
        assert (running.ends(), app.live_revisions()) == (0, {"r2": 6}), running.story
    assert (load.report.failed, load.report.answers("foreign")) == (0, 0), load.report
    assert as_before(app)


def test_a_manifest_that_is_applied_again_moves_nothing_while_the_preview_waits(balances: App) -> None:
    """Its minReadySeconds is what the user gets back in the end."""
    app = balances
    app.strategy(promoteAfter="5m", keepOld="1s")
    app.edit("deployment.yaml", lambda one: one["spec"].pop("strategy"))
    app.install()
    with under_load(app):
        running = begun(app, says="promoteAfter")
        app.edit("deployment.yaml", lambda one: one["spec"].update(minReadySeconds=1, paused=False))
        app.cluster.apply(app.folder / "deployment.yaml", app.namespace)
        running.told("kubectl-client-side-apply at")
        running.told("wrote spec.minReadySeconds: 1000000000 -> 1; the hold is put back")
        assert app.live_revisions() == {"r1": 6, "r2": 5}
        assert running.goes_on("promote") == 0, running.story
        assert app.live_revisions() == {"r2": 6}
    app.before["deployment"]["spec"].update(minReadySeconds=1)
    app.before["deployment"]["metadata"] = app.settings()["deployment"]["metadata"]  # what apply wrote down
    assert as_before(app)


def test_a_strategy_that_is_written_over_the_hold_may_shrink_the_old_side_and_then_the_release_turns_round(
    before_the_shift: App,
) -> None:
    app = before_the_shift
    with under_load(app):
        running = begun(app, says="promoteAfter")
        patch(app, "deployment", '{"spec":{"strategy":{"rollingUpdate":{"maxUnavailable":1,"maxSurge":1}}}}')
        running.told("kubectl-patch at")
        running.told("wrote spec.strategy.rollingUpdate.maxSurge: 83% -> 1; the hold is put back")
        time.sleep(1)
        app.run("promote", app.name)
        ended = (running.ends(), app.live_revisions())
        assert ended in ((3, {"r1": 6}), (0, {"r2": 6})), running.story
    app.before["deployment"]["spec"]["strategy"]["rollingUpdate"] = {"maxUnavailable": 1, "maxSurge": 1}
    assert as_before(app)


def test_a_manifest_that_is_applied_again_after_the_shift_costs_nothing(after_the_shift: App) -> None:
    app = after_the_shift
    with under_load(app):
        running = begun(app, says="keepOld")
        patch(app, "deployment", '{"spec":{"minReadySeconds":1,"paused":false}}')
        running.told("wrote spec.minReadySeconds: 1000000000 -> 1")
        assert running.goes_on("finish") == 0, running.story
        assert app.live_revisions() == {"r2": 6}
    app.before["deployment"]["spec"].update(minReadySeconds=1)
    assert as_before(app)


def test_the_hold_of_a_rolling_release_is_put_back(in_mid_walk: App) -> None:
    app = in_mid_walk
    with under_load(app):
        running = begun(app, says="2 preview pods to bake")
        patch(app, "deployment", '{"spec":{"minReadySeconds":1}}')
        running.told("wrote spec.minReadySeconds: 1000000000 -> 1; the hold is put back")
        app.kubectl("rollout", "resume", f"deployment/{app.name}")
        running.told("wrote spec.paused: true -> false; the hold is put back")
        patch(app, "deployment", '{"spec":{"strategy":{"rollingUpdate":{"maxUnavailable":1}}}}')
        running.told("wrote spec.strategy.rollingUpdate.maxUnavailable")
        assert running.ends() in (0, 3), running.story
    app.before["deployment"]["spec"].update(minReadySeconds=1)
    app.before["deployment"]["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] = 1
    assert as_before(app)


def test_what_others_write_to_the_service_is_named_and_the_pin_is_put_back(before_the_shift: App) -> None:
    app = before_the_shift
    with under_load(app):
        running = begun(app, says="promoteAfter")
        patch(app, "service", '{"spec":{"selector":{"pod-template-hash":null}}}')
        running.told("wrote spec.selector.pod-template-hash of Service balances:")
        running.told("pin balances to")
        app.kubectl("annotate", "service", app.name, "deployctl.dev/release-")
        running.told("took the memory of this release off Service balances")
        patch(app, "service", '{"spec":{"selector":{"app.kubernetes.io/part-of":"igaming"}}}')
        running.told(
            "wrote spec.selector.app.kubernetes.io/part-of of Service balances: nothing -> igaming; it is left so"
        )
        ports = (
            '[{"name":"http","port":80,"targetPort":"http"},{"name":"more","port":81,"targetPort":"http"}]'
        )
        patch(app, "service", f'{{"spec":{{"ports":{ports}}}}}')
        running.told("wrote spec.ports[more] of Service balances")
        app.kubectl("expose", "deployment", app.name, "--name=stranger", "--port=80")
        running.told("Service stranger")
        assert "selects the pods and is not listed" in running.story
        assert running.goes_on("promote") == 0, running.story
    after = app.settings()
    assert app.leftovers() == []
    assert after["deployment"] == app.before["deployment"]
    assert after["service"]["spec"]["selector"] == {
        "app.kubernetes.io/name": "balances",
        "app.kubernetes.io/part-of": "igaming",
    }
    assert after["service"]["metadata"] == app.before["service"]["metadata"]


def test_a_pin_that_is_taken_off_after_the_shift_is_put_back(after_the_shift: App) -> None:
    app = after_the_shift
    with under_load(app):
        running = begun(app, says="keepOld")
        patch(app, "service", '{"spec":{"selector":{"pod-template-hash":null}}}')
        running.told("shift 100% of balances to")
        assert running.goes_on("finish") == 0, running.story
        assert app.live_revisions() == {"r2": 6}
    assert as_before(app)


def test_a_valve_that_is_taken_off_lets_no_batch_in_for_good_without_its_gates(sessions: App) -> None:
    """Nor is a batch that is up asked for nothing: its gates are asked when the valve is off, too."""
    app = sessions
    app.strategy(bake="2s")
    app.env(READY_AFTER="3s")
    app.install()
    with under_load(app):
        app.env(HEALTHZ_STATUS="500")
        running = begun(app, says="of 2 pods ready")
        patch(app, "service", '{"spec":{"selector":{"deployctl.dev/serving":null}}}')
        running.told(
            "wrote spec.selector.deployctl.dev/serving of Service game-sessions: yes -> nothing; it is put back"
        )
        assert (running.ends(), app.live_revisions()) == (3, {"r1": 6}), running.story
    assert as_before(app)


def test_a_valve_that_is_taken_off_while_old_pods_drain_costs_nothing(sessions: App) -> None:
    """They take requests again, and are drained anew before they go: nothing else lets them end well."""
    app = sessions
    app.strategy(bake="1s")
    app.install()
    with under_load(app):
        running = begun(app, says="detach 2 pods")
        time.sleep(1.5)
        patch(app, "service", '{"spec":{"selector":{"deployctl.dev/serving":null}}}')
        running.told("yes -> nothing; it is put back")
        assert (running.ends(), app.live_revisions()) == (0, {"r2": 6}), running.story
    assert as_before(app)


def test_a_service_that_is_changed_while_old_pods_drain_is_left_as_it_is_now(sessions: App) -> None:
    app = sessions
    app.strategy(bake="1s")
    app.install()
    with under_load(app):
        running = begun(app, says="detach 2 pods")
        patch(
            app, "service", '{"spec":{"type":"NodePort","selector":{"app.kubernetes.io/part-of":"igaming"}}}'
        )
        running.told("wrote spec.type of Service game-sessions: ClusterIP -> NodePort; it is left so")
        assert "nothing -> igaming; it is left so" in running.story
        assert (running.ends(), app.live_revisions()) == (0, {"r2": 6}), running.story
    assert app.get("service")["spec"]["type"] == "NodePort"
    assert app.get("service")["spec"]["selector"].keys() == {
        "app.kubernetes.io/name",
        "app.kubernetes.io/part-of",
    }
    assert app.leftovers() == []


def versioned(version: str) -> Any:
    return lambda one: one["spec"]["template"]["metadata"]["labels"].update(version=version)


@pytest.mark.parametrize("name", ["before_the_shift", "in_mid_walk"])
def test_a_service_that_asks_for_a_label_of_the_old_pods_turns_the_release_round(
    name: str, request: pytest.FixtureRequest
) -> None:
    """Moved to pods that lack it, the Service would have no endpoints at all."""
    app: App = request.getfixturevalue("balances" if name == "before_the_shift" else "sessions")
    app.edit("deployment.yaml", versioned("one"))
    app = request.getfixturevalue(name)
    app.edit("deployment.yaml", versioned("two"))
    with under_load(app):
        running = begun(app, says="promoteAfter" if name == "before_the_shift" else "gate smoke passed")
        patch(app, "service", '{"spec":{"selector":{"version":"one"}}}')
        running.told(f"turn round: Service {app.name} asks for a label that the preview does not have")
        assert (running.ends(), app.live_revisions()) == (3, {"r1": 6}), running.story
    assert app.get("service")["spec"]["selector"]["version"] == "one"
    refusal = app.release()
    assert refusal.returncode == 2
    assert "version=one, which the new template does not have" in refusal.stderr


def test_a_service_that_becomes_an_external_name_is_not_taken_for_moved(before_the_shift: App) -> None:
    """Kubernetes leaves its EndpointSlices as they are: they go on naming the old pods."""
    app = before_the_shift
    running = begun(app, says="promoteAfter")
    patch(app, "service", '{"spec":{"type":"ExternalName","externalName":"example.org"}}')
    running.told("ClusterIP -> ExternalName; it sends nothing to the pods, and its endpoints stand still")
    assert app.run("promote", app.name).returncode == 0
    running.told("waiting for endpoints to follow")
    patch(app, "service", '{"spec":{"type":"ClusterIP","externalName":null}}')
    assert running.ends() == 0, running.story
    assert (app.live_revisions(), app.leftovers()) == ({"r2": 6}, [])


@pytest.mark.parametrize("says", ["promoteAfter", "keepOld"])
def test_a_memory_that_is_taken_off_is_put_back(balances: App, says: str) -> None:
    app = balances
    app.strategy(promoteAfter="2s" if says == "keepOld" else "5m", keepOld="5m")
    app.install()
    with under_load(app):
        running = begun(app, says=says)
        app.kubectl("annotate", "deployment", app.name, "deployctl.dev/release-")
        running.told("took the memory of this release off the Deployment")
        running.told("put the hold back")
        assert "deployctl.dev/release" in app.get("deployment")["metadata"]["annotations"]
        running.dies()
        app.kubectl("annotate", "deployment", app.name, "deployctl.dev/release-")
        back = app.run("abort", app.name)
        assert (back.returncode, app.live_revisions()) == (0, {"r1": 6}), back.stderr
    assert as_before(app)


@pytest.mark.parametrize("says", ["promoteAfter", "keepOld"])
@pytest.mark.parametrize("lives", [True, False], ids=["live", "dead"])
def test_a_deployment_that_is_replaced_in_mid_release_goes_back(
    balances: App, says: str, lives: bool
) -> None:
    app = balances
    app.strategy(promoteAfter="2s" if says == "keepOld" else "5m", keepOld="5m")
    app.install()
    original = (app.folder / "deployment.yaml").read_text()
    with under_load(app):
        running = begun(app, says=says)
        if not lives:
            running.dies()
        app.cluster.kubectl("replace", "-n", app.namespace, "-f", "-", input=original)
        if lives:
            running.told("kubectl-replace at")
            assert running.ends() == 3, running.story
        else:
            back = app.run("abort", app.name)
            assert back.returncode == 0, back.stderr
        assert app.live_revisions() == {"r1": 6}
    app.before["deployment"]["metadata"] = app.settings()["deployment"]["metadata"]
    assert as_before(app)


def test_the_size_is_followed_before_the_shift(before_the_shift: App) -> None:
    app = before_the_shift
    with under_load(app):
        running = begun(app, says="promoteAfter")
        scaled(app, 8)
        running.told("wrote spec.replicas: 6 -> 8; followed")
        scaled(app, 4)
        running.told("wrote spec.replicas: 8 -> 4; followed")
        assert running.goes_on("promote") == 0, running.story
        assert app.live_revisions() == {"r2": 4}
    assert as_before(app)


def test_the_size_is_followed_after_the_shift(after_the_shift: App) -> None:
    app = after_the_shift
    with under_load(app):
        running = begun(app, says="keepOld")
        scaled(app, 8)
        running.told("wrote spec.replicas: 6 -> 8; followed")
        scaled(app, 4)
        running.told("wrote spec.replicas: 8 -> 4; followed")
        assert running.goes_on("finish") == 0, running.story
        assert app.live_revisions() == {"r2": 4}
    assert as_before(app)


@pytest.mark.parametrize("replicas", [8, 4])
def test_the_size_is_followed_in_mid_walk(in_mid_walk: App, replicas: int) -> None:
    app = in_mid_walk
    with under_load(app):
        running = begun(app, says="2 preview pods to bake")
        scaled(app, replicas)
        running.told(f"wrote spec.replicas: 6 -> {replicas}; followed")
        assert (running.ends(), app.live_revisions()) == (0, {"r2": replicas}), running.story
    assert as_before(app)


@pytest.mark.parametrize("name", ["before_the_shift", "after_the_shift", "in_mid_walk"])
def test_an_autoscaler_that_changes_its_mind_costs_nothing(name: str, request: pytest.FixtureRequest) -> None:
    app: App = request.getfixturevalue(name)
    says = {"before_the_shift": "promoteAfter", "after_the_shift": "keepOld"}.get(
        name, "2 preview pods to bake"
    )
    with under_load(app):
        running = begun(app, says=says)
        for replicas in (7, 6, 8, 6, 7, 6, 8, 6, 7, 6, 8, 6, 7, 6, 8, 6):
            app.kubectl("scale", f"deployment/{app.name}", f"--replicas={replicas}")
            time.sleep(0.4)
        if name != "in_mid_walk":
            app.run({"before_the_shift": "promote", "after_the_shift": "finish"}[name], app.name)
        assert (running.ends(), app.live_revisions()) == (0, {"r2": 6}), running.story
    assert as_before(app)


def answers_again(app: App) -> bool:
    """Say whether stable answers for two seconds: without a ready endpoint kube-proxy sends to pods that are going."""
    with app.load(rate=50) as load:
        time.sleep(2)
    return load.report.failed == 0 and set(load.report.revisions) == {"r1"}


@pytest.mark.parametrize("name", ["before_the_shift", "after_the_shift", "in_mid_walk"])
def test_an_app_that_is_scaled_to_nothing_goes_back_and_serves_again(
    name: str, request: pytest.FixtureRequest
) -> None:
    app: App = request.getfixturevalue(name)
    says = {"before_the_shift": "promoteAfter", "after_the_shift": "keepOld"}.get(
        name, "2 preview pods to bake"
    )
    running = begun(app, says=says)
    app.kubectl("scale", f"deployment/{app.name}", "--replicas=0")
    running.told("-> 0; followed")
    time.sleep(1)
    app.kubectl("scale", f"deployment/{app.name}", "--replicas=6")
    assert running.ends() == 3, running.story
    app.cluster.wait(lambda: answers_again(app), timeout=20, what="kube-proxy to leave the pods that went")
    with under_load(app):
        app.kubectl("rollout", "status", f"deployment/{app.name}", "--timeout=60s")
    assert app.live_revisions() == {"r1": 6}
    assert as_before(app)


def deleted(app: App, revision: str, *, marked: str = "") -> None:
    """Delete one pod of a revision; with `marked` one whose metadata holds it."""
    chosen = app.hash_of(revision)
    names = [
        one["metadata"]["name"]
        for one in app.pods()
        if one["metadata"]["labels"]["pod-template-hash"] == chosen and marked in str(one["metadata"])
    ]
    app.kubectl("delete", "pod", names[0], "--wait=false")


def test_pods_that_are_deleted_before_the_shift_come_back(before_the_shift: App) -> None:
    app = before_the_shift
    app.env(READY_AFTER="3s")
    with under_load(app):
        running = begun(app, says="of 5 pods ready")
        deleted(app, "r2")
        running.told("promoteAfter")
        deleted(app, "r1")
        deleted(app, "r2")
        app.cluster.wait(lambda: app.live_revisions() == {"r1": 6, "r2": 5}, what="other pods in their place")
        assert running.goes_on("promote") == 0, running.story
        assert app.live_revisions() == {"r2": 6}
    assert as_before(app)


def test_pods_that_are_deleted_after_the_shift_come_back(after_the_shift: App) -> None:
    app = after_the_shift
    with under_load(app, keepalive=True):
        running = begun(app, says="keepOld")
        deleted(app, "r1")
        deleted(app, "r2")
        app.cluster.wait(lambda: app.live_revisions() == {"r1": 6, "r2": 6}, what="other pods in their place")
        assert running.goes_on("finish") == 0, running.story
        assert app.live_revisions() == {"r2": 6}
    assert as_before(app)


@pytest.mark.proof
def test_pods_that_are_deleted_in_mid_walk_come_back(sessions: App) -> None:
    """A dark one, one that serves, a detached one."""
    app = sessions
    app.strategy(bake="3s")
    app.install()
    app.env(READY_AFTER="3s")
    with under_load(app):
        running = begun(app, says="of 2 pods ready")
        deleted(app, "r2")
        running.told("2 preview pods to bake")
        deleted(app, "r2", marked="deployctl.dev/serving")
        running.told("detach 2 pods")
        time.sleep(1)
        deleted(app, "r1", marked="pod-deletion-cost")
        assert (running.ends(), app.live_revisions()) == (0, {"r2": 6}), running.story
    assert as_before(app)


@pytest.mark.parametrize("word", ["resume", "abort"])
def test_a_manifest_that_is_applied_while_no_process_lives_moves_nothing(balances: App, word: str) -> None:
    app = balances
    app.strategy(promoteAfter="2s", keepOld="1s")
    app.edit("deployment.yaml", lambda one: one["spec"].pop("strategy"))
    app.install()
    with under_load(app):
        begun(app, says="promoteAfter").dies()
        app.edit("deployment.yaml", lambda one: one["spec"].update(minReadySeconds=1))
        app.cluster.apply(app.folder / "deployment.yaml", app.namespace)
        time.sleep(5)
        assert app.live_revisions()["r1"] == 6
        ended = app.run(word, app.name)
        assert "kubectl-client-side-apply at" in ended.stderr
        assert (ended.returncode, app.live_revisions()) == (
            0,
            {"r2": 6} if word == "resume" else {"r1": 6},
        ), ended.stderr
    app.before["deployment"]["spec"].update(minReadySeconds=1)
    app.before["deployment"]["metadata"] = app.settings()["deployment"]["metadata"]
    assert as_before(app)


def test_a_memory_that_rollout_undo_brings_back_is_nobodys(balances: App) -> None:
    """As where a process died before it could sweep the copies that the Deployment controller made."""
    app = balances
    app.install()
    app.env(REVISION="r2")
    assert app.release().returncode == 0
    old = app.get("rs", f"{app.name}-{app.hash_of('r1')}")
    running = begun(app, says="keepOld", revision="r3")
    memory = app.get("deployment")["metadata"]["annotations"]["deployctl.dev/release"]
    assert running.ends() == 0, running.story
    app.kubectl("annotate", "rs", old["metadata"]["name"], f"deployctl.dev/release={memory}")
    with under_load(app):
        app.kubectl("rollout", "undo", f"deployment/{app.name}", f"--to-revision={revision_of(old)}")
        app.kubectl("rollout", "status", f"deployment/{app.name}", "--timeout=60s")
        assert "deployctl.dev/release" in app.get("deployment")["metadata"]["annotations"]
        assert "at rest" in app.run("status", app.name).stdout
        assert "no release is in flight" in app.run("abort", app.name).stdout
        app.env(REVISION="r4")
        done = app.release()
        assert (done.returncode, app.live_revisions()) == (0, {"r4": 6}), done.stderr
    assert as_before(app)


def revision_of(replica_set: Json) -> str:
    return str(replica_set["metadata"]["annotations"]["deployment.kubernetes.io/revision"])


def test_what_kubectl_rollout_may_and_may_not_do_in_mid_walk(in_mid_walk: App) -> None:
    app = in_mid_walk
    app.env(READY_AFTER="3s")
    with under_load(app, keepalive=True):
        running = begun(app, says="of 2 pods ready")
        app.kubectl("rollout", "pause", f"deployment/{app.name}")
        running.told("wrote spec.paused: false -> true")
        running.told("2 preview pods to bake")
        app.kubectl("rollout", "resume", f"deployment/{app.name}")
        running.told("wrote spec.paused: true -> false")
        app.kubectl("set", "image", f"deployment/{app.name}", "app=localhost/igaming:2")
        running.told("wrote image of app: localhost/igaming:1 -> localhost/igaming:2")
        assert (running.ends(), app.live_revisions()) == (0, {"r2": 6}), running.story
    assert f"  next: deployctl release {app.name} --image app=localhost/igaming:2\n" in running.story
    assert as_before(app)
