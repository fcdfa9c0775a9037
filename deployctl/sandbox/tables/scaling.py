"""The cells of `kubectl get hpa`: what is measured beside what is wanted."""

from __future__ import annotations

from typing import Any

from deployctl.sandbox.objects.amounts import canonical
from deployctl.sandbox.tables.ages import age

Json = dict[str, Any]
NONE = "<none>"
UNKNOWN = "<unknown>"


def autoscaler(one: Json, now: float) -> list[Any]:
    spec, status = one["spec"], one.get("status") or {}
    target = spec["scaleTargetRef"]
    return [
        one["metadata"]["name"],
        f"{target['kind']}/{target['name']}",
        _metrics(spec.get("metrics") or [], status.get("currentMetrics") or []),
        str(spec["minReplicas"]) if "minReplicas" in spec else "<unset>",
        spec["maxReplicas"],
        status.get("currentReplicas", 0),
        age(one["metadata"].get("creationTimestamp"), now),
    ]


def _metrics(specs: list[Json], statuses: list[Json]) -> str:
    told = [_metric(one, statuses[at] if at < len(statuses) else {}) for at, one in enumerate(specs)]
    more = f" + {len(told) - 2} more..." if len(told) > 2 else ""
    return (", ".join(told[:2]) or NONE) + more


def _metric(spec: Json, status: Json) -> str:
    key = spec["type"][0].lower() + spec["type"][1:]
    wanted, current = spec[key]["target"], (status.get(key) or {}).get("current") or {}
    named = f"{spec[key]['name']}: " if key in {"resource", "containerResource"} else ""
    if "averageValue" in wanted:
        averaged = " (avg)" if key in {"external", "object"} else ""
        return f"{named}{_amount(current, 'averageValue')}/{canonical(wanted['averageValue'])}{averaged}"
    if "averageUtilization" in wanted:
        used = current.get("averageUtilization")
        return f"{named}{UNKNOWN if used is None else f'{used}%'}/{wanted['averageUtilization']}%"
    return f"{named}{_amount(current, 'value')}/{canonical(wanted.get('value', '0'))}"


def _amount(current: Json, key: str) -> str:
    return canonical(current[key]) if key in current else UNKNOWN
