"""What must differ between two clusters, and what is written down in its stead."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

VALUES = {
    "uid": "UID",
    "resourceVersion": "VERSION",
    "continue": "TOKEN",
    "pod-template-hash": "HASH",
    "containerID": "ID",
    "imageID": "ID",
    "clusterIP": "IP",
    "nodePort": 30000,
    "nodeName": "NODE",
    "node": "NODE",
    "reportingInstance": "NODE",
    "host": "NODE",
}
DROPPED = {"managedFields"}  # probes that are about them pick them
TEXT = (
    (r"\b(Created|Deleted) pod: (\S+)-[bcdfghjklmnpqrstvwxz2456789]{5}\b", r"\1 pod: \2-*"),
    (r"(?s)-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", "CERTIFICATE"),
    (r"https?://[0-9.]+:\d+", "SERVER"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UID"),
    (r"\b(10|127|172|192)\.\d+\.\d+\.\d+\b", "IP"),
    (r"\b(node0|sandbox)\b", "NODE"),
    (r"kube-api-access-[0-9a-z]{5}\b", "kube-api-access-*"),
    (r"(pod-template-hash(?:=|: +|\":\"))[0-9a-z]{6,10}\b", r"\1HASH"),
    (r"(?<=-)[4-9bcdf]{6,10}-[bcdfghjklmnpqrstvwxz2456789]{5}\b", "HASH-*"),
    (r"(?<=-)[4-9bcdf]{6,10}(?![0-9a-z])", "HASH"),
    (r'"\{\\"(?:[^"\\]|\\.)*"', '"{...}"'),  # an object as Go quotes it, field by field in Go's order
    (r"(?s)(if it was previously negative\)\n).*", r"\1..."),  # two Go structs, line by line
    (r"\b(in record|precondition) \(\d+\)", r"\1 (VERSION)"),
    (r"\bin [0-9.]+m?s \([0-9.]+m?s including waiting\)", "in SECONDS"),
)
SPOKEN = (
    (r"(?m)^[EWI]\d{4} [0-9:.]+ +\d+ ", "LOG "),
    (r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", "TIME"),
    (r"(resourceVersion\"?: \"?)\d+", r"\1VERSION"),
    (r"(?<=\S) {2,}", "  "),
    (r"(?m)(?<=  )\d+[smhd](\d+[smh])?( \(x\d+ over \S+\))?(?=  |$)", "AGE"),
    (r"\(\d+[smh](\d+s)? ago\)", "(AGE ago)"),
    (r"(?m)[ \t]+$", ""),
)


def normal(value: Any, namespace: str, key: str = "") -> Any:
    """Give a value with everything that must differ replaced; lists of objects in the order of their new text."""
    if value and (instead := VALUES.get(key, VALUES.get(key.rpartition(".")[2]))):
        return instead
    if isinstance(value, dict):
        return _object(value, namespace)
    if isinstance(value, list):
        inner = [normal(one, namespace) for one in value]
        return sorted(inner, key=_text) if key in {"items", "endpoints"} else inner
    return _line(value, namespace) if isinstance(value, str) else value


def _object(value: dict[str, Any], namespace: str) -> dict[str, Any]:
    kept = {key: normal(one, namespace, key) for key, one in value.items() if key not in DROPPED}
    if {"name", "type", "format", "priority"} <= kept.keys():
        kept.pop("description", None)  # of a table's column: pages of prose that kubectl does not show
    if isinstance(kept.get("cells"), list):
        kept["cells"] = [
            re.sub(r"^\d+[smhd](\d+[smh])?$", "AGE", one) if isinstance(one, str) else one
            for one in kept["cells"]
        ]
    prefix = value.get("generateName")
    if prefix and str(kept.get("name", "")).startswith(normal(prefix, namespace)):
        kept["name"] = f"{kept['generateName']}*"
    return kept


def _line(text: str, namespace: str) -> str:
    text = text.replace(namespace, "NS")
    for pattern, instead in TEXT:
        text = re.sub(pattern, instead, text)
    return text


def spoken(text: str) -> str:
    """Give what kubectl said without the widths of its columns, ages and moments."""
    for pattern, instead in SPOKEN:
        text = re.sub(pattern, instead, text)
    return text


def _text(one: Any) -> str:
    return json.dumps(one, sort_keys=True)


def written(value: Any) -> str:
    """Write a value so that a person reads it: text as it is, everything else as YAML."""
    if isinstance(value, str):
        return value
    return yaml.safe_dump(
        value, sort_keys=True, default_flow_style=None, width=110, allow_unicode=True
    ).removesuffix("...\n")
