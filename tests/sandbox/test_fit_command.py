"""`release` where there is too little room: what it says before its first write, and what --fit makes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.platform import until
from tests.sandbox.practice import Practice, PracticeApp, copied

Json = dict[str, Any]
IMAGE = ("--image", "localhost/igaming:2")
SHORT = (
    "quota small (pods 5) has room for 2 pods more, 1 short of 3, for a pod that goes counts until it is gone"
)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    practice = Practice(tmp_path_factory.mktemp("sandbox"))
    yield practice
    practice.close()


@pytest.fixture
def app(sandbox: Practice, tmp_path: Path, request: pytest.FixtureRequest) -> PracticeApp:
    """Give an app of three pods in a namespace that allows five, and a release of two at once."""
    name = f"fit-{abs(hash(request.node.name)) % 10**8}"
    one = copied(sandbox, name, tmp_path)
    one.edit("deployment.yaml", lambda each: each["spec"].update(replicas=3))
    one.edit("deployctl.yaml", lambda each: each["spec"].update(gates={}, strategy=strategy()))
    for file in ("deployment.yaml", "service.yaml"):
        sandbox.apply(one.folder / file, name)
    one.kubectl("rollout", "status", "deployment/balances")
    where = f"/api/v1/namespaces/{name}/resourcequotas"
    quota = {"metadata": {"name": "small"}, "spec": {"hard": {"pods": "5"}}}
    sandbox.api.post(where, {"apiVersion": "v1", "kind": "ResourceQuota", **quota})
    sandbox.wait(lambda: sandbox.api.get(f"{where}/small").get("status", {}).get("used"), what="the quota")
    return one


def strategy() -> Json:
    return {"rolling": {"batch": 2, "bake": "1s"}}


def untouched(app: PracticeApp) -> Any:
    return app.get("deployment")["metadata"]["generation"]


def test_a_release_says_what_is_short_before_it_writes(app: PracticeApp) -> None:
    before = untouched(app)
    planned = app.run("plan", str(app.spec), *IMAGE)
    assert f"  warning: {SHORT}; batch: 1 fits\n" in planned.stdout
    assert untouched(app) == before
    begun = app.run("release", str(app.spec), *IMAGE, "--timeout", "3s")
    first, *later = begun.stderr.splitlines()
    assert first == f"warning: {SHORT}; batch: 1 fits"
    assert later


def test_a_release_with_fit_takes_the_batch_that_there_is_room_for(app: PracticeApp) -> None:
    done = app.run("release", str(app.spec), *IMAGE, "--fit")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[0] == f"balances: made to fit: batch: 1 instead of 2: {SHORT}"
    pods = [one["spec"]["containers"][0]["image"] for one in app.pods()]
    assert pods == ["localhost/igaming:2"] * 3


def test_a_plan_that_was_made_to_fit_is_kept_and_released_as_it_is(app: PracticeApp) -> None:
    file = str(app.folder / "plan.json")
    planned = app.run("plan", str(app.spec), *IMAGE, "--fit", "--out", file)
    assert f"  made to fit: batch: 1 instead of 2: {SHORT}\n" in planned.stdout
    assert json.loads(Path(file).read_text())["promise"]["spec"]["spec"]["strategy"]["rolling"]["batch"] == 1
    again = app.run("release", "--plan", file, "--fit")
    assert (again.returncode, "--plan says all of --fit already" in again.stderr) == (2, True)
    done = app.run("release", "--plan", file)
    assert done.returncode == 0, done.stderr
    assert "short of" not in done.stderr


def test_a_release_goes_on_as_small_as_it_began(app: PracticeApp) -> None:
    app.edit("deployctl.yaml", lambda one: one["spec"]["strategy"]["rolling"].update(bake="5s"))
    left = app.start("release", str(app.spec), *IMAGE, "--fit")
    until(left, "preview pods to bake")
    left.terminate()
    left.communicate(timeout=60)
    assert left.returncode == 143
    done = app.run("release", str(app.spec), *IMAGE, "--fit", "-v")
    assert done.returncode == 0, done.stderr
    assert "made to fit" not in done.stderr
    assert "1 of 1 preview" not in done.stderr
    assert len(app.pods()) == 3
