"""What a pod's spec says about its container: its environment, its ports, what comes before its end."""

from __future__ import annotations

import re
from typing import Any

Json = dict[str, Any]
USUAL_PORT = 8080  # where the example app listens unless PORT says otherwise
REFERENCE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)|\$\$")
SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


def first(pod: Json) -> Json:
    """Give the container that is run: the first one."""
    container: Json = pod["spec"]["containers"][0]
    return container


def environment(pod: Json) -> dict[str, str]:
    """Give the container's environment as the example app will see it in its pod."""
    env: dict[str, str] = {"HOSTNAME": str(pod["spec"].get("hostname") or pod["metadata"]["name"])}
    for one in first(pod).get("env") or []:
        env[one["name"]] = _value(pod, one, env)
    return env


def _value(pod: Json, one: Json, before: dict[str, str]) -> str:
    if "valueFrom" not in one:
        return expanded(one.get("value", ""), before)
    return field(pod, one["valueFrom"].get("fieldRef", {}).get("fieldPath", ""))


def expanded(text: str, env: dict[str, str]) -> str:
    """Put variables named before in place of $(NAME); $$ is one $, an unknown name stays as it is.

    https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
    """

    def found(match: re.Match[str]) -> str:
        return env.get(match[1], match[0]) if match[1] else "$"

    return REFERENCE.sub(found, text)


def field(pod: Json, path: str) -> str:
    """Read a field of the pod as the downward API names it; "" where there is none."""
    if subscript := SUBSCRIPT.fullmatch(path):
        return str((pod["metadata"].get(subscript[1]) or {}).get(subscript[2], ""))
    found: Any = pod
    for step in path.split("."):
        found = found.get(step, "") if isinstance(found, dict) else ""
    return ",".join(each["ip"] for each in found) if isinstance(found, list) else str(found)


def named_port(container: Json, port: int | str) -> int | None:
    """Give the number of a port that a probe names."""
    if isinstance(port, int):
        return port
    named = {one.get("name"): one["containerPort"] for one in container.get("ports") or []}
    return named.get(port)


def listened(env: dict[str, str]) -> int:
    """Give the port on which the example app listens in its pod."""
    given = env.get("PORT", "")
    return int(given) if given.isdecimal() else USUAL_PORT


def before_end(pod: Json) -> Json:
    """Give the container's preStop hook; {} where it has none."""
    hook: Json = (first(pod).get("lifecycle") or {}).get("preStop") or {}
    return hook
