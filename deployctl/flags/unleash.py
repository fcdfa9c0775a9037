"""The unleash provider sets flags through the admin API and evaluates them as an SDK does, from each endpoint's client API.

https://docs.getunleash.io/reference/api/unleash
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

from msgspec import Meta

from deployctl.errors import DeployctlError, UsageError
from deployctl.flags import Context, Reading, Setting, Value
from deployctl.flags.calling import Missing, Server, server, side_by_side
from deployctl.flags.remote import Remote, truth, version
from deployctl.gates import Asked
from deployctl.gates.credential import Credential, FilePath
from deployctl.gates.fetch import Url, check_url, shown

Json = dict[str, Any]
ROLLOUT = "flexibleRollout"
WORD = r"^[A-Za-z0-9._~-]+$"
Project = Annotated[str, Meta(pattern=WORD, extra={"expected": "the id of a project"})]
Environment = Annotated[str, Meta(pattern=WORD, extra={"expected": "the name of an environment"})]
PARTS = ("id", "name", "title", "parameters", "constraints", "segments", "variants", "disabled", "sortOrder")


@dataclass(frozen=True)
class Unleash(Remote):
    """Flags of one environment of an Unleash: on, off, or given to a share by its gradual rollout.

    url: of the server, up to the path before /api; hosts are allowed by being named here
    environment: whose state is read and written
    token: of the admin API: a service account's or an admin token
    clientToken: of the client API (a backend token of that environment)
    project: of the flags
    endpoints: what applications are served by, such as each Unleash Edge; the server itself unless given
    ca: a file of certificates that they are trusted by, instead of the usual
    spread: how long SDKs and relays may take to see a write: twice their polling interval
    """

    url: Url
    environment: Environment
    token: Credential
    client_token: Credential
    project: Project = "default"
    endpoints: Annotated[tuple[Url, ...], Meta(extra={"unique": ""})] = ()
    ca: FilePath | None = None
    spread_seconds: float = 30.0

    def __post_init__(self) -> None:
        check_url(self.url)
        for one in self.endpoints:
            check_url(one, "endpoints")

    @property
    def where(self) -> str:
        return f"{shown(self.url)} ({self.project}, {self.environment})"

    def read(self, key: str, context: Context, asked: Asked) -> tuple[Reading, ...]:
        return side_by_side(
            lambda one: self._reading(one, key, context, asked), self.endpoints or (self.url,)
        )

    def _reading(self, endpoint: str, key: str, context: Context, asked: Asked) -> Reading:
        try:
            there = server(asked, endpoint, self.client_token, authority=self.ca)
            found = there.json("GET", f"/api/client/features/{quote(key, safe='')}")
            value, why = evaluated(found, context)
            return Reading(shown(endpoint), value, why)
        except DeployctlError as error:
            return Reading(shown(endpoint), None, str(error))

    def setting(self, key: str, asked: Asked) -> Setting:
        there = self._admin(asked)
        try:
            found = there.json("GET", self._feature(key))
        except Missing as error:
            raise UsageError(f"{self.where} has no flag {key}: {error}") from None
        return self._setting(key, self._mine(key, found), self._locked(there))

    def settings(self, asked: Asked) -> tuple[Setting, ...]:
        found = self._admin(asked).json("GET", f"/api/admin/projects/{self.project}/features")
        names = sorted(one["name"] for one in found.get("features", ()))
        return side_by_side(lambda name: self.setting(name, asked), names)

    def _setting(self, key: str, mine: Json, locked: str) -> Setting:
        was = {"enabled": mine["enabled"], "strategies": [_kept(one) for one in mine.get("strategies", ())]}
        value, rollout = state(enabled=was["enabled"], strategies=was["strategies"])
        return Setting(key, value, version(was), rollout, locked, was)

    def _mine(self, key: str, found: Json) -> Json:
        """Find the environment of a flag."""
        every: dict[str, Json] = {one["name"]: one for one in found.get("environments", ())}
        if self.environment not in every:
            known = ", ".join(every) or "none"
            raise UsageError(f"{key} of {self.where}: no such environment; it has {known}")
        return every[self.environment]

    def _locked(self, there: Server) -> str:
        """Say whether the environment wants a change request for each change; open source has none."""
        try:
            found = there.json("GET", f"/api/admin/projects/{self.project}/change-requests/config")
        except Missing:
            return ""
        wanted = [one for one in found if one.get("environment") == self.environment]
        if any(one.get("changeRequestEnabled") for one in wanted):
            return f"{self.environment} takes changes only by change request, which somebody approves"
        return ""

    def give(self, now: Setting, value: Value, reason: str, asked: Asked) -> None:
        del reason  # the server has no place for it
        there = self._admin(asked)
        if not truth(now.key, value, self.where):
            return self._turn(there, now.key, on=False)
        strategies = _was(now)["strategies"]
        if strategies and state(enabled=True, strategies=strategies) != (True, False):
            self._give_share(there, now, 100)
        return self._turn(there, now.key, on=True)

    def share(self, now: Setting, percent: int, reason: str, asked: Asked) -> None:
        """Write the share first, and turn the flag on only then: nobody gets it before."""
        del reason
        there = self._admin(asked)
        self._give_share(there, now, percent)
        if not _was(now)["enabled"]:
            self._turn(there, now.key, on=True)

    def _give_share(self, there: Server, now: Setting, percent: int) -> None:
        strategies = _was(now)["strategies"]
        rollout = {"groupId": now.key, "stickiness": "default", "rollout": str(percent)}
        if not strategies:
            return self._strategy(
                there, "POST", now.key, {"name": ROLLOUT, "parameters": rollout, "constraints": []}
            )
        if len(strategies) > 1 or not _gradual(strategies[0]):
            raise UsageError(
                f"{now.key} of {self.where}: its strategies decide who gets it",
                advice="a share, or everybody, needs one gradual rollout without constraints and segments",
            )
        one = strategies[0]
        parameters = {**one["parameters"], "rollout": str(percent)}
        return self._strategy(there, "PUT", now.key, {**one, "disabled": False, "parameters": parameters})

    def put_back(self, now: Setting, was: Any, reason: str, asked: Asked) -> None:
        """Off first, where it was off; on last, where it was on; and never enabled without its strategies."""
        del reason
        there = self._admin(asked)
        if not was["enabled"] and _was(now)["enabled"]:
            self._turn(there, now.key, on=False)
        here = {one["id"]: one for one in _was(now)["strategies"]}
        for one in was["strategies"]:
            if here.get(one["id"]) != one:
                self._strategy(there, "PUT" if one["id"] in here else "POST", now.key, one)
        kept = {one["id"] for one in was["strategies"]}
        for gone in (one for one in here if one not in kept):
            there.json("DELETE", f"{self._strategies(now.key)}/{quote(gone, safe='')}")
        if was["enabled"] and not _was(now)["enabled"]:
            self._turn(there, now.key, on=True)

    def by(self, key: str, asked: Asked) -> str:
        """Name who wrote last, by the log of events."""
        try:
            found = self._admin(asked).json("GET", f"/api/admin/events/{quote(key, safe='')}")
        except DeployctlError:
            return ""
        last = next(iter(found.get("events") or ()), None)
        return f"{last.get('createdBy', 'somebody')} at {last.get('createdAt', 'some time')}" if last else ""

    def _turn(self, there: Server, key: str, *, on: bool) -> None:
        where = f"{self._feature(key)}/environments/{self.environment}/{'on' if on else 'off'}"
        there.json("POST", where, {})

    def _strategy(self, there: Server, method: str, key: str, one: Json) -> None:
        body = {name: part for name, part in one.items() if name != "id" and part is not None}
        which = f"/{quote(one['id'], safe='')}" if method == "PUT" else ""
        there.json(method, self._strategies(key) + which, body)

    def _strategies(self, key: str) -> str:
        return f"{self._feature(key)}/environments/{self.environment}/strategies"

    def _feature(self, key: str) -> str:
        return f"/api/admin/projects/{self.project}/features/{quote(key, safe='')}"

    def _admin(self, asked: Asked) -> Server:
        return server(asked, self.url, self.token, authority=self.ca)


def _was(one: Setting) -> Any:
    return one.was


def _kept(strategy: Json) -> Json:
    return {name: strategy[name] for name in PARTS if name in strategy}


def _gradual(one: Json) -> bool:
    return one["name"] == ROLLOUT and not one.get("constraints") and not one.get("segments")


def _rollout(one: Json) -> int | None:
    told = str(one.get("parameters", {}).get("rollout", ""))
    return int(told) if told.isdecimal() else None


def state(*, enabled: bool, strategies: list[Json]) -> tuple[Value | None, bool]:
    """Give what everybody gets, or the per cent who do and that it is a share; no value where strategies decide.

    One strategy that lets a user in is enough. An enabled flag without any is on, as in every SDK.
    """
    if not enabled:
        return False, False
    active = [one for one in strategies if not one.get("disabled")]
    if not active or any(_everybody(one) for one in active):
        return True, False
    if len(active) == 1 and _gradual(active[0]):
        share = _rollout(active[0])
        return share, share is not None
    return None, False


def _everybody(one: Json) -> bool:
    bare = not one.get("constraints") and not one.get("segments")
    return bare and (one["name"] == "default" or (one["name"] == ROLLOUT and _rollout(one) == 100))


def evaluated(found: Json, context: Context) -> tuple[Value | None, str]:
    """Evaluate what the client API serves, for one user; what needs more than his id is no value."""
    strategies = found.get("strategies")
    if not isinstance(found.get("enabled"), bool) or not isinstance(strategies, list):
        return None, "the answer is no feature"
    value, share = state(enabled=found["enabled"], strategies=strategies)
    if share:
        return _within(strategies[0]["parameters"], str(found.get("name", "")), int(value or 0), context)
    return value, "" if value is not None else "its strategies have constraints that are not evaluated here"


def _within(
    parameters: Mapping[str, str], name: str, share: int, context: Context
) -> tuple[bool | None, str]:
    by = parameters.get("stickiness", "default")
    who = context.key if by in {"default", "userId"} else dict(context.fields).get(by, "")
    if share == 0:
        return False, ""
    if not who:
        return None, f"its rollout goes by {by}, which the context does not have"
    return bucket(who, parameters.get("groupId") or name) <= share, ""


def bucket(who: str, group: str) -> int:
    """Place a user from 1 to 100, as every SDK does: 123 of the group gr1 is at 73."""
    return _murmur(f"{group}:{who}".encode()) % 100 + 1


def _murmur(text: bytes) -> int:
    """Hash with MurmurHash3, 32 bit for x86, seed 0."""
    state_, whole = 0, len(text) // 4 * 4
    for at in range(0, whole, 4):
        state_ = _rotated(state_ ^ _mixed(int.from_bytes(text[at : at + 4], "little")), 13)
        state_ = (state_ * 5 + 0xE6546B64) & 0xFFFFFFFF
    state_ ^= _mixed(int.from_bytes(text[whole:], "little")) ^ len(text)
    state_ = (state_ ^ (state_ >> 16)) * 0x85EBCA6B & 0xFFFFFFFF
    state_ = (state_ ^ (state_ >> 13)) * 0xC2B2AE35 & 0xFFFFFFFF
    return state_ ^ (state_ >> 16)


def _mixed(block: int) -> int:
    return _rotated(block * 0xCC9E2D51 & 0xFFFFFFFF, 15) * 0x1B873593 & 0xFFFFFFFF


def _rotated(block: int, by: int) -> int:
    return (block << by | block >> (32 - by)) & 0xFFFFFFFF
