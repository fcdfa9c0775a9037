"""No token, password or key of a gate is in any byte that a release writes: its story, its events, its record."""

from __future__ import annotations

import pytest

from deployctl.gates import About, Asked
from deployctl.gates.credential import Credential
from deployctl.gates.field import Field
from deployctl.gates.http import Http
from deployctl.gates.job import Job
from deployctl.gates.prometheus import Prometheus
from deployctl.gates.stage import Stages
from deployctl.gates.webhook import Webhook
from deployctl.observe import Snapshot
from deployctl.render import words
from deployctl.render.jsonl import Jsonl
from deployctl.spec import said
from strategies.model import Ask, Question, Stage
from strategies.simulator import World
from tests.answering import Reply, eventually, serving
from tests.objects import service
from tests.run import gate

CANARY = "canary-7f3a-token"
TOKEN = Credential(env="GATE_TOKEN")
BEFORE = Question(Stage.BEFORE, "abc")
ASKED = Asked(
    (), service(), lambda *_: (200, b""), timeout_seconds=1.0, about=About("wallet", "igaming", "a", "b")
)


def echoing(call):
    """Answer as a server that repeats whatever it was sent: in headers, in the body, in its complaint."""
    sent = f"{call.path} {call.headers} {call.body.decode(errors='replace')}"
    return Reply(
        200 if call.path == "/ok" else 400,
        {"status": "error", "errorType": sent, "error": sent},
        {"X-Echo": CANARY},
    )


GATES = {
    "http": lambda url: Http(url=f"{url}/x?key={CANARY}", token=TOKEN),
    "http with a login": lambda url: Http(url=url.replace("//", f"//ann:{CANARY}@")),
    "webhook": lambda url: Webhook(url=f"{url}/x?key={CANARY}", token=TOKEN),
    "webhook like argo": lambda url: Webhook(url=f"{url}/ok", like="argo", token=TOKEN, field=Field("error")),
    "a field": lambda url: Http(url=f"{url}/x", expect=400, token=TOKEN, field=Field("error")),
    "prometheus": lambda url: Prometheus(url=url, query="up", min=1, token=TOKEN),
    "job": lambda _: Job(
        command=("/bin/sh", "-c", "echo wrong token $GATE_TOKEN; exit 1"), env=("GATE_TOKEN",)
    ),
}


@pytest.mark.parametrize("kind", GATES)
def test_what_a_gate_was_given_in_secret_is_written_nowhere(kind, monkeypatch, capfd):
    monkeypatch.setenv("GATE_TOKEN", CANARY)
    monkeypatch.setenv("DEPLOYCTL_ALLOW_COMMANDS", "1")
    stages, told = Stages(lambda: None), []
    with serving(echoing) as server:
        one = gate(GATES[kind](server.url), kind.replace(" ", "-"), consecutive_error_limit=0)
        stages.ask(BEFORE, (one,), lambda: ASKED)
        assert eventually(lambda: BEFORE in stages.verdicts())
    stages.stop()
    assert not stages.verdicts()[BEFORE].passed
    nothing = Snapshot({}, (), (), (), ())
    Jsonl("wallet", told.append).turn(
        nothing, World.at_rest(3, ("wallet",)).observe(), Ask(BEFORE, ()), stages
    )
    story = [text for _, text in words.verdicts(stages)]
    output = capfd.readouterr()
    every = [
        *told,
        *story,
        *stages.said(),
        repr(stages.verdicts()),
        repr(stages.asked[BEFORE][0].taken),
        *output,
    ]
    assert len(told) > 0
    assert [one for one in every if CANARY in one] == []


def test_the_spec_that_is_shown_names_where_a_token_is():
    one = gate(Prometheus(url="http://127.0.0.1:1", query="up", min=1, token=TOKEN))
    assert repr(one.ask.options.token) == "Credential(env='GATE_TOKEN', file=None, secret=None)"
    assert "GATE_TOKEN" in said(one)
