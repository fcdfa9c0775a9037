"""Apps of other shapes than the example: several Services, one pod, no room to surge, a person who promotes."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

import pytest
import yaml

from tests.cluster.platform import App, until


def second_service(app: App) -> None:
    """Give the app a second Service, as platforms have one for other platforms' traffic."""
    service = yaml.safe_load((app.folder / "service.yaml").read_text())
    service["metadata"]["name"] = f"{app.name}-partners"
    (app.folder / "partners.yaml").write_text(yaml.safe_dump(service))
    app.cluster.apply(app.folder / "partners.yaml", app.namespace)
    app.edit(
        "deployctl.yaml", lambda spec: spec["spec"]["workload"]["services"].append(f"{app.name}-partners")
    )


def replicas(count: int) -> Any:
    return lambda one: one["spec"].update(replicas=count)


@pytest.fixture(params=["balances", "sessions"])
def app(request: pytest.FixtureRequest) -> App:
    found: App = request.getfixturevalue(request.param)
    return found


def selector(app: App, service: str) -> dict[str, str]:
    found: dict[str, str] = app.get("service", service)["spec"]["selector"]
    return found


def test_two_services_move_together_and_end_as_they_were(app: App) -> None:
    second_service(app)
    app.install()
    app.env(REVISION="r2")
    with app.load() as load:
        done = app.release()
        assert done.returncode == 0, done.stderr
        app.env(REVISION="r3", HEALTHZ_STATUS="500")
        assert app.release().returncode == 3
    assert load.report.failed == 0, load.report
    assert load.report.answers("r3") == 0
    assert (
        selector(app, f"{app.name}-partners")
        == selector(app, app.name)
        == {"app.kubernetes.io/name": app.name}
    )
    assert app.settings() == app.before


def test_a_half_done_flip_of_two_services_is_taken_back(balances: App) -> None:
    second_service(balances)
    balances.strategy(keepOld="5m")
    balances.install()
    balances.env(REVISION="r2")
    with balances.load() as load:
        running = balances.start("release", str(balances.spec))
        until(running, "shift 100% of balances to")
        running.kill()
        running.communicate()
        back = balances.run("abort", "balances")
        assert back.returncode == 0, back.stderr
    assert load.report.failed == 0, load.report
    assert (balances.live_revisions(), balances.settings()) == ({"r1": 6}, balances.before)


def test_an_app_of_one_pod_is_released_without_a_gap(app: App) -> None:
    app.edit("deployment.yaml", replicas(1))
    app.install()
    app.env(REVISION="r2")
    with app.load(rate=50) as load:
        done = app.release()
    assert (done.returncode, app.live_revisions()) == (0, {"r2": 1}), done.stderr
    assert load.report.failed == 0, load.report
    assert app.settings() == app.before


def test_without_room_to_surge_a_batch_less_serves_and_none_is_lost(sessions: App) -> None:
    sessions.strategy(surge=0, batch=2)
    sessions.edit("deployctl.yaml", lambda spec: spec["spec"]["drain"].pop("rounds"))
    sessions.install()
    sessions.env(REVISION="r2")
    with sessions.load(rate=50) as load:
        done = sessions.release()
    assert (done.returncode, sessions.live_revisions()) == (0, {"r2": 6}), done.stderr
    assert load.report.failed == 0, load.report
    assert sessions.settings() == sessions.before


def test_a_preview_that_waits_for_a_person_is_promoted_by_another_process(balances: App) -> None:
    balances.install()
    balances.env(REVISION="r2")
    with balances.load() as load:
        waiting = balances.release("--promote", "manual")
        assert waiting.returncode == 4, waiting.stderr
        assert "deployctl promote balances" in waiting.stderr
        assert balances.live_revisions() == {"r1": 6, "r2": 5}
        again = balances.release("--promote", "manual")
        assert again.returncode == 4, again.stderr
        promoted = balances.run("promote", "balances")
        assert (promoted.returncode, balances.live_revisions()) == (0, {"r2": 6}), promoted.stderr
    assert load.report.failed == 0, load.report
    assert balances.settings() == balances.before


