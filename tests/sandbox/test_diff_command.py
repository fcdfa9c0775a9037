"""`diff` on a practice cluster: between revisions by number and by hash, and without secrets."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from deployctl.cluster.api import Request
from deployctl.sandbox.calls import STRATEGIC_PATCH
from tests.cluster.platform import EXAMPLE
from tests.sandbox.practice import Practice, namespace

WHERE = "/apis/apps/v1/namespaces/igaming"
SECRET = {"name": "API_TOKEN", "value": "hunter2"}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    """A cluster with three revisions of balances: another image, then a secret in the template."""
    one = Practice(tmp_path_factory.mktemp("sandbox"))
    namespace(one, "igaming")
    deployment = yaml.safe_load((EXAMPLE / "balances/deployment.yaml").read_text())
    deployment["spec"]["replicas"] = 1
    one.api.post(f"{WHERE}/deployments", deployment)
    one.wait(lambda: _sets(one), what="the first revision")
    for number, change in enumerate(({"image": "localhost/igaming:2"}, {"env": [SECRET]}), 2):
        _change(one, change)
        one.wait(lambda number=number: len(_sets(one)) == number, what="the next revision")
    yield one
    one.close()


def _change(sandbox: Practice, container: dict[str, Any]) -> None:
    change = {"spec": {"template": {"spec": {"containers": [{"name": "app", **container}]}}}}
    sandbox.api.send(Request("PATCH", f"{WHERE}/deployments/balances", change, STRATEGIC_PATCH))


def _sets(sandbox: Practice) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sandbox.api.get(f"{WHERE}/replicasets")["items"]
    return found


def diff(sandbox: Practice, *words: str) -> tuple[int, str, str]:
    done = sandbox.run([sys.executable, "-m", "deployctl", "diff", "balances", "-n", "igaming", *words])
    return done.returncode, done.stdout, done.stderr


def test_two_revisions_differ_by_their_image(sandbox: Practice) -> None:
    code, text, _ = diff(sandbox, "1", "2")
    assert code == 0
    assert '  ~ spec.containers[app].image: "localhost/igaming:1" -> "localhost/igaming:2"' in text


def test_a_revision_is_named_by_the_beginning_of_its_hash(sandbox: Practice) -> None:
    first = next(
        one
        for one in _sets(sandbox)
        if one["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":1")
    )
    name = first["metadata"]["labels"]["pod-template-hash"]
    assert diff(sandbox, name[:6], "2") == diff(sandbox, "1", "2")


def test_without_a_revision_it_is_from_the_way_back_to_what_is_live(sandbox: Practice) -> None:
    _, text, _ = diff(sandbox, "-o", "json")
    whole = json.loads(text)
    assert (whole["kind"], whole["old"]["number"], whole["new"]["number"]) == ("Difference", 2, 3)
    assert "spec.containers[app].env[API_TOKEN]" in [one["path"] for one in whole["changes"]]


def test_no_secret_is_shown(sandbox: Practice) -> None:
    assert "hunter2" not in "".join(map(str, diff(sandbox, "2")))


def test_a_revision_and_itself_are_the_same(sandbox: Practice) -> None:
    assert diff(sandbox, "2", "2")[1].splitlines()[1] == "  the same pod template"


def test_a_revision_that_is_not_there_is_told(sandbox: Practice) -> None:
    code, _, said = diff(sandbox, "99")
    assert code == 2
    assert "diff 99: no such revision; there are 3 (" in said
