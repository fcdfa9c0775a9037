"""The unleash provider on a real Unleash, and what only its paid edition answers on a server that answers so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deployctl.errors import DeployctlError, Forbidden, UsageError
from deployctl.flags import Context
from deployctl.flags.unleash import Unleash, bucket, evaluated, state
from deployctl.gates.credential import Credential
from tests.answering import Reply, serving
from tests.flags.contract import FLAG, OFF, Contract, World, asking
from tests.servers import unleash as servers
from tests.servers.running import eventually, scratch

ASKED = asking()


@pytest.fixture(autouse=True)
def tokens(monkeypatch):
    monkeypatch.setenv("UNLEASH_ADMIN", servers.ADMIN)
    monkeypatch.setenv("UNLEASH_CLIENT", servers.CLIENT)


def provider(url: str, **more) -> Unleash:
    return Unleash(
        url, "development", Credential(env="UNLEASH_ADMIN"), Credential(env="UNLEASH_CLIENT"), **more
    )


@pytest.fixture(scope="module")
def server():
    with scratch("unleash") as at, servers.unleash(at) as one:
        yield one


def strategy(**more):
    one = {
        "name": "flexibleRollout",
        "parameters": {"rollout": "100", "stickiness": "default", "groupId": "g"},
    }
    return {**one, "constraints": [], **more}


STAFF = {"contextName": "userId", "operator": "IN", "values": ["ann"]}


@pytest.fixture
def there(server):
    """Give the path of FLAG, made anew, beside one whose strategies decide."""
    for name in (FLAG, OFF):
        if name in {
            one["name"] for one in server.call("GET", "/api/admin/projects/default/features")["features"]
        }:
            server.call("DELETE", f"/api/admin/projects/default/features/{name}")
            server.call("DELETE", f"/api/admin/archive/{name}")
    constrained = server.make(OFF)
    server.call("POST", f"{constrained}/strategies", strategy(constraints=[STAFF]))
    server.call("POST", f"{constrained}/on")
    return server.make(FLAG)


@pytest.fixture
def world(server, there):
    def kept():
        found = server.call("GET", there)
        return found["enabled"], [{**one, "id": ""} for one in found["strategies"]]

    yield World(
        provider(server.url, endpoints=(server.url, server.url.replace("127.0.0.1", "localhost"))),
        poke=lambda: server.call("POST", f"{there}/strategies", strategy(constraints=[STAFF])),
        kept=kept,
        down=server.server.freeze,
        asked=asking(2.0),
        endpoints=2,
    )
    server.server.thaw()


@pytest.mark.gates
class TestUnleash(Contract):
    pass


@pytest.mark.gates
def test_a_share_is_written_before_the_flag_is_on(server, world):
    seen = world.provider.setting(FLAG, ASKED)
    world.provider.roll_out(seen, 0, "", ASKED)
    assert server.call("GET", "/api/client/features/" + FLAG, token=servers.CLIENT)["enabled"] is True
    assert world.read() == [False, False]


@pytest.mark.gates
@pytest.mark.parametrize("share", [0, 20, 50, 100])
def test_users_are_placed_as_the_server_places_them(server, world, share):
    one = world.provider
    one.roll_out(one.setting(FLAG, ASKED), share, "", ASKED)
    page = server.call("GET", f"/api/client/features/{FLAG}", token=servers.CLIENT)
    strategies = page["strategies"]
    assert state(enabled=True, strategies=strategies)[0] in {share, share == 100}
    ours = {who: evaluated(page, Context(who))[0] for who in map(str, range(40))}

    def asked_of_the_server(who):
        found = server.call("GET", f"/api/frontend?userId={who}", token=servers.FRONTEND)["toggles"]
        return FLAG in {each["name"] for each in found}

    eventually(lambda: {who: asked_of_the_server(who) for who in ours} == ours)


@pytest.mark.gates
def test_who_wrote_first_is_named(world):
    seen = world.provider.setting(FLAG, ASKED)
    world.poke()
    with pytest.raises(DeployctlError, match=r"changed by .+ at 20.+ meanwhile: it was false and is"):
        world.provider.roll_out(seen, 10, "", ASKED)


@pytest.mark.gates
def test_strategies_that_decide_are_left_alone(world):
    one = world.provider
    seen = one.setting(OFF, ASKED)
    assert (seen.value, seen.rollout) == (None, False)
    with pytest.raises(UsageError, match="its strategies decide who gets it"):
        one.set(seen, value=True, reason="", asked=ASKED)
    off = one.set(seen, value=False, reason="", asked=ASKED)
    assert off.value is False
    assert one.restore(off, seen, "", ASKED) == seen


@pytest.mark.gates
def test_a_token_that_may_not_write_is_named_and_not_shown(server, there, monkeypatch):
    monkeypatch.setenv("UNLEASH_ADMIN", servers.CLIENT)
    with pytest.raises(Forbidden, match="HTTP 403") as raised:
        provider(server.url).setting(FLAG, ASKED)
    assert servers.CLIENT not in str(raised.value)


@pytest.mark.gates
def test_an_environment_or_project_that_is_not_there_is_named(server, there):
    with pytest.raises(UsageError, match="no such environment; it has development, production"):
        replace(provider(server.url), environment="staging").setting(FLAG, ASKED)
    with pytest.raises(UsageError, match="but there's a feature with that name in project"):
        replace(provider(server.url), project="nope").setting(FLAG, ASKED)


def test_a_user_is_placed_as_the_specification_of_the_clients_says():
    assert (bucket("123", "gr1"), bucket("999", "groupX")) == (73, 25)


@pytest.mark.parametrize(
    ("strategies", "found"),
    [
        ([], (True, False)),
        ([{"name": "default", "constraints": []}], (True, False)),
        ([strategy(disabled=True)], (True, False)),
        ([strategy(constraints=[STAFF])], (None, False)),
        ([strategy(segments=[1])], (None, False)),
        ([strategy(constraints=[STAFF]), strategy()], (True, False)),
        ([strategy(parameters={"rollout": "30"})], (30, True)),
        ([strategy(parameters={"rollout": "30"}), strategy(parameters={"rollout": "30"})], (None, False)),
        ([strategy(parameters={"rollout": "a few"})], (None, False)),
        ([{"name": "userWithId", "parameters": {"userIds": "ann"}}], (None, False)),
    ],
)
def test_one_strategy_that_lets_everybody_in_is_enough(strategies, found):
    assert state(enabled=True, strategies=strategies) == found
    assert state(enabled=False, strategies=strategies) == (False, False)


@pytest.mark.parametrize("by", ["random", "sessionId"])
def test_a_rollout_by_what_the_context_does_not_have_is_no_value(by):
    page = {
        "name": "x",
        "enabled": True,
        "strategies": [strategy(parameters={"rollout": "30", "stickiness": by})],
    }
    value, why = evaluated(page, Context("ann"))
    assert value is None
    assert by in why


def enterprise(call):
    """Answer as an Unleash whose environment wants change requests, by its published shapes."""
    if call.path.endswith("/change-requests/config"):
        return Reply(200, [{"environment": "development", "type": "development", "requiredApprovals": 1, "changeRequestEnabled": True}])  # fmt: skip
    return Reply(
        200, {"name": FLAG, "environments": [{"name": "development", "enabled": True, "strategies": []}]}
    )


def test_an_environment_that_wants_change_requests_is_locked():
    with serving(enterprise) as server:
        one = provider(server.url)
        seen = one.setting(FLAG, ASKED)
        assert "change request" in seen.locked
        with pytest.raises(Forbidden, match="only by change request"):
            one.set(seen, value=False, reason="", asked=ASKED)
        assert {call.method for call in server.calls} == {"GET"}
