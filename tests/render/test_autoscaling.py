"""Autoscalers in words: what is measured, the bounds, who holds one and until when, what is to come."""

from __future__ import annotations

import datetime as dt
from typing import Any

from deployctl.autoscaling import held, obligations
from deployctl.autoscaling.applying import Change
from deployctl.autoscaling.held import Hold
from deployctl.autoscaling.peak import Peak
from deployctl.cluster.api import Request
from deployctl.render import autoscaling as render
from tests.autoscaling.objects import hpa, scaled_object, served

Json = dict[str, Any]
NOW = dt.datetime(2026, 4, 11, 12, tzinfo=dt.UTC)
DERBY = Peak(name="derby", at="2026-04-11 16:00 Europe/London", floor="3x")
SURGE = Hold("surge", 20, by="ann@laptop", until="2026-04-11T21:00:00Z", why="cup")
RELEASE = Hold("release r42", 14, still=True)
CREATED = Change(
    "create", "HorizontalPodAutoscaler", "wallet", Request("POST", "/x"), (("spec.minReplicas", None, 6),)
)
SAME = Change("same", "PodDisruptionBudget", "wallet")


def told(scaler: Json) -> str:
    return render.described_text(render.described(scaler, NOW))


def kept(scaler: Json, *holds: Hold, events: tuple[Peak, ...] = ()) -> Json:
    request = held.write(scaler, holds, obligations.remembered(events, NOW))
    return served(scaler, request.body if request else None)


def measured(scaler: Json, **more: Any) -> Json:
    return {**scaler, "status": {"currentReplicas": 6, "desiredReplicas": 9, **more}}


def test_one_that_has_not_looked_yet_says_its_bounds() -> None:
    assert told(hpa()).splitlines() == [
        "HorizontalPodAutoscaler wallet of wallet: not measured yet; 6 to 60",
        "  cpu: not measured, aimed at 60%",
    ]


def test_each_metric_is_told_with_its_target() -> None:
    status = {
        "type": "Resource",
        "resource": {"name": "cpu", "current": {"averageUtilization": 45, "averageValue": "45m"}},
    }
    assert told(measured(hpa(), currentMetrics=[status])).splitlines()[1] == "  cpu: 45%, aimed at 60%"
    amount = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "AverageValue", "averageValue": "50m"}},
    }
    one = measured(hpa(metrics=[amount]), currentMetrics=[status])
    assert told(one).splitlines()[1] == "  cpu: 45m, aimed at 50m"


def test_one_that_is_at_work_says_its_size_and_its_wish() -> None:
    assert told(measured(hpa())).splitlines()[0].endswith("wallet: 6 pods, wants 9; 6 to 60")


def test_who_holds_it_until_when_and_why_and_the_next_event_are_told() -> None:
    assert told(kept(hpa(), SURGE, RELEASE, events=(DERBY,))).splitlines()[2:] == [
        "  held at 20 by surge of ann@laptop until 2026-04-11T21:00:00Z: cup",
        "  held at 14 by release r42 until it is over",
        "  next peak: derby at 2026-04-11T15:00:00Z",
    ]


def test_the_users_own_bounds_are_told_under_a_hold() -> None:
    one = render.described(kept(hpa(), SURGE), NOW)
    assert (one["min"], one["floor"], one["max"]) == (6, 20, 60)


def test_one_of_keda_begins_at_none_and_ends_at_a_hundred() -> None:
    assert told(scaled_object()) == "ScaledObject wallet of wallet: not measured yet; 0 to 100"


def test_one_that_cannot_scale_says_why() -> None:
    condition = {"type": "ScalingActive", "status": "False", "reason": "FailedGet", "message": "no metrics"}
    assert told(measured(hpa(), conditions=[condition])).endswith("  cannot scale: FailedGet: no metrics")


def test_what_was_done_is_one_line() -> None:
    assert (
        render.applied("wallet", (CREATED, SAME), dry=False)
        == "wallet: create HorizontalPodAutoscaler wallet"
    )
    assert render.applied("wallet", (SAME,), dry=True) == "wallet: nothing to do"
    assert render.applied("wallet", (CREATED,), dry=True).endswith("(dry run: nothing was written)")


def test_a_plan_tells_the_changes_then_what_they_do_and_what_warns() -> None:
    whole = {
        "app": "wallet",
        "namespace": "igaming",
        "now": ["now 6 pods"],
        "peaks": [],
        "overlaps": [],
        "room": "",
        "warnings": ["one"],
    }
    assert render.plan(whole, (CREATED, SAME)).splitlines() == [
        "wallet in igaming",
        "",
        "  create HorizontalPodAutoscaler wallet",
        "    spec.minReplicas: nothing -> 6",
        "  same PodDisruptionBudget wallet",
        "",
        "now",
        "  now 6 pods",
        "warning: one",
    ]