def test_an_armed_finish_retires_the_old_side_without_a_process_and_the_next_command_tidies_up(
    balances: App,
) -> None:
    balances.strategy(keepOld="6s")
    balances.install()
    balances.env(REVISION="r2")
    with balances.load() as load:
        done = balances.release("--wait", "promoted")
        assert (done.returncode, balances.live_revisions()) == (0, {"r1": 6, "r2": 6}), done.stderr
        assert "deployctl finish balances" in done.stderr
        balances.cluster.wait(
            lambda: balances.live_revisions() == {"r2": 6}, timeout=30, what="the armed finish"
        )
        balances.env(REVISION="r3")
        following = balances.release("--wait", "promoted")
        assert following.returncode == 0, following.stderr
        finished = balances.run("finish", "balances")
        assert (finished.returncode, balances.live_revisions()) == (0, {"r3": 6}), finished.stderr
    assert load.report.failed == 0, load.report
    assert balances.settings() == balances.before


def test_a_paused_release_stands_and_is_resumed(app: App) -> None:
    app.strategy(**({"keepOld": "60s"} if app.name == "balances" else {"bake": "60s"}))
    app.install()
    app.env(REVISION="r2")
    with app.load() as load:
        running = app.start("release", str(app.spec))
        until(running, "keepOld" if app.name == "balances" else "to bake")
        paused = app.run("pause", app.name)
        _, told = running.communicate(timeout=20)
        assert (paused.returncode, running.returncode) == (0, 4), told
        time.sleep(3)
        app.strategy(**({"keepOld": "1s"} if app.name == "balances" else {"bake": "1s"}))
        resumed = app.release()
        assert (resumed.returncode, app.live_revisions()) == (0, {"r2": 6}), resumed.stderr
    assert load.report.failed == 0, load.report
    assert app.settings() == app.before


def test_a_release_of_what_is_live_does_nothing(app: App) -> None:
    app.install()
    app.env(REVISION="r2")
    assert app.release().returncode == 0
    before = versions(app)
    again = app.release("-o", "json")
    assert (again.returncode, json.loads(again.stdout)["outcome"]) == (0, "unchanged")
    assert versions(app) == before


def versions(app: App) -> tuple[int, str]:
    """Give what changes with any write to the spec of the Deployment or to the Service."""
    return app.get("deployment")["metadata"]["generation"], app.get("service")["metadata"]["resourceVersion"]


def test_a_time_out_aborts_and_says_so(balances: App) -> None:
    balances.install()
    balances.env(REVISION="r2", NEVER_READY="1")
    late: subprocess.CompletedProcess[str] = balances.release("--timeout", "4s")
    assert (late.returncode, balances.live_revisions()) == (5, {"r1": 6}), late.stderr
    assert balances.settings() == balances.before


def test_a_rollback_to_pods_without_prestop_and_back_again_loses_nothing(balances: App) -> None:
    """The revision from before the first release has no preStop: leaving it takes a shift, not a surge."""
    balances.install()
    balances.env(REVISION="r2")
    assert balances.release().returncode == 0
    with balances.load() as load:
        assert balances.run("rollback", "balances").returncode == 0
        assert balances.live_revisions() == {"r1": 6}
        newest = balances.run("rollback", "balances", "--to", balances.hash_of("r2"))
        assert newest.returncode == 0, newest.stderr
        assert balances.live_revisions() == {"r2": 6}
        time.sleep(3)
    assert load.report.failed == 0, load.report
    assert balances.settings() == balances.before


def test_a_rollback_passes_over_the_build_that_a_gate_refused_and_the_one_it_left(balances: App) -> None:
    balances.install()
    balances.env(REVISION="r2")
    assert balances.release().returncode == 0
    balances.env(REVISION="bad", HEALTHZ_STATUS="500")
    assert balances.release().returncode == 3
    with balances.load() as load:
        first = balances.run("rollback", "balances", "-o", "json")
        assert (first.returncode, balances.live_revisions()) == (0, {"r1": 6}), first.stderr
        assert json.loads(first.stdout)["outcome"] == "rolledBack"
        again = balances.run("rollback", "balances")
        assert (again.returncode, balances.live_revisions()) == (2, {"r1": 6}), again.stderr
        assert "refused or left before" in again.stderr
    assert (load.report.failed, load.report.answers("bad")) == (0, 0), load.report
