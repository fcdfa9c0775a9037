"""`history` and what it tells of, as commands on practice clusters: nothing mixes, and nothing stands in the way back."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployctl.cluster.api import MERGE_PATCH, Request
from tests.cluster.platform import EXAMPLE
from tests.sandbox.practice import Practice, PracticeApp, namespace

pytestmark = pytest.mark.long  # some forty commands, each a process
Json = dict[str, Any]
OLD = "localhost/igaming:1"


class Place:
    """The app `balances`, two pods, in one namespace of one cluster; its commands name the context."""

    def __init__(self, sandbox: Practice, name: str, folder: Path, config: Path) -> None:
        shutil.copytree(EXAMPLE / "balances", folder)
        self.app = PracticeApp(sandbox, namespace(sandbox, name), "balances", folder)  # type: ignore[arg-type]
        self.app.strategy(keepOld="0s")
        self.app.edit("deployment.yaml", lambda one: one["spec"].update(replicas=2))
        self.app.edit("deployctl.yaml", lambda one: one["spec"]["gates"].pop("after"))
        self.context, self._config = sandbox.home.kubeconfig.parent.name, config
        self.app.install()

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        env = {"KUBECONFIG": str(self._config)}
        return self.app.run(*words, "--context", self.context, env=env)

    def release(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run("release", str(self.app.spec), *words)

    def history(self) -> Json:
        told: Json = json.loads(self.run("history", "balances", "-o", "json").stdout)
        return told

    def image(self) -> str:
        found: str = self.app.get("deployment")["spec"]["template"]["spec"]["containers"][0]["image"]
        return found

    def record(self) -> Json:
        found: Json = self.app.get("configmap", "deployctl-balances")["data"]
        return found

    def rewrite(self, **data: str | None) -> None:
        """Write into the record as somebody else does."""
        where = f"/api/v1/namespaces/{self.app.namespace}/configmaps/deployctl-balances"
        sandbox: Any = self.app.cluster
        sandbox.api.send(Request("PATCH", where, {"data": data}, MERGE_PATCH))


@pytest.fixture(scope="module")
def sandboxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Practice, Practice]]:
    """Two clusters, east and west."""
    folder = tmp_path_factory.mktemp("clusters")
    east, west = Practice(folder / "east"), Practice(folder / "west")
    yield east, west
    east.close()
    west.close()


@pytest.fixture(scope="module")
def config(sandboxes: tuple[Practice, Practice], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One kubeconfig with a context for each cluster; the current one is west."""
    whole: Json = {"apiVersion": "v1", "kind": "Config", "current-context": "west"}
    for one in sandboxes:
        name, own = one.home.kubeconfig.parent.name, yaml.safe_load(one.home.kubeconfig.read_text())
        for kind in ("clusters", "users", "contexts"):
            whole.setdefault(kind, []).append({**own[kind][0], "name": name})
        whole["contexts"][-1]["context"] = {"cluster": name, "user": name, "namespace": "igaming"}
    path = tmp_path_factory.mktemp("config") / "kubeconfig"
    path.write_text(yaml.safe_dump(whole))
    return path


def said(place: Place) -> list[tuple[str, str]]:
    """Give of each release the reason that was given at its beginning, and how it ended."""
    return [(one["words"][0]["reason"], one["outcome"]) for one in place.history()["releases"]]


def done(command: subprocess.CompletedProcess[str], code: int = 0) -> str:
    assert command.returncode == code, command.stderr
    return command.stderr


def test_apps_of_one_name_in_two_namespaces_and_two_clusters_do_not_mix(
    sandboxes: tuple[Practice, Practice], config: Path, tmp_path: Path
) -> None:
    east, west = sandboxes
    places = [
        Place(east, "igaming", tmp_path / "a", config),
        Place(east, "staging", tmp_path / "b", config),
        Place(west, "igaming", tmp_path / "c", config),
    ]
    for number, place in enumerate(places, 2):
        done(place.release("--image", f"any/image:{number}", "--reason", f"place {number}"))
    assert [said(one) for one in places] == [[(f"place {number}", "promoted")] for number in (2, 3, 4)]

    here, beside, beyond = places
    done(here.run("rollback", "--yes", "--reason", "only here"))
    assert [one.image() for one in places] == [OLD, "any/image:3", "any/image:4"]
    assert said(here) == [("only here", "rolledBack"), ("place 2", "promoted")]
    assert said(beside) + said(beyond) == [("place 3", "promoted"), ("place 4", "promoted")]

    every = json.loads(here.run("history", "-A", "-o", "json").stdout)["items"]
    assert {(one["namespace"], one["words"][0]["reason"]) for one in every} >= {
        ("igaming", "only here"), ("igaming", "place 2"), ("staging", "place 3"),
    }  # fmt: skip
    assert "place 4" not in json.dumps(every)
    assert "roll" not in done(beside.run("rollback", "--no-input"), 2).partition("rollback of which app?")[0]


