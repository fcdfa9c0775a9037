"""The launchDarkly provider on a server of its published shapes, for there is none to be had to test on."""

from __future__ import annotations

import copy
import json
import time
from contextlib import ExitStack
from dataclasses import replace

import pytest

from deployctl.errors import Conflict, DeployctlError, Forbidden, Refused, UsageError
from deployctl.flags import Context
from deployctl.flags.launchdarkly import LaunchDarkly
from deployctl.flags.moving import check
from deployctl.gates.credential import Credential
from deployctl.shapes import Chosen
from deployctl.spec import Flags
from tests.answering import Reply, serving
from tests.flags.contract import FLAG, OFF, TEXT, Contract, World, asking
from tests.flags.darkly import ENVIRONMENT, PROJECT, SDK_KEY, TOKEN, Darkly, flag

ASKED = asking()
STAFF = {"_id": "rule-1", "clauses": [{"_id": "clause-1", "attribute": "team", "op": "in", "values": ["qa"], "negate": False}], "variation": 0}  # fmt: skip
APPROVALS = {
    "required": True,
    "minNumApprovals": 1,
    "requiredApprovalTags": [],
    "serviceKind": "launchdarkly",
}


@pytest.fixture(autouse=True)
def tokens(monkeypatch):
    monkeypatch.setenv("LD_TOKEN", TOKEN)
    monkeypatch.setenv("LD_SDK_KEY", SDK_KEY)


def darkly(**more) -> Darkly:
    """Flags as the contract wants them: OFF serves no variation while it is off."""
    flags = (
        flag(FLAG, [True, False]),
        flag(OFF, [True, False], off=None),
        flag(TEXT, ["loud", "quiet"], on=True),
        flag(f"{FLAG}-2", [True, False], on=True),
    )
    return Darkly({one["key"]: one for one in flags}, **more)


def provider(url: str, **more) -> LaunchDarkly:
    return LaunchDarkly(PROJECT, ENVIRONMENT, Credential(env="LD_TOKEN"), url, **more)


@pytest.fixture
def there():
    return darkly()


@pytest.fixture
def world(there):
    with serving(there) as server:
        yield provider(server.url), server


def kept(there: Darkly):
    """Give what a flag serves, without what counts its writes."""
    found = copy.deepcopy(there.here(FLAG))
    for rule in found["rules"]:
        rule.pop("_id")
        for clause in rule["clauses"]:
            clause.pop("_id")
    return {name: part for name, part in found.items() if name not in {"version", "lastModified"}}


class OfLaunchDarkly(Contract):
    relays = 0

    @pytest.fixture
    def world(self):
        there = darkly()
        with ExitStack() as stack:
            api, *relays = [stack.enter_context(serving(there)) for _ in range(1 + self.relays)]
            more = {"endpoints": tuple(one.url for one in relays), "sdk_key": Credential(env="LD_SDK_KEY")}
            yield World(
                provider(api.url, **(more if relays else {})),
                poke=lambda: there.poke(FLAG, lambda here: here["rules"].append(STAFF)),
                kept=lambda: kept(there),
                down=stack.close,
                asked=asking(2.0),
                endpoints=max(1, self.relays),
            )


class TestTheApiEvaluates(OfLaunchDarkly):
    pass


class TestRelaysEvaluate(OfLaunchDarkly):
    relays = 3


def test_a_flag_that_is_off_with_no_off_variation_has_no_value(world):
    (reading,) = world[0].read(OFF, Context(), ASKED)
    assert (reading.value, "uses its own default" in reading.why) == (None, True)


def test_a_write_is_one_patch_with_the_reason(world):
    one, server = world
    one.roll_out(one.setting(FLAG, ASKED), 25, "release r1", ASKED)
    (patch,) = [call for call in server.calls if call.method == "PATCH"]
    assert patch.headers["Content-Type"] == "application/json; domain-model=launchdarkly.semanticpatch"
    assert json.loads(patch.body) == {
        "environmentKey": "production",
        "comment": "release r1",
        "instructions": [
            {
                "kind": "updateFallthroughVariationOrRollout",
                "rolloutContextKind": "user",
                "rolloutWeights": {f"{FLAG}-variation-0": 25000, f"{FLAG}-variation-1": 75000},
            },
            {"kind": "turnFlagOn"},
        ],
    }


def test_the_context_is_sent_whole_and_a_flag_of_a_longer_name_is_another(world):
    one, server = world
    (reading,) = replace(one, context_kind="player").read(FLAG, Context("p7", (("country", "MT"),)), ASKED)
    assert (reading.value, reading.endpoint) == (False, server.url)
    assert json.loads(server.calls[-1].body) == {"kind": "player", "key": "p7", "country": "MT"}


def test_rules_decide_and_are_left_alone_but_off_is_always_possible(world, there):
    there.poke(FLAG, lambda here: here.update(on=True, rules=[STAFF]))
    one = world[0]
    seen = one.setting(FLAG, ASKED)
    assert (seen.value, seen.rollout) == (None, False)
    for write in (
        lambda: one.set(seen, value=True, reason="r", asked=ASKED),
        lambda: one.roll_out(seen, 5, "r", ASKED),
    ):
        with pytest.raises(UsageError, match="its targets, rules or prerequisites decide"):
            write()
    off = one.set(seen, value=False, reason="r", asked=ASKED)
    assert (off.value, there.here(FLAG)["rules"]) == (False, [STAFF])
    assert one.restore(off, seen, "r", ASKED).was == seen.was


