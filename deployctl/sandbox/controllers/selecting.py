"""Says what a label selector selects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]


def labels_of(one: Json) -> Mapping[str, str]:
    return one["metadata"].get("labels") or {}


def holds(wanted: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Say whether every wanted label is there, as the selector of a Service asks."""
    return all(labels.get(key) == value for key, value in wanted.items())


def selects(selector: Json | None, labels: Mapping[str, str]) -> bool:
    """Say whether a LabelSelector selects an object with these labels; none selects nothing."""
    if selector is None or not holds(selector.get("matchLabels") or {}, labels):
        return False
    return all(_meets(one, labels) for one in selector.get("matchExpressions") or ())


def _meets(expression: Json, labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:  # DoesNotExist
            return key not in labels
