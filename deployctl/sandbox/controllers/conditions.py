"""Asks and changes the conditions in a status."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def condition(one: Json, kind: str) -> Json | None:
    """Give an object's condition of a type."""
    for each in one.get("status", {}).get("conditions") or ():
        if each["type"] == kind:
            return dict(each)
    return None


def without(conditions: list[Json], kind: str) -> list[Json]:
    return [each for each in conditions if each["type"] != kind]


def settled(conditions: list[Json], new: Json) -> list[Json]:
    """Set a condition as the apps controllers do: one with the same status and reason stays as it was.

    Where only the reason is new, the time of its last transition stays.
    """
    old = next((each for each in conditions if each["type"] == new["type"]), None)
    if old and (old["status"], old.get("reason")) == (new["status"], new.get("reason")):
        return conditions
    if old and old["status"] == new["status"] and "lastUpdateTime" in new:
        new = {**new, "lastTransitionTime": old["lastTransitionTime"]}
    return [*without(conditions, new["type"]), new]


def updated(conditions: list[Json], new: Json, at: str) -> list[Json]:
    """Set a condition where it stands; `at` is the time of a transition, where its status changes."""
    old = next((each for each in conditions if each["type"] == new["type"]), None)
    if old is None:
        return [*conditions, {**new, "lastTransitionTime": at}]
    since = old.get("lastTransitionTime") if old["status"] == new["status"] else at
    return [{**new, "lastTransitionTime": since} if each is old else each for each in conditions]
