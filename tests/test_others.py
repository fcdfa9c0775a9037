"""What somebody else wrote in mid-release is told once, with who, what and when."""

from __future__ import annotations

from typing import Any

from deployctl.memory import adopted
from deployctl.others import Others
from tests.objects import (
    deployment,
    held,
    hold,
    memory,
    own,
    remembering,
    rolling_update,
    service,
    snapshot,
    template,
)

Json = dict[str, Any]
OLD, NEW = template("wallet:1"), template("wallet:2")
HELD = hold(0, "83%", paused=True)
KEPT = memory(wrote=HELD)


def by(manager: str, field: str, thing: Json) -> Json:
    entry = {"manager": manager, "time": "2026-11-23T12:05:00Z", "fieldsV1": {"f:spec": {f"f:{field}": {}}}}
    return {**thing, "metadata": {**thing["metadata"], "managedFields": [entry]}}


def waiting(pods: Json = NEW, **spec: Any) -> Json:
    """Build a Deployment that waits with its preview."""
    return remembering(deployment(pods, **{**held(HELD), **spec}), KEPT)


def told(now: Json, *services: Json) -> list[str]:
    """Tell what differs from what the release left."""
    others = Others.since(snapshot(waiting()), OLD, NEW)
    first = list(others.notices(snapshot(now), services))
    assert list(others.notices(snapshot(now), services)) == []
    return first


def test_what_is_as_it_was_left_is_not_told() -> None:
    assert told(waiting()) == []


def test_an_image_is_told_with_who_wrote_it_and_when() -> None:
    now = by("kubectl-set", "template", waiting(template("wallet:3")))
    assert told(now) == [
        (
            "kubectl-set at 2026-11-23T12:05:00Z wrote image of app: wallet:2 -> wallet:3; "
            "stored and inert: this release goes on with its own template"
        )
    ]


def test_a_variable_that_may_be_a_secret_is_told_without_its_value() -> None:
    now = by("kubectl-set", "template", waiting(template("wallet:2", DB_PASSWORD="hunter2", MODE="quick")))
    assert [text.partition(";")[0] for text in told(now)] == [
        (
            "kubectl-set at 2026-11-23T12:05:00Z wrote template.spec.containers[app].env: nothing -> "
            '[{"name":"DB_PASSWORD","value":"(hidden)"},{"name":"MODE","value":"quick"}]'
        )
    ]


def test_a_size_is_followed_and_the_hold_is_put_back() -> None:
    now = by("kubectl", "replicas", waiting(replicas=8, minReadySeconds=1))
    assert told(now) == [
        (
            "kubectl at 2026-11-23T12:05:00Z wrote spec.minReadySeconds: 1000000000 -> 1; "
            "the hold is put back, and this comes back at the end"
        ),
        "kubectl at 2026-11-23T12:05:00Z wrote spec.replicas: 6 -> 8; followed",
    ]


def test_what_was_written_while_no_process_lived_is_told_by_the_next() -> None:
    look = snapshot(by("kubectl", "replicas", waiting(replicas=8)))
    assert "wrote spec.replicas: 6 -> 8; followed" in next(Others.since(look, OLD, NEW).notices(look, ()))


def test_a_service_that_is_not_listed_and_selects_the_pods_is_named() -> None:
    stranger = by("kubectl-expose", "selector", service("stranger"))
    assert told(waiting(), stranger)[0].startswith("Service stranger (last written by kubectl-expose at")


def test_an_image_that_was_written_over_is_offered_as_the_next_release() -> None:
    others = Others.since(snapshot(waiting()), OLD, NEW)
    list(others.notices(snapshot(by("kubectl-set", "template", waiting(template("wallet:3")))), ()))
    assert others.offers("wallet", NEW) == (
        "kubectl-set at 2026-11-23T12:05:00Z wrote image of app: wallet:2 -> wallet:3: written over by this release",
        "deployctl release wallet --image app=wallet:3",
    )


def test_the_old_template_that_was_written_over_is_offered_as_a_rollback() -> None:
    others = Others.since(snapshot(waiting()), OLD, NEW)
    list(others.notices(snapshot(waiting(OLD)), ()))
    assert others.offers("wallet", NEW)[-1] == "deployctl rollback wallet"


def test_an_edit_that_was_taken_back_is_not_offered() -> None:
    others = Others.since(snapshot(waiting()), OLD, NEW)
    list(others.notices(snapshot(waiting(template("wallet:3"))), ()))
    list(others.notices(snapshot(waiting()), ()))
    assert others.offers("wallet", NEW) == ()


def test_what_is_written_over_the_hold_is_the_users_own_from_then_on_key_by_key() -> None:
    now = deployment(NEW, **{**held(HELD), "minReadySeconds": 1, "strategy": rolling_update(0, 2)})
    assert adopted(KEPT, now).own == own(min_ready_seconds=1, strategy=rolling_update("25%", 2))