@pytest.fixture
def place(sandboxes: tuple[Practice, Practice], config: Path, tmp_path: Path, request: Any) -> Place:
    name = request.node.name.replace("_", "-")[5:40].strip("-")
    return Place(sandboxes[0], name, tmp_path / "app", config)


def test_a_record_of_a_newer_format_stands_in_the_way_of_nothing_but_writing_it(place: Place) -> None:
    done(place.release("--image", "any/image:2", "--promote", "manual"), 4)
    place.rewrite(version="3", novel="[]")
    before = place.record()
    for words in (["resume"], ["promote"], ["finish"], ["history"]):
        assert "has format 3, and this deployctl knows 2" in done(place.run(*words, "balances"), 2)
    assert "next: upgrade deployctl" in done(place.release("--image", "any/image:2"), 2)
    assert "the preview is on trial" in place.run("status", "balances").stdout
    assert "the record has format 3" in done(place.run("abort", "balances", "--reason", "enough"))
    assert (place.image(), place.record()) == (OLD, before)
    assert "name the app" in done(place.run("rollback", "--yes"), 2)


def test_a_restart_that_was_interrupted_goes_on_with_the_pods_that_it_began(place: Place) -> None:
    done(place.release("--restart", "--promote", "manual"), 4)
    first = place.history()["releases"][0]
    again = place.release("--restart", "--promote", "manual")
    assert "another release" not in done(again, 4)
    assert "another release of balances is in flight" in done(
        place.release("--restart", "--image", "any:2"), 6
    )
    done(place.run("promote", "balances", "--reason", "QA is done"))
    one = place.history()["releases"]
    assert [(each["id"], each["outcome"]) for each in one] == [(first["id"], "promoted")]
    assert [word["verb"] for word in one[0]["words"]] == ["release", "release", "promote"]


def test_a_release_replaces_another_in_one_command_with_one_result(place: Place) -> None:
    done(place.release("--image", "any/image:2", "--promote", "manual"), 4)
    assert "--replace turns it round and then begins this one" in done(
        place.release("--image", "any/image:3"), 6
    )
    replaced = place.release("--image", "any/image:3", "--replace", "--reason", "hotfix", "-o", "jsonl")
    told = done(replaced)
    assert 0 < told.index("stable comes back first") < told.index("back on ") < told.index("now this release")
    events = [json.loads(line) for line in replaced.stdout.splitlines()]
    assert [one["seq"] for one in events] == list(range(1, len(events) + 1))
    assert [one["result"]["outcome"] for one in events if one["type"] == "result"] == ["promoted"]
    assert [(one["outcome"], one["images"]["app"]) for one in place.history()["releases"]] == [
        ("promoted", "any/image:3"), ("aborted", "any/image:2"),
    ]  # fmt: skip
    assert place.run("history", "balances", "-o", "name").stdout.splitlines()[0].startswith("balances/")


def test_a_copy_of_our_memory_that_a_dying_process_left_is_taken_off_by_whatever_comes_next(
    place: Place,
) -> None:
    """Killed between the last write and the one that takes the copies off ReplicaSets."""
    done(place.release("--image", "any/image:2"))
    sandbox: Any = place.app.cluster
    where = f"/apis/apps/v1/namespaces/{place.app.namespace}/replicasets"
    left = {"metadata": {"annotations": {"deployctl.dev/release": "{}"}}}
    for word in ("resume", "abort", "finish", "rollback"):
        for one in sandbox.api.get(where)["items"]:
            sandbox.api.send(Request("PATCH", f"{where}/{one['metadata']['name']}", left, MERGE_PATCH))
        assert place.app.leftovers() != []
        done(place.run(word, "balances", *(("--yes",) if word == "rollback" else ())))
        assert place.app.leftovers() == [], word
