"""The ofrep provider: every endpoint is asked, and what has no value is never false."""

from __future__ import annotations

import datetime as dt
import json
import time
from contextlib import ExitStack
from email.utils import format_datetime

import pytest

from deployctl.errors import UsageError
from deployctl.flags import Context
from deployctl.flags.file import File
from deployctl.flags.ofrep import Kept, Ofrep
from deployctl.gates.credential import Credential
from tests.answering import Reply, serving
from tests.flags.contract import FLAG, Contract, World, asking
from tests.flags.evaluating import evaluating
from tests.flags.test_file import YAML

SECRET = "hunter2-token"
NOBODY = "http://127.0.0.1:9"
CONTEXT = Context("player-7", (("jurisdiction", "MT"),))


class TestOfrep(Contract):
    @pytest.fixture
    def world(self, tmp_path):
        path = tmp_path / "flags.yaml"
        path.write_text(YAML)
        with ExitStack() as stack:
            servers = [stack.enter_context(evaluating(path)) for _ in range(3)]

            def down() -> None:
                path.unlink()
                stack.close()

            yield World(
                Ofrep(tuple(one.url for one in servers), Kept(File(str(path)))),
                poke=lambda: path.write_text(
                    path.read_text().replace("on: true", "on: true\n      more: false", 1)
                ),
                kept=path.read_bytes,
                down=down,
                endpoints=3,
                asked=asking(2.0),
            )


def reading(reply, timeout_seconds=2.0, **more):
    with serving(lambda _: reply) as server:
        one = Ofrep((server.url,), **more)
        return one.read(FLAG, CONTEXT, asking(timeout_seconds))[0], server.calls


def test_the_request_is_the_protocols():
    _, calls = reading(Reply(200, {"key": FLAG, "value": True}))
    assert (calls[0].method, calls[0].path) == ("POST", f"/ofrep/v1/evaluate/flags/{FLAG}")
    assert json.loads(calls[0].body) == {"context": {"targetingKey": "player-7", "jurisdiction": "MT"}}


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        (Reply(200, {"key": FLAG, "value": False, "reason": "STATIC", "variant": "off"}), False),
        (Reply(200, {"key": FLAG, "value": 0, "reason": "SPLIT"}), 0),
        (Reply(200, {"key": FLAG, "value": "", "reason": "TARGETING_MATCH"}), ""),
        (Reply(200, {"value": True}), True),
    ],
)
def test_a_value_is_what_the_endpoint_says(reply, value):
    found = reading(reply)[0]
    assert (found.value, found.why) == (value, "")
    assert type(found.value) is type(value)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Reply(200, {"key": FLAG, "reason": "DISABLED"}), "its reason is DISABLED"),
        (Reply(200, {"key": FLAG, "reason": "DISABLED", "value": False}), "its reason is DISABLED"),
        (Reply(200, {"key": FLAG, "reason": "STALE", "value": False}), "its reason is STALE"),
        (Reply(200, {"key": FLAG, "reason": "DEFAULT"}), "it has no value (DEFAULT)"),
        (Reply(200, {"key": FLAG, "value": None}), "it has no value (no reason given)"),
        (Reply(200, {"key": FLAG, "value": {"a": 1}}), "its value is an object"),
        (Reply(200, {"key": "other", "value": True}), "the answer is about another flag"),
        (Reply(200, [1]), "the answer is no object (HTTP 200)"),
        (Reply(200, b"<html>"), "the answer is not JSON (HTTP 200)"),
        (Reply(404, {"key": FLAG, "errorCode": "FLAG_NOT_FOUND"}), "FLAG_NOT_FOUND (HTTP 404)"),
        (Reply(400, {"key": FLAG, "errorCode": "TARGETING_KEY_MISSING"}), "TARGETING_KEY_MISSING (HTTP 400)"),
        (Reply(401, {}), "no value (HTTP 401)"),
        (Reply(500, b"oops"), "the answer is not JSON (HTTP 500)"),
        (Reply(302, {}, {"Location": "http://169.254.169.254/"}), "no value (HTTP 302)"),
    ],
)
def test_everything_else_is_no_value_and_says_why(reply, why):
    found = reading(reply)[0]
    assert (found.value, found.why) == (None, why)


