"""A policy becomes native objects, and a wrong one is refused at its line."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from deployctl.autoscaling.native import budget_spec, scaler_spec
from deployctl.autoscaling.policy import Policy
from deployctl.errors import SpecError
from deployctl.spec import read
from tests.autoscaling.objects import TARGET

Json = dict[str, Any]
HEAD = """apiVersion: deployctl.dev/v1alpha1
kind: App
metadata: {name: wallet}
spec:
  workload: {deployment: wallet, services: [wallet]}
  strategy: {rolling: {}}
  autoscaling:
"""
BOUNDS = "    min: 6\n    max: 60\n"
KEDA = "github.com/kedacore/keda/v2@v2.21.0"


def policy(text: str, bounds: str = BOUNDS) -> Policy:
    body = "".join(f"    {line}\n" for line in text.splitlines())
    app = read("-", stdin=io.BytesIO((HEAD + bounds + body).encode())).apps[0]
    assert app.spec.autoscaling is not None
    return app.spec.autoscaling


def test_cpu_is_a_share_of_what_is_requested_or_an_amount_a_pod() -> None:
    share = scaler_spec(policy("cpu: 60%"), TARGET)["metrics"]
    amount = scaler_spec(policy("cpu: 500m"), TARGET)["metrics"]
    assert share[0]["resource"] == {
        "name": "cpu",
        "target": {"type": "Utilization", "averageUtilization": 60},
    }
    assert amount[0]["resource"]["target"] == {"type": "AverageValue", "averageValue": "500m"}


EVERY = """cpu: 60%
memory: 512Mi
metrics:
  - pods: {metric: open_rounds, average: 200}
  - object: {metric: requests, kind: Service, name: wallet, value: 2k}
  - external: {metric: queue_age, average: 5, selector: {queue: bets}}
  - container: {name: app, cpu: 70%}
behavior:
  up: {window: 0s, policies: [{percent: 100, every: 15s}]}
  down: {window: 5m, select: min, policies: [{pods: 1, every: 60s}]}"""


def test_every_kind_of_metric_is_one_of_autoscaling_v2() -> None:
    spec = scaler_spec(policy(EVERY), TARGET)
    kinds = [one["type"] for one in spec["metrics"]]
    assert kinds == ["Resource", "Resource", "Pods", "Object", "External", "ContainerResource"]
    assert spec["behavior"]["scaleDown"] == {
        "selectPolicy": "Min",
        "stabilizationWindowSeconds": 300,
        "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
    }
    assert spec["metrics"][4]["external"]["metric"]["selector"] == {"matchLabels": {"queue": "bets"}}


def test_what_is_not_said_of_behavior_is_not_written() -> None:
    assert "behavior" not in scaler_spec(policy("cpu: 60%"), TARGET)


def test_a_budget_is_a_count_or_a_percentage() -> None:
    one = policy("cpu: 60%\npdb: {maxUnavailable: 25%}").pdb
    other = policy("cpu: 60%\npdb: {minAvailable: 4}").pdb
    assert one is not None
    assert other is not None
    assert budget_spec(one, {"matchLabels": {"app": "wallet"}}) == {
        "selector": {"matchLabels": {"app": "wallet"}},
        "maxUnavailable": "25%",
    }
    assert budget_spec(other, {})["minAvailable"] == 4


TRIGGERS = """keda:
  - {kafka: {brokers: "kafka:9092", group: settle, topic: bets, lag: 50}, authentication: kafka}
  - {rabbitmq: {queue: payouts, hostFromEnv: RABBIT, length: 20}}
  - {prometheus: {url: "http://prometheus:9090", query: "sum(rate(bets[1m]))", threshold: 100}}
  - {cron: {timezone: Europe/Malta, start: 0 17 * * 6, end: 0 23 * * 6, replicas: 20}}
