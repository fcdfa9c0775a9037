"""The example platform's specs for production: they read, they name what each service depends on, and plan prints it."""

from __future__ import annotations

import datetime as dt
import re

import pytest
import yaml

from deployctl.autoscaling.calendar import Reading, extended, over_https
from deployctl.autoscaling.native import budget_spec, hpa_spec
from deployctl.cli.planning import Asked, planned
from deployctl.cli.session import Subject
from deployctl.gates.hosts import allowed
from deployctl.render.plan import text
from deployctl.spec import canonical, read
from tests.sandbox.rehearsing import EXAMPLE, Scene, loaded

SPECS = sorted(EXAMPLE.glob("*/production.yaml"))
DEPENDS = {
    "balances": {"postgres", "memcached", "prometheus"},
    "game-sessions": {"redis", "prometheus"},
    "odds": {"kafka", "grpc", "prometheus"},
    "payments": {"rabbitmq", "http", "prometheus"},
    "wallet": {"galera", "prometheus"},
}
SCALED = set(DEPENDS) - {"wallet"}  # whose size is its number of copies
each_spec = pytest.mark.parametrize("spec", SPECS, ids=lambda one: one.parent.name)


def stages(app):
    return {"before": app.spec.gates.before, "during": app.spec.gates.during, "after": app.spec.gates.after}


def test_every_service_has_one():
    assert {one.parent.name for one in SPECS} == set(DEPENDS)


@each_spec
def test_it_is_valid_and_has_a_gate_for_each_kind_that_its_service_depends_on(spec):
    found = read(spec)
    kinds = {gate.ask.kind for gates in stages(found.apps[0]).values() for gate in gates}
    assert not found.warnings
    assert DEPENDS[spec.parent.name] <= kinds


@each_spec
def test_it_releases_the_same_as_the_spec_of_the_practice_cluster(spec):
    mine, usual = canonical(read(spec).apps[0])["spec"], canonical(loaded(spec.parent.name).apps[0])["spec"]
    assert _alone(mine) == _alone(usual)


def _alone(spec):
    """Leave out what the platform of production has besides: its gates and its calendars."""
    scaled = spec.get("autoscaling")
    return {**spec, "gates": None, "autoscaling": scaled and {**scaled, "calendars": []}}


@pytest.mark.parametrize("name", sorted(SCALED))
def test_its_policy_is_the_autoscaler_and_the_budget_that_lie_beside_it(name):
    folder, policy = EXAMPLE / name, loaded(name).apps[0].spec.autoscaling
    hpa, pdb = (yaml.safe_load((folder / f"{one}.yaml").read_text())["spec"] for one in ("hpa", "pdb"))
    behavior = {"scaleUp": {"selectPolicy": "Max"}, "scaleDown": {"selectPolicy": "Max"}}
    for way, usual in behavior.items():
        hpa["behavior"][way] = {**usual, **hpa["behavior"][way]}
    assert hpa_spec(policy, hpa["scaleTargetRef"]) == hpa
    assert budget_spec(policy.pdb, pdb["selector"]) == pdb


@pytest.mark.parametrize("name", sorted(SCALED))
def test_its_calendar_has_a_match_day_whenever_it_is_asked(name):
    policy = read(EXAMPLE / name / "production.yaml").apps[0].spec.autoscaling
    for month in range(1, 13):
        now = dt.datetime(2027, month, 5, tzinfo=dt.UTC)
        found, _ = extended(policy, Reading(name, EXAMPLE / name, now, over_https))
        names = {one.name.partition(" 202")[0] for one in found.peaks}
        assert names == {"Saturday's matches", "Wednesday night"}


def test_a_match_day_in_summer_begins_at_the_same_hour_of_its_country():
    policy = read(EXAMPLE / "odds/production.yaml").apps[0].spec.autoscaling
    now = dt.datetime(2036, 6, 20, tzinfo=dt.UTC)
    found, _ = extended(policy, Reading("odds", EXAMPLE / "odds", now, over_https))
    final = next(one for one in found.peaks if one.name == "final")
    assert (final.begins.hour, final.floor, final.before_seconds) == (19, "12", 7200.0)
    assert {one.begins.hour for one in found.peaks if one.name.startswith("Saturday")} == {14}


@each_spec
def test_it_keeps_every_gate_of_the_spec_of_the_practice_cluster(spec):
    mine, usual = stages(read(spec).apps[0]), stages(loaded(spec.parent.name).apps[0])
    assert all(gate in mine[stage] for stage, gates in usual.items() for gate in gates)


@each_spec
def test_every_host_that_it_asks_is_allowed_by_its_own_list(spec):
    hosts = re.findall(r"host: ([\w.-]+)|https?://([\w.-]+)", spec.read_text())
    names = read(spec).apps[0].spec.gates.hosts
    assert hosts
    assert all(allowed(one or other, names) for one, other in hosts)


@each_spec
def test_every_password_is_a_reference_to_a_secret(spec):
    passwords = [line for line in spec.read_text().splitlines() if "password:" in line]
    assert all(
        re.search(r"password: \{secret: \{name: [\w-]+, key: password\}\}$", line) for line in passwords
    )


@pytest.mark.parametrize("name", ["balances", "game-sessions", "odds", "payments"])
def test_plan_prints_every_gate_of_it_in_full(name):
    scene = Scene(name)
    found = read(EXAMPLE / name / "production.yaml")
    ask = Asked(["localhost/igaming:2"], restart=False, promote="", wait="finished")
    printed = text(planned(scene.api, Subject(found.apps[0], found.objects[0], None), ask).plan)
    assert f"gates, with those of the profile {found.apps[0].spec.gates.profile}" in printed
    never = "during" if found.apps[0].spec.strategy.kind == "blueGreen" else ""
    asked = [
        (stage, gate) for stage, gates in stages(found.apps[0]).items() for gate in gates if stage != never
    ]
    assert [one for one in asked if f"  {one[0]} {one[1].name}: {one[1].ask.kind}: " not in printed] == []
