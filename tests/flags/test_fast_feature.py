"""The ofrep provider and the gate on two servers of an independent OFREP implementation."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import pytest

from deployctl.flags import Context
from deployctl.flags.ofrep import Ofrep
from deployctl.gates.flag import Flag
from deployctl.shapes import Chosen
from deployctl.spec import Flags
from strategies.analysis import Answer
from tests.flags.contract import FLAG, OFF, asking
from tests.servers.fast_feature import fast_feature
from tests.servers.running import scratch

pytestmark = pytest.mark.gates
BOTH = {"on": True, "off": False}


@pytest.fixture(scope="module")
def servers():
    with scratch("ofrep") as at, ExitStack() as stack:
        found = [stack.enter_context(fast_feature(at, name)) for name in ("one", "two")]
        for server in found:
            server.make(FLAG, **BOTH)
            server.make(OFF, state="DISABLED", **BOTH)
            server.make("tone", "a", a="loud", b="quiet")
            server.make("limit", "a", a=0, b=3)
            server.make("object", "a", a={"x": 1})
        yield found


@pytest.fixture
def one(servers):
    for server in servers:
        server.turn(FLAG, "off", **BOTH)
    return Ofrep(tuple(server.url for server in servers))


def read(one, key, timeout_seconds=5.0):
    found = one.read(key, Context(), asking(timeout_seconds))
    return [(each.value, bool(each.why)) for each in found]


@pytest.mark.parametrize(("key", "value"), [(FLAG, False), ("tone", "loud"), ("limit", 0)])
def test_a_value_of_each_type_is_read_everywhere(one, key, value):
    assert read(one, key) == [(value, False)] * 2


@pytest.mark.parametrize("key", [OFF, "no-such-flag", "object"])
def test_what_has_no_value_is_not_false(one, key):
    assert read(one, key) == [(None, True)] * 2


def measured(one, gate):
    return gate.measure(replace(asking(2.0), flags=Flags(provider=Chosen("ofrep", one)))).answer


def test_the_gate_waits_for_every_endpoint(servers, one):
    assert measured(one, Flag(FLAG, expect=False)) is Answer.PASS
    servers[0].turn(FLAG, "on", **BOTH)
    assert measured(one, Flag(FLAG)) is Answer.FAIL
    servers[1].turn(FLAG, "on", **BOTH)
    assert measured(one, Flag(FLAG)) is Answer.PASS


def test_an_endpoint_that_hangs_is_no_answer_in_time(servers, one):
    servers[1].server.freeze()
    try:
        assert read(one, FLAG, 1.0) == [(False, False), (None, True)]
        assert measured(one, Flag(FLAG, expect=False)) is Answer.UNKNOWN
    finally:
        servers[1].server.thaw()
