"""Who is told of a release, by real requests to a real server: what is said, and what never gets in the way."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deployctl.cluster.api import Api
from deployctl.cluster.asking import Asking
from deployctl.cluster.login import Target
from deployctl.errors import DeployctlError, SpecError
from deployctl.gates import Asked
from deployctl.gates.credential import Credential
from deployctl.notify import Notice, check_template
from deployctl.notify.events import Events
from deployctl.notify.slack import Slack
from deployctl.notify.webhook import Webhook
from deployctl.notifying import Listening, Teller
from deployctl.shapes import Chosen
from deployctl.spec import Notify, read
from strategies.blue_green import BlueGreen
from strategies.rolling import Rolling
from strategies.simulator import World
from tests.answering import Reply, Server, serving
from tests.objects import service
from tests.render.stories import Clock, tell

NOTICE = Notice(
    "aborted", "wallet", "igaming", "r1", "blueGreen", "old", "new", "ann", "gate smoke said no", "2026-01-01T00:00:00Z",
    workload="wallet", text="wallet: aborted",
)  # fmt: skip
ASKED = Asked((), service(), lambda *_: (200, b""), timeout_seconds=0.5)
FORBIDDEN = {
    "kind": "Status",
    "status": "Failure",
    "code": 403,
    "reason": "Forbidden",
    "message": "events is forbidden",
}
HEAD = "apiVersion: deployctl.dev/v1alpha1\nkind: App\nmetadata: {name: wallet}\nspec:\n  strategy: {rolling: {}}\n  workload: {deployment: wallet, services: [wallet]}\n"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(lambda _: Reply(200, b"ok")) as one:
        yield one


def sent(server: Server, at: int = 0) -> Any:
    return json.loads(server.calls[at].body)


def slack(server: Server, monkeypatch: pytest.MonkeyPatch) -> Slack:
    monkeypatch.setenv("SLACK_URL", f"{server.url}/services/T0/B0/hunter2secret")
    return Slack(Credential(env="SLACK_URL"))


def test_a_webhook_gets_every_fact_as_json(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hunter2")
    Webhook(f"{server.url}/hook", {"X-Team": "wallet"}, Credential(env="TOKEN")).tell(NOTICE, ASKED)
    call = server.calls[0]
    assert (call.method, call.path, call.token, call.headers["X-Team"]) == (
        "POST",
        "/hook",
        "hunter2",
        "wallet",
    )
    assert sent(server) == {
        "apiVersion": "deployctl.dev/v1alpha1", "kind": "Notice", "id": "r1/aborted", "what": "aborted", "app": "wallet",
        "namespace": "igaming", "release": "r1", "strategy": "blueGreen", "stable": "old", "preview": "new", "by": "ann",
        "reason": "gate smoke said no", "at": "2026-01-01T00:00:00Z", "text": "wallet: aborted", "workload": "wallet",
    }  # fmt: skip


def test_slack_gets_a_text_that_mentions_nobody(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    slack(server, monkeypatch).tell(replace(NOTICE, text="<!channel> a & b <http://evil|click>"), ASKED)
    assert server.calls[0].path == "/services/T0/B0/hunter2secret"
    said = ":red_circle: &lt;!channel&gt; a &amp; b &lt;http://evil|click&gt;"
    assert sent(server) == {"text": said}


@pytest.mark.parametrize("reply", [Reply(404, b"no_team for /services/T0/B0/hunter2secret"), Reply(302, b"")])
def test_the_url_of_slack_is_in_no_complaint(
    server: Server, monkeypatch: pytest.MonkeyPatch, reply: Reply
) -> None:
    server.answer = lambda _: reply
    with pytest.raises(DeployctlError, match=rf"^127.0.0.1: {reply.status}") as told:
        slack(server, monkeypatch).tell(NOTICE, ASKED)
    assert "hunter2secret" not in str(told.value)


def test_nobody_at_the_url_of_slack_is_told_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_URL", "http://127.0.0.1:1/services/T0/B0/hunter2secret")
    with pytest.raises(DeployctlError, match=r"^127.0.0.1: ") as told:
        Slack(Credential(env="SLACK_URL")).tell(NOTICE, ASKED)
    assert "hunter2secret" not in str(told.value)
    monkeypatch.setenv("SLACK_URL", "hunter2secret")
    with pytest.raises(DeployctlError, match="SLACK_URL holds no URL") as told:
        Slack(Credential(env="SLACK_URL")).tell(NOTICE, ASKED)
    assert "hunter2" not in str(told.value)


def test_a_host_that_nobody_allowed_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_URL", "http://169.254.169.254/latest/meta-data")
    with pytest.raises(DeployctlError, match="no gate may ask it"):
        Slack(Credential(env="SLACK_URL")).tell(NOTICE, ASKED)
    with pytest.raises(DeployctlError, match="is not among the hosts"):
        Webhook("https://incidents.example/hook").tell(NOTICE, ASKED)


def cluster(server: Server, folder: Path) -> Asked:
    return replace(ASKED, cluster=Asking(Api(Target(server.kubeconfig(folder)))))


def test_an_event_is_written_on_the_workload(server: Server, tmp_path: Path) -> None:
    server.answer = lambda call: Reply(200, {"metadata": {"uid": "u1"}} if call.method == "GET" else {})
    Events().tell(NOTICE, cluster(server, tmp_path))
    assert [(one.method, one.path) for one in server.calls] == [
        ("GET", "/apis/apps/v1/namespaces/igaming/deployments/wallet"),
        ("POST", "/api/v1/namespaces/igaming/events"),
    ]
    body = sent(server, 1)
    assert (body["reason"], body["type"], body["message"]) == ("ReleaseAborted", "Warning", "wallet: aborted")
    assert body["involvedObject"]["uid"] == "u1"


def test_events_that_are_not_allowed_are_left_out_and_told_of(server: Server, tmp_path: Path) -> None:
    server.answer = lambda call: (
        Reply(200, {"metadata": {"uid": "u1"}}) if call.method == "GET" else Reply(403, FORBIDDEN)
    )
    with pytest.raises(DeployctlError, match=r"events are left out: .*docs/rbac.md has the right"):
        Events().tell(NOTICE, cluster(server, tmp_path))


def teller(url: str, said: list[str], **more: Any) -> Teller:
    to = Notify(name="incidents", to=Chosen("webhook", Webhook(url)), timeout_seconds=0.5, **more)
    return Teller(to, ASKED, said.append)


def test_only_what_was_asked_for_is_told_and_in_the_words_of_the_file(server: Server) -> None:
    said: list[str] = []
    one = teller(server.url, said, when=("aborted",), text="${app} ${what}: ${reason}")
    one.put(replace(NOTICE, what="begun"))
    one.put(NOTICE)
    one.close(time.monotonic() + 10)
    assert [sent(server, at)["text"] for at in range(len(server.calls))] == [
        "wallet aborted: gate smoke said no"
    ]
    assert said == []


def test_what_goes_wrong_is_tried_once_more_and_told_once(server: Server) -> None:
    said: list[str] = []
    server.answer = lambda _: Reply(503)
    one = teller(server.url, said)
    for _ in range(3):
        one.put(NOTICE)
    one.close(time.monotonic() + 10)
    assert len(server.calls) == 6
    assert len(said) == 1
    assert said[0].startswith("incidents is not told, and the release goes on: http://127.0.0.1")


def test_who_never_answers_is_waited_for_no_longer_than_his_time() -> None:
    said: list[str] = []
    with serving(lambda _: Reply(200, lines=(), silent_seconds=30)) as server:
        one = teller(server.url, said)
        for _ in range(20):
            one.put(NOTICE)
        began = time.monotonic()
        one.close(began + 0.5)
        assert time.monotonic() - began < 5
    assert len(said) == 1


@pytest.mark.parametrize("strategy", [BlueGreen(keep_old_seconds=5), Rolling(bake_seconds=1)])
def test_a_release_tells_that_it_began_and_that_the_traffic_moved(strategy: BlueGreen | Rolling) -> None:
    told: list[str] = []
    story = Listening(Deaf(), lambda what, *_: told.append(what), lambda: ())
    tell(story, strategy, World.at_rest(3, ("wallet",)), Clock())
    assert told == ["begun", "shifted"]


class Deaf:
    def turn(self, *_: object) -> None: ...

    def did(self, *_: object) -> None: ...

    def note(self, _: str) -> None: ...

    def close(self) -> None: ...


def spec(folder: Path, notify: str) -> Path:
    (folder / "deployctl.yaml").write_text(f"{HEAD}  notify: {notify}\n")
    return folder / "deployctl.yaml"


def test_a_file_names_whom_to_tell(tmp_path: Path) -> None:
    app = read(
        spec(tmp_path, "[{name: team, slack: {url: {env: SLACK_URL}}}, {name: here, events: {}}]")
    ).apps[0]
    assert [(one.name, one.to.kind) for one in app.spec.notify or ()] == [
        ("team", "slack"),
        ("here", "events"),
    ]


@pytest.mark.parametrize(
    ("notify", "says"),
    [
        ("[{name: a, events: {}, text: '${nothing}'}]", r"text: \$\{nothing\} is unknown; expected \$\{id\}"),
        ("[{name: a, events: {}}, {name: a, events: {}}]", "a"),
        ("[{name: a, pager: {}}]", "pager"),
        ("[{name: a, events: {}, when: [sometimes]}]", "sometimes"),
        ("[{name: a, events: {}, timeout: 0s}]", "timeout: no time at all"),
        ("[{name: a, slack: {url: 'https://hooks.slack.com/services/T/B/x'}}]", "url"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path: Path, notify: str, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        read(spec(tmp_path, notify))


def test_every_place_of_a_template_is_filled() -> None:
    check_template("${app}")
    text = NOTICE.filled("${id} ${what} ${stable} ${preview} ${by} ${workload}")
    assert text == "r1/aborted aborted old new ann wallet"
    assert NOTICE.filled("") == "wallet in igaming: aborted, back on stable: gate smoke said no"