def test_one_endpoint_that_is_down_does_not_hide_the_others():
    with serving(lambda _: Reply(200, {"value": True})) as server:
        found = Ofrep((server.url, NOBODY)).read(FLAG, CONTEXT, asking(2.0))
    assert [one.value for one in found] == [True, None]
    assert found[1].endpoint == NOBODY


def test_endpoints_are_asked_side_by_side():
    def slow(_):
        time.sleep(0.3)
        return Reply(200, {"value": True})

    with ExitStack() as stack:
        urls = tuple(stack.enter_context(serving(slow)).url for _ in range(5))
        began = time.monotonic()
        Ofrep(urls).read(FLAG, CONTEXT, asking(5.0))
        assert time.monotonic() - began < 1.2


def put_off(headers, times=1):
    """Answer 429 first."""
    said = []

    def answer(_):
        said.append(1)
        return Reply(429, {}, headers) if len(said) <= times else Reply(200, {"value": True})

    return answer


@pytest.mark.parametrize("headers", [{"Retry-After": "0"}, {"Retry-After": "1"}, {}])
def test_what_is_put_off_is_asked_again_when_the_server_says(headers):
    with serving(put_off(headers)) as server:
        assert Ofrep((server.url,)).read(FLAG, CONTEXT, asking(4.0))[0].value is True
        assert len(server.calls) == 2


def test_a_date_is_understood_too():
    soon = format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1), usegmt=True)
    with serving(put_off({"Retry-After": soon})) as server:
        assert Ofrep((server.url,)).read(FLAG, CONTEXT, asking(4.0))[0].value is True


def test_what_is_put_off_for_longer_than_there_is_time_is_no_value():
    began = time.monotonic()
    found = reading(Reply(429, {}, {"Retry-After": "60"}))[0]
    assert (found.value, time.monotonic() - began < 1.0) == (None, True)
    assert "asks to wait 60s (HTTP 429), longer than there is time" in found.why


def test_a_token_is_sent_and_never_shown(monkeypatch):
    monkeypatch.setenv("FLAG_TOKEN", SECRET)
    token = Credential(env="FLAG_TOKEN")
    found, calls = reading(Reply(400, {"errorCode": f"BAD {SECRET}"}), token=token)
    assert calls[0].headers["Authorization"] == f"Bearer {SECRET}"
    assert SECRET not in f"{found}"
    _, calls = reading(Reply(200, {"value": True}), token=token, header="apiKey")
    assert calls[0].headers["X-API-Key"] == SECRET


def test_a_token_that_cannot_be_a_header_is_not_shown(monkeypatch):
    monkeypatch.setenv("FLAG_TOKEN", f"{SECRET}\n\x01b")
    found, _ = reading(Reply(200, {"value": True}), token=Credential(env="FLAG_TOKEN"))
    assert found.value is None
    assert SECRET not in found.why


def test_a_token_that_is_not_there_is_no_value():
    found, calls = reading(Reply(200, {"value": True}), token=Credential(env="NO_SUCH_TOKEN"))
    assert (found.value, calls) == (None, [])
    assert "NO_SUCH_TOKEN is empty or not set" in found.why


@pytest.mark.parametrize("host", ["169.254.169.254", "metadata.google.internal", "[fd00:ec2::254]"])
def test_what_gives_out_credentials_is_asked_by_nobody(host):
    assert "no gate may ask it" in Ofrep((f"http://{host}/",)).read(FLAG, CONTEXT, asking(1.0))[0].why


def test_without_saying_where_they_are_kept_flags_are_only_read():
    with pytest.raises(UsageError, match="only evaluate flags") as raised:
        Ofrep((NOBODY,)).setting(FLAG, asking())
    assert "provider.ofrep.kept" in raised.value.advice