cpu: 60%
behavior: {down: {window: 5m}}"""


def test_triggers_of_keda_are_text_alone() -> None:
    triggers = scaler_spec(policy(TRIGGERS), TARGET)["triggers"]
    assert [one["type"] for one in triggers] == ["cpu", "kafka", "rabbitmq", "prometheus", "cron"]
    assert triggers[1] == {
        "type": "kafka",
        "metadata": {
            "bootstrapServers": "kafka:9092",
            "consumerGroup": "settle",
            "topic": "bets",
            "lagThreshold": "50",
        },
        "authenticationRef": {"name": "kafka"},
    }
    assert triggers[2]["metadata"] == {
        "queueName": "payouts",
        "hostFromEnv": "RABBIT",
        "mode": "QueueLength",
        "value": "20",
    }
    assert {type(value) for one in triggers for value in one["metadata"].values()} == {str}


@cache
def scaled_object() -> Json:
    """Give the schema of the real CRD, closed: an unknown key is an error and not pruned in silence."""
    done = subprocess.run(
        ["go", "mod", "download", "-json", KEDA], capture_output=True, text=True, check=False
    )
    folder = json.loads(done.stdout or "{}").get("Dir")
    if not folder:
        pytest.skip(f"{KEDA} cannot be had: {done.stdout or done.stderr}")
    crd = yaml.safe_load(Path(folder, "config/crd/bases/keda.sh_scaledobjects.yaml").read_text())
    found: Json = closed(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"])
    return found


def closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    whole = {key: closed(value) for key, value in schema.items()}
    return {**whole, "additionalProperties": False} if "properties" in whole else whole


@pytest.mark.skipif(shutil.which("go") is None, reason="the CRD of KEDA comes from its Go module")
def test_a_scaled_object_is_what_kedas_own_crd_takes() -> None:
    spec = scaler_spec(policy(TRIGGERS), {"kind": "Deployment", "name": "wallet", "apiVersion": "apps/v1"})
    validator = Draft202012Validator(scaled_object())
    assert list(map(str, validator.iter_errors(spec))) == []
    assert list(map(str, validator.iter_errors({**spec, "minReplicas": 1}))) != []


@pytest.mark.parametrize(
    ("text", "bounds", "problem"),
    [
        ("cpu: 60%", "    min: 7\n    max: 6\n", "8:10: spec.autoscaling.min: 7 is over max 6; expected at most 6"),
        ("cpu: 60%", "    min: 0\n    max: 6\n", "8:10: spec.autoscaling.min: 0 needs KEDA"),
        ("cpu: 60 %", BOUNDS, "10:10: spec.autoscaling.cpu: got 60 %; expected a percentage of what is requested"),
        ("pdb: {minAvailable: 1}", BOUNDS, "8:5: spec.autoscaling: nothing to count pods by"),
        ("cpu: 60%\npdb: {}", BOUNDS, "11:10: spec.autoscaling.pdb: none given; expected exactly one of"),
        ("cpu: 60%\npdb: {minAvailable: 100%}", BOUNDS, "11:10: spec.autoscaling.pdb: minAvailable 100% lets no node"),
        ("metrics: [{external: {metric: q}}]", BOUNDS, "none given; expected exactly one of value, average"),
        ("metrics: [{pods: {metric: q, average: 1}}]\nkeda: [{kafka: {brokers: k, group: g}}]", BOUNDS, "10:14: spec.autoscaling.metrics: given beside keda"),
        ("cpu: 60%\nbehavior: {up: {window: 2h}}", BOUNDS, "11:29: spec.autoscaling.behavior.up.window: 7200s; expected whole seconds from 0s to 3600s"),
        ("keda: [{cron: {timezone: Europe/Atlantis, start: 0 1 * * *, end: 0 2 * * *, replicas: 2}}]", BOUNDS, "spec.autoscaling.keda[0].cron.timezone: Europe/Atlantis is no zone"),
        ("cpu: 60%\npeaks: [{name: derby, at: 2026-04-11 16:00, floor: 40}]", BOUNDS, "11:31: spec.autoscaling.peaks[0].at: 2026-04-11 16:00 says no zone"),
        ("cpu: 60%\npeaks: [{name: derby, at: 2026-04-11T16:00Z, floor: 80}]", BOUNDS, "11:12: spec.autoscaling.peaks: floor 80 of derby is over max 60"),
        ("cpu: 60%\npeaks: [{name: night, at: 2026-03-29 01:30 Europe/London, floor: 40}]", BOUNDS, "no clock of Europe/London shows it"),
        ("cpu: 60%\npeaks: [{name: night, at: 2026-10-25 01:30 Europe/London, floor: 40}]", BOUNDS, "show it twice, for summer time ends there: say the offset"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_at_its_line(text: str, bounds: str, problem: str) -> None:
    with pytest.raises(SpecError) as caught:
        policy(text, bounds)
    assert problem in str(caught.value)