def test_rules_targets_and_what_off_serves_are_put_back(world, there):
    targets = [{"contextKind": "user", "variation": 0, "values": ["ann"]}]
    devices = [{"contextKind": "device", "variation": 1, "values": ["d1"]}]
    there.poke(
        FLAG, lambda here: here.update(on=True, rules=[STAFF], targets=targets, contextTargets=devices)
    )
    before, seen = kept(there), world[0].setting(FLAG, ASKED)
    there.poke(
        FLAG, lambda here: here.update(on=False, rules=[], targets=[], contextTargets=[], offVariation=0)
    )
    now = world[0].setting(FLAG, ASKED)
    world[0].restore(now, seen, "r", ASKED)
    assert kept(there) == before


def test_prerequisites_that_changed_are_told_after_all_else_is_back(world, there):
    one = world[0]
    seen = one.set(one.setting(FLAG, ASKED), value=True, reason="r", asked=ASKED)
    there.poke(FLAG, lambda here: here.update(on=False, prerequisites=[{"key": TEXT, "variation": 0}]))
    with pytest.raises(DeployctlError, match="its prerequisites were changed"):
        one.restore(one.setting(FLAG, ASKED), seen, "r", ASKED)
    assert there.here(FLAG)["on"] is True


def test_who_wrote_first_is_named(world, there):
    seen = world[0].setting(FLAG, ASKED)
    there.poke(FLAG, lambda here: here.update(on=True))
    with pytest.raises(Conflict, match=r"changed by bob@example\.com at 2023-11-14T22:13:21Z meanwhile"):
        world[0].roll_out(seen, 10, "r", ASKED)


@pytest.mark.parametrize(
    ("approvals", "tags", "locked"),
    [
        (APPROVALS, [], True),
        ({**APPROVALS, "required": False}, [], False),
        ({**APPROVALS, "requiredApprovalTags": ["money"]}, ["odds"], False),
        ({**APPROVALS, "requiredApprovalTags": ["money"]}, ["odds", "money"], True),
        (None, [], False),
    ],
)
def test_an_approval_that_is_asked_for_is_seen_before_a_release_begins(approvals, tags, locked):
    there = darkly(approvals=approvals)
    there.flags[FLAG]["tags"] = tags
    with serving(there) as server:
        flags = Flags(provider=Chosen("launchDarkly", provider(server.url)), after={FLAG: True})
        assert bool(flags.provider.options.setting(FLAG, ASKED).locked) == locked
        if locked:
            with pytest.raises(Refused, match="only with an approval"):
                check(flags, ASKED)
        else:
            check(flags, ASKED)
        assert {call.method for call in server.calls} == {"GET"}


def test_a_token_that_may_do_without_approval_tries_and_hears_the_servers_word(there):
    there.approvals = APPROVALS
    with serving(there) as server:
        one = provider(server.url, bypass_approvals=True)
        seen = one.setting(FLAG, ASKED)
        assert not seen.locked
        with pytest.raises(DeployctlError, match="Approval is required to make this request"):
            one.set(seen, value=True, reason="r", asked=ASKED)


def test_an_archived_flag_is_locked(world, there):
    there.flags[FLAG]["archived"] = True
    assert world[0].setting(FLAG, ASKED).locked == "it is archived"
    with pytest.raises(Forbidden, match="it is archived"):
        world[0].set(world[0].setting(FLAG, ASKED), value=True, reason="r", asked=ASKED)


@pytest.mark.parametrize(
    "headers",
    [{"Retry-After": "1"}, {"X-Ratelimit-Reset": lambda: str(int((time.time() + 1) * 1000))}],
    ids=["Retry-After", "X-Ratelimit-Reset"],
)
def test_where_the_server_asks_to_wait_it_is_asked_again_then(there, headers):
    told = {name: one() if callable(one) else one for name, one in headers.items()}
    there.busy = [Reply(429, {"code": "rate_limited", "message": "slow down"}, told)]
    with serving(there) as server:
        began = time.monotonic()
        assert provider(server.url).setting(FLAG, ASKED).value is False
        assert 0.8 < time.monotonic() - began < 4


def test_flags_are_read_page_by_page_with_their_rules(there):
    for at in range(120):
        there.flags[f"many-{at:03}"] = flag(f"many-{at:03}", [True, False], on=True, rules=[STAFF])
    with serving(there) as server:
        found = provider(server.url).settings(ASKED)
        assert len(found) == 124
        assert [one.key for one in found] == sorted(there.flags)
        assert found[0].value is None
        assert len(server.calls) == 1 + 3


def test_a_token_that_is_refused_is_not_shown(world, monkeypatch):
    monkeypatch.setenv("LD_TOKEN", "hunter2-of-ann")
    with pytest.raises(Forbidden, match="Invalid access token") as raised:
        world[0].setting(FLAG, ASKED)
    assert "hunter2" not in str(raised.value)


def test_a_project_or_environment_that_is_not_there_is_named(world):
    with pytest.raises(UsageError, match="staging"):
        replace(world[0], environment="staging").setting(FLAG, ASKED)
    with pytest.raises(UsageError, match=r"has no flag new-wallet: .*Unknown project"):
        replace(world[0], project="nope").setting(FLAG, ASKED)
    with pytest.raises(UsageError, match="no such project or environment"):
        replace(world[0], project="nope").settings(ASKED)


def test_relays_and_their_key_come_together():
    with pytest.raises(ValueError, match="expected endpoints and sdkKey together"):
        provider("http://127.0.0.1:9", endpoints=("http://127.0.0.1:9",))


@pytest.mark.parametrize(("key", "value"), [(TEXT, "quiet"), (TEXT, "loud")])
def test_a_flag_of_several_texts_is_set_to_one_of_them(world, key, value):
    one = world[0]
    assert one.set(one.setting(key, ASKED), value, "r", ASKED).value == value
    assert one.read(key, Context(), ASKED)[0].value == value
    with pytest.raises(UsageError, match="its variations are loud, quiet"):
        one.set(one.setting(key, ASKED), "medium", "r", ASKED)
