"""The main job, on a real cluster under load: not one failed request, whatever becomes of the release.

The app exits the moment it gets SIGTERM, and the pods that the first release adopts have no preStop.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.cluster import figures
from tests.cluster.bed.cluster import Cluster
from tests.cluster.platform import App, example, grant, until


@pytest.fixture(params=["balances", "game-sessions"])
def app(request: pytest.FixtureRequest, cluster: Cluster, namespace: str, tmp_path: Path) -> App:
    grant(cluster, namespace)
    found = example(cluster, namespace, request.param, tmp_path)
    found.user = "releaser"
    return found.install()


@pytest.fixture(params=[False, True], ids=["new connections", "keep-alive"])
def keepalive(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_the_main_job_loses_no_request(app: App, keepalive: bool) -> None:
    """First release, bad build, pods that never come, SIGKILL and resume, abort by hand, rollback after the end."""
    killed_at = "after" if app.name == "balances" else "during"
    with app.load(keepalive=keepalive) as load:
        app.env(REVISION="r2")
        first = app.release()
        assert (first.returncode, app.live_revisions()) == (0, {"r2": 6}), first.stderr
        assert app.settings() == app.before

        app.env(REVISION="bad", HEALTHZ_STATUS="500")
        refused = app.release()
        assert (refused.returncode, app.live_revisions()) == (3, {"r2": 6}), refused.stderr

        app.env(REVISION="stuck", HEALTHZ_STATUS=None, NEVER_READY="1")
        app.edit("deployment.yaml", lambda one: one["spec"].update(progressDeadlineSeconds=8))
        app.kubectl("patch", "deployment", app.name, "-p", '{"spec":{"progressDeadlineSeconds":8}}')
        stuck = app.release()
        assert (stuck.returncode, app.live_revisions()) == (3, {"r2": 6}), stuck.stderr
        app.kubectl("patch", "deployment", app.name, "-p", '{"spec":{"progressDeadlineSeconds":600}}')

        app.env(REVISION="r3", NEVER_READY=None)
        running = app.start("release", str(app.spec))
        until(running, f"asking the gates {killed_at}")
        running.kill()
        running.communicate()
        resumed = app.run("resume", app.name)
        assert (resumed.returncode, app.live_revisions()) == (0, {"r3": 6}), resumed.stderr

        app.env(REVISION="r4")
        running = app.start("release", str(app.spec))
        until(running, f"asking the gates {killed_at}")
        back = app.run("rollback", app.name)
        assert (back.returncode, app.live_revisions()) == (0, {"r3": 6}), back.stderr
        _, told = running.communicate(timeout=20)
        assert running.returncode == 6, told

        app.env(REVISION="r5")
        last = app.release()
        assert (last.returncode, app.live_revisions()) == (0, {"r5": 6}), last.stderr
        again = app.run("rollback", app.name)
        assert (again.returncode, app.live_revisions()) == (0, {"r3": 6}), again.stderr
        time.sleep(6)
    report = load.report
    print(
        f"\n{app.name}, {'keep-alive' if keepalive else 'new connections'}: {report}; {report.stale_retries} stale retries"
    )
    figures.noted(f"{app.name}, the main job, {'kept' if keepalive else 'new'} connections", report)
    assert report.failed == 0, [str(one) for one in report.failures[:20]]
    assert report.answers("bad") == report.answers("stuck") == 0
    assert app.settings() == app.before
    assert app.leftovers() == []
