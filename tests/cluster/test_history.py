"""What was released, by whom, why, and what really ran: on record, and told; going back to any of it loses no request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cluster.platform import App
from tests.cluster.running import as_before, begun, under_load
from tests.cluster.small import told

Json = dict[str, Any]


def history(app: App, *words: str) -> Json:
    found = app.run("history", app.name, *words, "-o", "json")
    assert found.returncode == 0, found.stderr
    whole: Json = json.loads(found.stdout)
    return whole


def released(app: App, revision: str, *words: str) -> None:
    app.env(REVISION=revision)
    told(app.release(*words), 0, "promoted")
    assert app.live_revisions() == {revision: 6}


def test_a_named_revision_comes_back_and_the_record_tells_all_of_it(balances: App) -> None:
    app = balances.install()
    first = app.hash_of("r1")
    with under_load(app):
        released(app, "r2", "--reason", "JIRA-2")
        released(app, "r3", "--reason", "JIRA-3\nsecond line \x1b[31m")
        told(app.run("rollback", app.name, "--to", "no"), 2, "no such revision; there are ")
        back = app.run("rollback", app.name, "--to", first[:6], "--reason", "errors in checkout")
        told(back, 0, f"rolled back to {first}", ": errors in checkout)")
        assert app.live_revisions() == {"r1": 6}
    assert as_before(app)
    whole = history(app)
    assert (whole["kind"], whole["live"]["hash"]) == ("History", first)
    assert whole["wayBack"]["hash"] == app.hash_of("r2")
    last, third, second = whole["releases"]
    assert [one["outcome"] for one in (last, third, second)] == ["rolledBack", "promoted", "promoted"]
    assert [one["revision"] for one in (last, third, second)] == [first, app.hash_of("r3"), app.hash_of("r2")]
    assert [one["before"] for one in (last, third, second)] == [app.hash_of("r3"), app.hash_of("r2"), first]
    assert [one["words"][0]["reason"] for one in (last, third, second)] == [
        "errors in checkout", "JIRA-3 second line", "JIRA-2",
    ]  # fmt: skip
    assert last["words"][0]["by"] == last["by"]
    assert last["reason"] == f"rolled back by {last['by']}: errors in checkout"
    assert [one["live"] for one in (last, third, second)] == [True, False, False]
    assert [one["wayBack"] for one in (last, third, second)] == [False, False, True]
    assert second["gates"][0].startswith("before smoke passed: /healthz: 200 from 5 of 5 pods")
    ids = {
        box["imageID"].rpartition("@")[2] for pod in app.pods() for box in pod["status"]["containerStatuses"]
    }
    assert ids <= set(last["digests"]["app"])
    assert all(one["digests"]["app"][0].startswith("sha256:") for one in (third, second))
    assert all(0 < one["durationSeconds"] < 120 for one in whole["releases"])
    assert history(app, third["id"][:8])["releases"] == [third]


@pytest.mark.parametrize("service", ["balances", "sessions"])
def test_a_release_in_flight_is_replaced_without_losing_a_request(service: str, request: Any) -> None:
    app = request.getfixturevalue(service).install()
    with under_load(app):
        first = begun(app, "--reason", "the wrong build", says="asking the gates before")
        app.env(REVISION="r3")
        said = told(
            app.release(), 6, "another release of ", "--replace turns it round and then begins this one"
        )
        assert "stable comes back first" not in said
        said = told(app.release("--replace", "--reason", "the right build"), 0, "promoted")
        assert 0 < said.index("comes back first") < said.index("back on ") < said.index("now this release")
        assert first.ends() == 6
        assert app.live_revisions() == {"r3": 6}
    assert as_before(app)
    right, wrong = history(app)["releases"]
    assert (right["outcome"], wrong["outcome"]) == ("promoted", "aborted")
    assert wrong["reason"] == f"replaced by {right['by']}: the right build"
    assert [(one["verb"], one["reason"]) for one in wrong["words"]] == [
        ("release", "the wrong build"), ("replace", "the right build"),
    ]  # fmt: skip
    assert wrong["digests"]["app"]
    assert (right["live"], right["words"][0]["reason"]) == (True, "the right build")
