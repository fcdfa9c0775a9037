"""The launchDarkly provider sets flags by semantic patch, and has them evaluated by the server or by each Relay Proxy.

https://launchdarkly.com/docs/api
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from msgspec import Meta

from deployctl.errors import DeployctlError, UsageError
from deployctl.flags import Context, Reading, Setting, Value
from deployctl.flags.calling import Missing, Server, server, side_by_side
from deployctl.flags.remote import Remote
from deployctl.flags.values import plain, same, shown
from deployctl.gates import Asked
from deployctl.gates.credential import Credential, FilePath
from deployctl.gates.fetch import Url, check_url
from deployctl.gates.fetch import shown as address

Json = dict[str, Any]
SEMANTIC = "application/json; domain-model=launchdarkly.semanticpatch"
VERSION = "20240415"  # of the API, sent with each request
WHOLE = 100_000  # weights are thousandths of a per cent
PAGE = 50
WORD = r"^[A-Za-z0-9._-]+$"
RULE = ("description", "clauses", "trackEvents", "disabled")
Project = Annotated[str, Meta(pattern=WORD, extra={"expected": "the key of a project"})]
Environment = Annotated[str, Meta(pattern=WORD, extra={"expected": "the key of an environment"})]
Kind = Annotated[str, Meta(pattern=WORD, extra={"expected": "a kind of context"})]


@dataclass(frozen=True)
class LaunchDarkly(Remote):
    """Flags of one environment of LaunchDarkly: a variation for everybody, or a share by its percentage rollout.

    project: its key
    environment: its key; whose state is read and written
    token: an API access token that may read the project and update the targeting of its flags
    url: of the API; hosts are allowed by being named here
    endpoints: what applications are served by, each Relay Proxy; the API itself evaluates unless given
    sdkKey: of the environment, which the Relay Proxies ask for
    contextKind: of the context that flags are evaluated for, and that a share is of
    bypassApprovals: the token's role may change flags without the approval that the environment asks for
    ca: a file of certificates that they are trusted by, instead of the usual
    spread: how long SDKs and relays may take to see a write
    """

    project: Project
    environment: Environment
    token: Credential
    url: Url = "https://app.launchdarkly.com"
    endpoints: Annotated[tuple[Url, ...], Meta(extra={"unique": ""})] = ()
    sdk_key: Credential | None = None
    context_kind: Kind = "user"
    bypass_approvals: bool = False
    ca: FilePath | None = None
    spread_seconds: float = 30.0

    def __post_init__(self) -> None:
        check_url(self.url)
        for one in self.endpoints:
            check_url(one, "endpoints")
        if bool(self.endpoints) != bool(self.sdk_key):
            raise ValueError("expected endpoints and sdkKey together: a Relay Proxy asks for the SDK key")

    @property
    def where(self) -> str:
        return f"{address(self.url)} ({self.project}, {self.environment})"

    # -- evaluated

    def read(self, key: str, context: Context, asked: Asked) -> tuple[Reading, ...]:
        whom = {"kind": self.context_kind, "key": context.key, **dict(context.fields)}
        if not self.endpoints:
            return (_reading(self.url, lambda: self._evaluated(key, whom, asked)),)
        return side_by_side(
            lambda one: _reading(one, lambda: self._relayed(one, key, whom, asked)), self.endpoints
        )

    def _evaluated(self, key: str, whom: Json, asked: Asked) -> tuple[Value | None, str]:
        """Ask the API; its filter finds every flag whose key or name has the text in it."""
        query = urlencode({"filter": f"query equals {key}"})
        found = self._api(asked).json("POST", f"{self._environment}/flags/evaluate?{query}", whom)
        mine = next((one for one in _items(found) if one.get("key") == key), None)
        if mine is None:
            return None, f"it has no flag {key}"
        if (mine.get("reason") or {}).get("kind") == "ERROR":
            return None, f"its reason is ERROR ({mine['reason'].get('errorKind', 'not said')})"
        return _valued(mine.get("_value"))

    def _relayed(self, relay: str, key: str, whom: Json, asked: Asked) -> tuple[Value | None, str]:
        text = base64.urlsafe_b64encode(json.dumps(whom).encode()).decode()
        found = server(asked, relay, self.sdk_key, authority=self.ca).json(
            "GET", f"/sdk/evalx/contexts/{text}"
        )
        mine = found.get(key) if isinstance(found, dict) else None
        return _valued(mine.get("value")) if isinstance(mine, dict) else (None, f"it has no flag {key}")

    # -- kept

    def setting(self, key: str, asked: Asked) -> Setting:
        there = self._api(asked)
        try:
            found = there.json("GET", f"{self._flag(key)}?{urlencode({'env': self.environment})}")
        except Missing as error:
            raise UsageError(f"{self.where} has no flag {key}: {error}") from None
        return self._setting(found, self._approval(there))

    def settings(self, asked: Asked) -> tuple[Setting, ...]:
        there = self._api(asked)
        approval = self._approval(there)
        every = (self._setting(one, approval) for one in self._pages(there))
        return tuple(sorted(every, key=lambda one: one.key))

    def _pages(self, there: Server) -> Iterator[Json]:
        """List the flags with their rules, which a summary leaves out."""
        at = 0
        while True:
            query = urlencode({"env": self.environment, "summary": "0", "limit": PAGE, "offset": at})
            found = _items(there.json("GET", f"/api/v2/flags/{self.project}?{query}"))
            yield from found
            at += len(found)
            if len(found) < PAGE:
                return

    def _setting(self, found: Json, approval: Json) -> Setting:
        key, here = str(found["key"]), (found.get("environments") or {}).get(self.environment)
        if here is None:
            raise UsageError(f"{key} of {self.where}: no such environment")
        was = kept(found, here)
        value, share = state(was)
        locked = _locked(found, {} if self.bypass_approvals else approval, self.environment)
        return Setting(key, value, str(here.get("version", "")), share, locked, was)

    def _approval(self, there: Server) -> Json:
        """Read what approvals the environment asks for; without that feature it says nothing."""
        try:
            found = there.json("GET", self._environment)
        except Missing as error:
            raise UsageError(f"{self.where}: no such project or environment: {error}") from None
        return dict(found.get("approvalSettings") or {})

    # -- written

    def give(self, now: Setting, value: Value, reason: str, asked: Asked) -> None:
        """Turn a flag off where off gives the value, even if rules decide; else serve its variation to all."""
        was: Json = dict(now.was or {})
        values = was["variations"]
        if was["off"] is not None and same(values[was["off"]], value):
            return self._patch(now.key, [{"kind": "turnFlagOff"}], reason, asked)
        name = self._variation(now.key, values, value)
        self._check_ruled(now.key, was)
        serve = {"kind": "updateFallthroughVariationOrRollout", "variationId": name}
        return self._patch(now.key, [serve, {"kind": "turnFlagOn"}], reason, asked)

    def share(self, now: Setting, percent: int, reason: str, asked: Asked) -> None:
        was: Json = dict(now.was or {})
        on, off = (self._variation(now.key, was["variations"], truth) for truth in (True, False))
        self._check_ruled(now.key, was)
        part = percent * WHOLE // 100
        serve = {
            "kind": "updateFallthroughVariationOrRollout",
            "rolloutContextKind": self.context_kind,
            "rolloutWeights": {on: part, off: WHOLE - part},
        }
        self._patch(now.key, [serve, {"kind": "turnFlagOn"}], reason, asked)

    def put_back(self, now: Setting, was: Any, reason: str, asked: Asked) -> None:
        """Write every part that differs in one patch, which is made whole or not at all."""
        here: Json = dict(now.was or {})
        if instructions := list(_back(here, was)):
            self._patch(now.key, instructions, reason, asked)
        for part in ("prerequisites", "variations"):
            if here[part] != was[part]:
                raise DeployctlError(
                    f"{now.key} of {self.where}: its {part} were changed, and are not put back from here",
                    advice="see the flag's change history in LaunchDarkly",
                )

    def _variation(self, key: str, values: Mapping[str, Any], wanted: Value) -> str:
        found = next((name for name, value in values.items() if same(value, wanted)), None)
        if found is None:
            known = ", ".join(shown(plain(one)) for one in values.values())
            raise UsageError(f"{key} of {self.where} cannot be {shown(wanted)}; its variations are {known}")
        return found

    def _check_ruled(self, key: str, was: Json) -> None:
        if ruled(was):
            raise UsageError(
                f"{key} of {self.where}: its targets, rules or prerequisites decide who gets it",
                advice="a value for everybody, or a share, needs a flag without them; off can be set all the same",
            )

    def _patch(self, key: str, instructions: list[Json], reason: str, asked: Asked) -> None:
        body = {"environmentKey": self.environment, "comment": reason, "instructions": instructions}
        self._api(asked).json("PATCH", self._flag(key), body, SEMANTIC)

    def by(self, key: str, asked: Asked) -> str:
        """Name who wrote last, by the audit log."""
        spec = f"proj/{self.project}:env/{self.environment}:flag/{key}"
        try:
            found = self._api(asked).json("GET", f"/api/v2/auditlog?{urlencode({'spec': spec, 'limit': 1})}")
        except DeployctlError:
            return ""
        last = next(iter(_items(found)), None)
        return f"{_who(last)} at {_when(last.get('date'))}" if last else ""

    def _flag(self, key: str) -> str:
        return f"/api/v2/flags/{self.project}/{quote(key, safe='')}"

    @property
    def _environment(self) -> str:
        return f"/api/v2/projects/{self.project}/environments/{self.environment}"

    def _api(self, asked: Asked) -> Server:
        there = server(asked, self.url, self.token, authority=self.ca)
        return replace(there, headers={**there.headers, "LD-API-Version": VERSION})


def _reading(endpoint: str, ask: Any) -> Reading:
    try:
        return Reading(address(endpoint), *ask())
    except DeployctlError as error:
        return Reading(address(endpoint), None, str(error))


def _valued(value: Any) -> tuple[Value | None, str]:
    found = plain(value)
    if found is not None:
        return found, ""
    return None, "no variation is served, so an application uses its own default" if value is None else (
        "its value is an object"
    )


def _items(found: Any) -> list[Json]:
    items = found.get("items") if isinstance(found, dict) else None
    return [one for one in items or () if isinstance(one, dict)]


def _who(entry: Json) -> str:
    return str(
        (entry.get("member") or {}).get("email") or (entry.get("token") or {}).get("name") or "somebody"
    )


def _when(date: Any) -> str:
    if not isinstance(date, int):
        return "some time"
    return dt.datetime.fromtimestamp(date / 1000, dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _locked(found: Json, approval: Json, environment: str) -> str:
    """Say why a flag cannot be written: approvals may be asked for all flags, or for those with a tag."""
    if found.get("archived"):
        return "it is archived"
    tags = set(approval.get("requiredApprovalTags") or ())
    if approval.get("required") and (not tags or tags & set(found.get("tags") or ())):
        return f"{environment} takes changes of it only with an approval"
    return ""


def kept(found: Json, here: Json) -> Json:
    """Give the state of a flag in an environment as instructions say it: variations by their ids, never by index."""
    names = [str(one["_id"]) for one in found["variations"]]
    off = here.get("offVariation")
    return {
        "on": bool(here.get("on")),
        "off": None if off is None else names[off],
        "serve": _served(here.get("fallthrough") or {}, names),
        "targets": list(_targets(here, names)),
        "rules": [_rule(one, names) for one in here.get("rules") or ()],
        "prerequisites": [
            {"key": one["key"], "variation": one["variation"]} for one in here.get("prerequisites") or ()
        ],
        "variations": {name: one["value"] for name, one in zip(names, found["variations"], strict=True)},
    }


def _served(one: Json, names: list[str]) -> Json:
    """Say what a rule or the default serves: one variation, or several by weight."""
    if one.get("variation") is not None:
        return {"variationId": names[one["variation"]]}
    rollout = one.get("rollout") or {}
    weights = {names[each["variation"]]: each["weight"] for each in rollout.get("variations") or ()}
    by = {"rolloutContextKind": rollout.get("contextKind"), "rolloutBucketBy": rollout.get("bucketBy")}
    return {"rolloutWeights": weights, **{name: part for name, part in by.items() if part}} if weights else {}


def _targets(here: Json, names: list[str]) -> Iterator[Json]:
    for kind in ("targets", "contextTargets"):
        for one in here.get(kind) or ():
            if one.get("values"):
                yield {
                    "contextKind": one.get("contextKind") or "user",
                    "variationId": names[one["variation"]],
                    "values": list(one["values"]),
                }


def _rule(one: Json, names: list[str]) -> Json:
    """Give a rule without what the server alone gives it, such as its id."""
    rule = {name: one[name] for name in RULE if name in one}
    clauses = [
        {name: part for name, part in each.items() if name != "_id"} for each in one.get("clauses") or ()
    ]
    return {**rule, "clauses": clauses, **_served(one, names)}


def ruled(was: Json) -> bool:
    return bool(was["targets"] or was["rules"] or was["prerequisites"])


def state(was: Json) -> tuple[Value | None, bool]:
    """Give what everybody gets, or the per cent who do and that it is a share; no value where rules decide."""
    if not was["on"]:
        return plain(was["variations"].get(was["off"])), False
    if ruled(was):
        return None, False
    if "variationId" in was["serve"]:
        return plain(was["variations"].get(was["serve"]["variationId"])), False
    share = _share(was)
    return share, share is not None


def _share(was: Json) -> int | None:
    """Read a share of true and false in whole per cent: 25000 of 100000 for true is 25."""
    weights: Json = was["serve"].get("rolloutWeights") or {}
    values = [was["variations"].get(name) for name in weights]
    if not weights or not all(isinstance(one, bool) for one in values):
        return None
    part = sum(weight for name, weight in weights.items() if was["variations"][name])
    return part * 100 // WHOLE if part * 100 % WHOLE == 0 and sum(weights.values()) == WHOLE else None


def _back(here: Json, was: Json) -> Iterator[Json]:
    """Write the instructions that make one state of another."""
    if here["off"] != was["off"] and was["off"] is not None:
        yield {"kind": "updateOffVariation", "variationId": was["off"]}
    if here["serve"] != was["serve"] and was["serve"]:
        yield {"kind": "updateFallthroughVariationOrRollout", **was["serve"]}
    if here["targets"] != was["targets"]:
        yield {"kind": "replaceTargets", "targets": was["targets"]}
    if here["rules"] != was["rules"]:
        yield {"kind": "replaceRules", "rules": was["rules"]}
    if here["on"] != was["on"]:
        yield {"kind": "turnFlagOn" if was["on"] else "turnFlagOff"}
