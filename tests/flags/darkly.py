"""A small server of LaunchDarkly's published shapes, as its API and as a Relay Proxy: it keeps, patches and evaluates.

It is a stand-in that was written from the documentation, and was never compared with the real one.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from tests.answering import Call, Reply

Json = dict[str, Any]
TOKEN, SDK_KEY = "api-token-of-a-test", "sdk-key-of-a-test"
PROJECT, ENVIRONMENT = "wallets", "production"
SEMANTIC = "domain-model=launchdarkly.semanticpatch"


def flag(key: str, values: list[Any], *, off: int | None = 1, **here: Any) -> Json:
    """Make a flag that is off, as `GET /api/v2/flags/{project}/{key}` shows it."""
    ids = [f"{key}-variation-{at}" for at in range(len(values))]
    environment = {
        "on": False,
        "archived": False,
        "salt": "c0ffee",
        "sel": "decaf",
        "lastModified": 1700000000000,
        "version": 1,
        "targets": [],
        "contextTargets": [],
        "rules": [],
        "fallthrough": {"variation": 0},
        "offVariation": off,
        "prerequisites": [],
        "_environmentName": "Production",
        "trackEvents": False,
    }
    return {
        "key": key,
        "name": f"The flag {key}",
        "kind": "boolean" if values == [True, False] else "multivariate",
        "_version": 1,
        "tags": [],
        "archived": False,
        "variations": [{"_id": one, "value": value} for one, value in zip(ids, values, strict=True)],
        "environments": {ENVIRONMENT: {**environment, **here}},
    }


class WrongError(Exception):
    """A request that the server refuses: the status, the code, the message."""


@dataclass
class Darkly:
    """Answers as LaunchDarkly does; `busy` is what it answers first, as when too much is asked of it."""

    flags: dict[str, Json]
    approvals: Json | None = None
    audit: list[Json] = field(default_factory=list)
    busy: list[Reply] = field(default_factory=list)

    def here(self, key: str) -> Json:
        found: Json = self.flags[key]["environments"][ENVIRONMENT]
        return found

    def __call__(self, call: Call) -> Reply:
        if self.busy:
            return self.busy.pop()
        try:
            return Reply(200, self._answer(call))
        except WrongError as error:
            status, code, message = error.args
            return Reply(status, {"code": code, "message": message, "id": "30ce6058"})

    def _answer(self, call: Call) -> Any:
        if call.path.startswith("/sdk/evalx/contexts/"):
            return self._relay(call)
        if call.token != TOKEN:
            raise WrongError(401, "unauthorized", "Invalid access token")
        if call.headers.get("LD-API-Version") != "20240415":
            raise WrongError(400, "invalid_request", "no such version of the API")
        match call.method, call.path.removeprefix("/api/v2/").split("/"):
            case "GET", ["flags", project]:
                return self._list(project, call.query)
            case "GET", ["flags", project, key]:
                return self._shown(project, unquote(key), call.query)
            case "PATCH", ["flags", project, key]:
                return self._patched(project, unquote(key), call)
            case "GET", ["projects", project, "environments", environment]:
                self._known(project, environment)
                found = {"key": environment, "name": "Production", "requireComments": True}
                return found | ({"approvalSettings": self.approvals} if self.approvals else {})
            case "POST", ["projects", project, "environments", environment, "flags", "evaluate"]:
                self._known(project, environment)
                return self._evaluations(call)
            case "GET", ["auditlog"]:
                return {"items": self.audit[: int(call.query.get("limit", 20))]}
        raise WrongError(404, "not_found", "Invalid resource identifier")

    def _known(self, project: str, environment: str = ENVIRONMENT) -> None:
        if (project, environment) != (PROJECT, ENVIRONMENT):
            raise WrongError(404, "not_found", "Unknown project or environment key")

    def _flag(self, project: str, key: str) -> Json:
        self._known(project)
        if key not in self.flags:
            raise WrongError(404, "not_found", "Unknown feature key")
        return self.flags[key]

    def _shown(self, project: str, key: str, query: dict[str, str]) -> Json:
        found = copy.deepcopy(self._flag(project, key))
        wanted = query.get("env")
        found["environments"] = {
            name: one for name, one in found["environments"].items() if wanted in (None, name)
        }
        return found

    def _list(self, project: str, query: dict[str, str]) -> Json:
        self._known(project)
        at, limit = int(query.get("offset", 0)), int(query.get("limit", 20))
        every = [self._shown(project, key, query) for key in self.flags]
        for one in every if query.get("summary") != "0" else ():
            for part in ("targets", "contextTargets", "rules", "prerequisites"):
                one["environments"].get(ENVIRONMENT, {}).pop(part, None)
        return {"items": every[at : at + limit], "totalCount": len(every), "_links": {}}

    # -- patched

    def _patched(self, project: str, key: str, call: Call) -> Json:
        """Make every instruction or none, as the documentation promises."""
        before, body = self._flag(project, key), json.loads(call.body)
        if SEMANTIC not in call.headers.get("Content-Type", ""):
            raise WrongError(400, "invalid_request", "a JSON patch is an array of operations")
        if not body.get("comment"):
            raise WrongError(400, "invalid_request", "Comment is required")
        if self.approvals and self.approvals["required"]:
            raise WrongError(405, "method_not_allowed", "Approval is required to make this request")
        self._known(project, body["environmentKey"])
        after = copy.deepcopy(before)
        for one in body["instructions"]:
            self._instructed(after, one)
        if after != before:
            self._written(key, after, "token", {"name": "deployctl"})
        return self.flags[key]

    def _written(self, key: str, after: Json, who: str, by: Json) -> None:
        after["environments"][ENVIRONMENT]["version"] += 1
        after["_version"] += 1
        self.flags[key] = after
        self.audit.insert(0, {"date": 1700000001000, who: by, "title": f"changed {key}"})

    def poke(self, key: str, change: Callable[[Json], Any]) -> None:
        """Change a flag as a person does in the browser."""
        after = copy.deepcopy(self.flags[key])
        change(after["environments"][ENVIRONMENT])
        self._written(key, after, "member", {"email": "bob@example.com"})

    def _instructed(self, whole: Json, one: Json) -> None:
        here, ids = whole["environments"][ENVIRONMENT], [each["_id"] for each in whole["variations"]]
        match one["kind"]:
            case "turnFlagOn" | "turnFlagOff":
                here["on"] = one["kind"] == "turnFlagOn"
            case "updateOffVariation":
                here["offVariation"] = _index(ids, one["variationId"])
            case "updateFallthroughVariationOrRollout":
                here["fallthrough"] = _serves(ids, one)
            case "replaceRules":
                here["rules"] = [self._rule(ids, each) for each in one["rules"]]
            case "replaceTargets":
                here["targets"], here["contextTargets"] = [], []
                for each in one["targets"]:
                    kind = each.get("contextKind", "user")
                    target = {"values": each["values"], "variation": _index(ids, each["variationId"])}
                    where = "targets" if kind == "user" else "contextTargets"
                    here[where].append({**target, "contextKind": kind})
            case other:
                raise WrongError(422, "unprocessable", f"unknown instruction {other}")

    def _rule(self, ids: list[str], one: Json) -> Json:
        kept = {name: one[name] for name in ("description", "trackEvents") if name in one}
        clauses = [{"_id": f"clause-{time.monotonic_ns()}", **each} for each in one["clauses"]]
        return {"_id": f"rule-{time.monotonic_ns()}", **kept, "clauses": clauses, **_serves(ids, one)}

    # -- evaluated

    def _evaluations(self, call: Call) -> Json:
        """Answer with every flag whose key or name has the text, as the filter is described."""
        text = call.query["filter"].removeprefix("query equals ").lower()
        found = [one for key, one in self.flags.items() if text in key.lower() or text in one["name"].lower()]
        whom = json.loads(call.body)
        items = [{"key": one["key"], "name": one["name"], **self._evaluated(one, whom)} for one in found]
        return {"items": items, "totalCount": len(items), "_links": {}}

    def _relay(self, call: Call) -> Json:
        if call.token != SDK_KEY:
            raise WrongError(401, "unauthorized", "no such environment")
        whom = json.loads(base64.urlsafe_b64decode(call.path.rpartition("/")[2]))
        return {
            key: {"value": self._evaluated(one, whom)["_value"], "version": one["_version"]}
            for key, one in self.flags.items()
        }

    def _evaluated(self, one: Json, whom: Json) -> Json:
        here, reason = one["environments"][ENVIRONMENT], "FALLTHROUGH"
        if not here["on"]:
            index, reason = here["offVariation"], "OFF"
        else:
            index = next(self._chosen(one, here, whom))
        value = None if index is None else one["variations"][index]["value"]
        return {"_value": value, "reason": {"kind": reason}}

    def _chosen(self, one: Json, here: Json, whom: Json) -> Iterator[int]:
        for target in (*here["targets"], *here["contextTargets"]):
            if whom["kind"] == target["contextKind"] and whom["key"] in target["values"]:
                yield target["variation"]
        for rule in here["rules"]:
            if all(whom.get(clause["attribute"]) in clause["values"] for clause in rule["clauses"]):
                yield _bucketed(rule, one["key"], here["salt"], whom)
        yield _bucketed(here["fallthrough"], one["key"], here["salt"], whom)


def _index(ids: list[str], name: str) -> int:
    if name not in ids:
        raise WrongError(400, "invalid_request", f"unknown variation {name}")
    return ids.index(name)


def _serves(ids: list[str], one: Json) -> Json:
    if "variationId" in one:
        return {"variation": _index(ids, one["variationId"])}
    weights = {_index(ids, name): weight for name, weight in one["rolloutWeights"].items()}
    if sum(weights.values()) != 100_000:
        raise WrongError(400, "invalid_request", "weights have to add up to 100000")
    rollout = {
        "variations": [{"variation": at, "weight": weights[at]} for at in sorted(weights)],
        "contextKind": one.get("rolloutContextKind", "user"),
    }
    by = {"bucketBy": one["rolloutBucketBy"]} if "rolloutBucketBy" in one else {}
    return {"rollout": {**rollout, **by}}


def _bucketed(serves: Json, key: str, salt: str, whom: Json) -> int:
    """Place a context as the SDKs do: the first 15 hexadecimal digits of a SHA-1, of as much as they can be."""
    if "variation" in serves:
        found: int = serves["variation"]
        return found
    text = f"{key}.{salt}.{whom['key']}"
    at = int(hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:15], 16) / 0xFFFFFFFFFFFFFFF
    upto = 0.0
    for one in serves["rollout"]["variations"]:
        upto += one["weight"] / 100_000
        if at < upto:
            break
    return int(one["variation"])
