"""A profile names the gates of a kind of service; the spec may say otherwise, and the plan prints them in full."""

from __future__ import annotations

import io
from typing import get_args

import pytest

from deployctl.errors import SpecError
from deployctl.profiles import Profile, gates_of
from deployctl.spec import canonical, from_canonical, read, said

HEAD = """\
apiVersion: deployctl.dev/v1alpha1
kind: App
metadata: {name: wallet}
spec:
  workload: {deployment: wallet, services: [wallet]}
  strategy: {rolling: {}}
  gates:
"""
METRICS = 'metrics: {url: "http://prometheus.monitoring.svc:9090"}'


def app(*lines):
    text = HEAD + "".join(f"    {line}\n" for line in lines)
    return read("-", stdin=io.BytesIO(text.encode())).apps[0]


def problem(*lines):
    with pytest.raises(SpecError) as caught:
        app(*lines)
    return str(caught.value)


def names(gates):
    return [one.name for one in gates]


@pytest.mark.parametrize("profile", get_args(Profile))
def test_every_profile_is_a_spec_that_reads(profile):
    gates = app(f"profile: {profile}", METRICS).spec.gates
    assert names(gates.before) == ["health", "restarts"]
    assert names(gates.during) == names(gates.after) == [one["name"] for one in gates_of(profile)["after"]]
    assert {"restarts", "success-rate", "latency"} <= set(names(gates.after))


@pytest.mark.parametrize("profile", get_args(Profile))
def test_a_gate_of_traffic_judges_only_traffic_that_is_enough_and_fresh(profile):
    for gate in app(f"profile: {profile}", METRICS).spec.gates.after:
        if gate.ask.kind == "prometheus":
            assert gate.max_age_seconds <= 60
        if gate.name in ("success-rate", "latency"):
            assert gate.min_samples == 100


def test_a_gate_of_the_same_name_and_stage_stands_instead():
    gates = app("profile: wallet", METRICS, "before: [{name: health, tcp: {}}]").spec.gates
    assert names(gates.before) == ["restarts", "health"]
    assert gates.before[1].ask.kind == "tcp"


def test_gates_of_ones_own_come_after_those_of_the_profile():
    assert (
        names(app("profile: odds", METRICS, "after: [{name: mine, tcp: {}}]").spec.gates.after)[-1] == "mine"
    )


def test_a_gate_may_be_left_out():
    gates = app("profile: wallet", "without: [latency, debit-without-credit]", METRICS).spec.gates
    assert names(gates.after) == ["restarts", "success-rate", "wallet-rollbacks"]


def test_what_is_left_out_must_be_there():
    assert "without: lateny is none of" in problem("profile: wallet", "without: [lateny]", METRICS).replace(
        "gates.", ""
    )


def test_a_profile_without_a_prometheus_is_refused():
    told = problem("profile: wallet")
    assert "gate success-rate asks a Prometheus and none is named; expected metrics: {url: ...}" in told


def test_the_record_keeps_the_gates_in_full_and_reads_them_back():
    one = app("profile: wallet", "without: [latency]", METRICS)
    kept = canonical(one)
    assert [gate["name"] for gate in kept["spec"]["gates"]["after"]] == names(one.spec.gates.after)
    assert from_canonical(kept) == one


def test_a_gate_is_said_in_a_line_without_what_is_usual():
    one = app(
        'before: [{name: smoke, interval: 2s, http: {path: /ready, expect: [200, 204], contains: "a: b"}}]'
    )
    assert said(one.spec.gates.before[0]) == (
        'http: {path: /ready, expect: [200, 204], contains: "a: b"}, interval: 2s'
    )
