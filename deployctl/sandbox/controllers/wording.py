"""Names metrics and what they saw in the words of the autoscaler."""

from __future__ import annotations

from typing import Any

from deployctl.sandbox.controllers.proposals import Proposal
from deployctl.sandbox.objects.amounts import amount, written

Json = dict[str, Any]


def about(one: Json, problem: str) -> str:
    metric = one["spec"]["metrics"][0]
    if metric["type"] != "Resource":
        return problem
    return f"failed to get {metric['resource']['name']} resource metric value: {problem}"


def no_kind(ref: Json) -> str:
    group = ref.get("apiVersion", "").rpartition("/")[0]
    return f'no matches for kind "{ref["kind"]}" in group "{group}"'


def wanted(metric: Json) -> str:
    if metric["type"] != "Resource":
        return f"{metric['type'].lower()} metric"
    share = "averageUtilization" in metric["resource"]["target"]
    return f"{metric['resource']['name']} {'utilization' if share else 'usage'}"


def named(metric: Json) -> str:
    resource = metric["resource"]
    share = "averageUtilization" in resource["target"]
    return f"{resource['name']} resource" + (" utilization (percentage of request)" if share else "")


def shown(metric: Json, proposal: Proposal | None) -> Json:
    """Show in the status what a metric saw."""
    if proposal is None:
        return {"type": ""}
    resource = metric["resource"]
    average = amount(f"{proposal.average}m")
    current = {"averageValue": written(average, binary=resource["name"] == "memory")}
    share = {"averageUtilization": proposal.share} if "averageUtilization" in resource["target"] else {}
    return {"type": "Resource", "resource": {"name": resource["name"], "current": {**share, **current}}}
