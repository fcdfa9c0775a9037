"""The adapter speaks to a server: what an answer means, and who we are when a credential is rejected."""

from __future__ import annotations

import itertools
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import pytest

from deployctl.cluster.api import (
    JSON_PATCH,
    MOST_PAGE_BYTES,
    Api,
    ApiError,
    Denied,
    NotFound,
    Request,
    Stale,
    Unreachable,
)
from deployctl.cluster.login import Target
from deployctl.errors import DeployctlError, Forbidden
from deployctl.gates.fetch import MOST_BYTES
from tests.answering import Call, Reply, Server, serving, status, write_kubeconfig

POD = "/api/v1/namespaces/igaming/pods/wallet"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(lambda _: Reply(body={"kind": "Pod"})) as found:
        yield found


@pytest.fixture
def api(server: Server, tmp_path: Path) -> Api:
    return Api(Target(server.kubeconfig(tmp_path)))


def replies(*these: Reply) -> Callable[[Call], Reply]:
    """Answer with each in turn, and with the last for ever."""
    left = list(these)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


@pytest.mark.parametrize(
    ("code", "body", "content_type", "kind"),
    [
        (401, status(401, "Unauthorized"), "", Denied),
        (403, status(403, "forbidden"), "", Denied),
        (404, status(404, "not found"), "", NotFound),
        (409, status(409, "the object has been modified"), "", Stale),
        (422, status(422, "the server rejected our request due to an error"), JSON_PATCH, Stale),
        (422, status(422, "invalid", causes=[{"field": "spec"}]), JSON_PATCH, ApiError),
        (422, status(422, "invalid"), "", ApiError),
        (400, status(400, "bad"), "", ApiError),
        (429, status(429, "too many requests"), "", Unreachable),
        (500, status(500, "etcd"), "", Unreachable),
        (503, b"upstream connect error", "", Unreachable),
    ],
)
def test_each_failure_is_an_error_of_its_own_kind(
    server: Server, api: Api, code: int, body: Any, content_type: str, kind: type[DeployctlError]
) -> None:
    server.answer = lambda _: Reply(code, body)
    with pytest.raises(DeployctlError) as raised:
        api.send(Request("PATCH", POD, [], content_type or "application/json"))
    assert type(raised.value) is kind


def test_an_error_is_told_in_the_servers_own_words(server: Server, api: Api) -> None:
    server.answer = lambda _: Reply(403, status(403, 'pods "wallet" is forbidden'))
    with pytest.raises(Denied, match=rf'^PATCH {POD}: pods "wallet" is forbidden$'):
        api.send(Request("PATCH", POD, {}))


def test_a_message_from_outside_cannot_steer_the_terminal(server: Server, api: Api) -> None:
    server.answer = lambda _: Reply(400, status(400, "denied \x1b[2Jby\r the\x07 webhook"))
    with pytest.raises(ApiError, match=r"denied \[2Jby the webhook$"):
        api.send(Request("PATCH", POD, {}))


def test_a_whole_object_in_a_message_is_left_out(server: Server, api: Api) -> None:
    quoted = json.dumps(json.dumps({"env": [{"name": "PASSWORD", "value": 'hunter2 "quoted" \\ {}'}]}))
    said = f'"" is invalid: patch: Invalid value: {quoted}: strict decoding error: unknown field "spec.x"'
    server.answer = lambda _: Reply(422, status(422, said, causes=[{}]))
    with pytest.raises(ApiError) as raised:
        api.send(Request("PATCH", POD, [], JSON_PATCH))
    assert str(raised.value) == (
        f'PATCH {POD}: "" is invalid: patch: Invalid value: {{...}}: strict decoding error: unknown field "spec.x"'
    )


def test_a_login_page_is_no_answer(server: Server, api: Api) -> None:
    server.answer = lambda _: Reply(200, b"<html>please log in</html>")
    with pytest.raises(Unreachable, match="the answer is no JSON object: <html>please log in") as raised:
        api.send(Request("GET", POD))
    assert "proxy" in raised.value.advice


def test_a_read_is_repeated(server: Server, api: Api) -> None:
    server.answer = replies(Reply(503, b""), Reply(503, b""), Reply(body={"kind": "Pod"}))
    assert api.get(POD) == {"kind": "Pod"}


def test_a_write_is_not_repeated(server: Server, api: Api) -> None:
    server.answer = replies(Reply(503, b""), Reply(body={"kind": "Pod"}))
    with pytest.raises(Unreachable):
        api.send(Request("PATCH", POD, {}))
    assert len(server.calls) == 1


def test_a_read_waits_as_long_as_the_server_asks_for(server: Server, api: Api) -> None:
    server.answer = replies(Reply(429, status(429, "busy"), {"Retry-After": "1"}), Reply(body={}))
    began = time.monotonic()
    api.get(POD)
    assert time.monotonic() - began >= 1.0


@pytest.mark.parametrize("asked", ["Wed, 21 Oct 2037 07:28:00 GMT", "-1", "soon", "1e9", ""])
def test_a_retry_after_that_is_no_number_counts_as_none(server: Server, api: Api, asked: str) -> None:
    server.answer = lambda _: Reply(429, status(429, "busy"), {"Retry-After": asked})
    with pytest.raises(Unreachable) as raised:
        api.send(Request("GET", POD))
    assert raised.value.retry_after_seconds == 0.0


def test_no_retry_after_is_longer_than_ten_seconds(server: Server, api: Api) -> None:
    server.answer = lambda _: Reply(429, status(429, "busy"), {"Retry-After": "86400"})
    with pytest.raises(Unreachable) as raised:
        api.send(Request("GET", POD))
    assert raised.value.retry_after_seconds == 10.0


def test_nobody_listening_is_told_at_once(tmp_path: Path) -> None:
    api = Api(Target(write_kubeconfig(tmp_path, "http://127.0.0.1:9", {})))
    with pytest.raises(Unreachable, match=r"^http://127.0.0.1:9 does not answer GET /version: .*refused"):
        api.get("/version")


def test_a_server_that_does_not_speak_http_is_told(tmp_path: Path) -> None:
    api = Api(Target(write_kubeconfig(tmp_path, "https://127.0.0.1:9", {})))
    with pytest.raises(Unreachable, match="refused"):
        api.send(Request("GET", "/version"))


def test_a_slow_answer_is_not_waited_for_longer_than_the_time_out(tmp_path: Path) -> None:
    with serving(lambda _: Reply(lines=(), silent_seconds=0.5)) as server:
        api = Api(Target(server.kubeconfig(tmp_path), timeout_seconds=0.1))
        with pytest.raises(Unreachable, match="timed out"):
            api.send(Request("GET", POD))


PLUGIN = """
import json, pathlib, sys
count = pathlib.Path(sys.argv[1])
ran = int(count.read_text() or 0) + 1
count.write_text(str(ran))
print(json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
                  "status": {"token": f"token-{ran}"}}))
"""


@pytest.fixture
def plugin(tmp_path: Path) -> dict[str, Any]:
    """A user of the kubeconfig whose plugin hands out token-1, token-2, ..."""
    (tmp_path / "plugin.py").write_text(PLUGIN)
    (tmp_path / "count").write_text("")
    return executing(sys.executable, str(tmp_path / "plugin.py"), str(tmp_path / "count"))


def executing(command: str, *args: str) -> dict[str, Any]:
    version = "client.authentication.k8s.io/v1"
    return {
        "exec": {
            "apiVersion": version,
            "command": command,
            "args": list(args),
            "interactiveMode": "Never",
        }
    }


def only(token: str, good: Reply) -> Callable[[Call], Reply]:
    """Know one token and reject all others."""
    return lambda call: good if call.token == token else Reply(401, status(401, "Unauthorized"))


def test_a_rejected_credential_is_renewed_and_the_call_repeated(
    server: Server, plugin: dict[str, Any], tmp_path: Path
) -> None:
    api = Api(Target(server.kubeconfig(tmp_path, plugin)))
    server.answer = only("token-2", Reply(body={"kind": "Pod"}))
    assert api.send(Request("PATCH", POD, {})) == {"kind": "Pod"}
    assert [one.token for one in server.calls] == ["token-1", "token-2"]


def test_a_credential_that_stays_rejected_is_denied(server: Server, api: Api) -> None:
    server.answer = only("another", Reply(body={}))
    with pytest.raises(Denied) as raised:
        api.send(Request("GET", POD))
    assert raised.value.exit_code == 7
    assert "log in again" in raised.value.advice


def test_many_threads_renew_a_credential_once(server: Server, plugin: dict[str, Any], tmp_path: Path) -> None:
    api = Api(Target(server.kubeconfig(tmp_path, plugin)))
    server.answer = only("token-2", Reply(body={"kind": "Pod"}))
    with ThreadPoolExecutor(8) as threads:
        assert len(list(threads.map(api.send, [Request("GET", POD)] * 8))) == 8
    assert (tmp_path / "count").read_text() == "2"


def test_a_watch_whose_credential_is_rejected_goes_on_with_a_new_one(
    server: Server, plugin: dict[str, Any], tmp_path: Path
) -> None:
    api = Api(Target(server.kubeconfig(tmp_path, plugin)))
    server.answer = only("token-2", Reply(lines=({"type": "BOOKMARK"},)))
    assert list(api.lines(Request("GET", POD, query={"watch": "true"}), 5)) == [{"type": "BOOKMARK"}]


def test_a_pod_that_answers_401_itself_renews_nothing(
    server: Server, plugin: dict[str, Any], tmp_path: Path
) -> None:
    api = Api(Target(server.kubeconfig(tmp_path, plugin)))
    server.answer = lambda _: Reply(401, b"who are you?")
    assert api.raw(Request("GET", f"{POD}/proxy/"), 5) == (401, b"who are you?")
    assert (tmp_path / "count").read_text() == "1"


def test_a_page_of_a_pod_has_a_longest_length(server: Server, api: Api) -> None:
    server.answer = lambda _: Reply(200, b"x" * MOST_PAGE_BYTES)
    assert len(api.raw(Request("GET", f"{POD}/proxy/"), 5)[1]) == MOST_PAGE_BYTES == MOST_BYTES
    server.answer = lambda _: Reply(200, b"x" * (MOST_PAGE_BYTES + 1))
    with pytest.raises(DeployctlError, match=rf"{POD}/proxy/: the answer is longer than 1048576 bytes$"):
        api.whole(Request("GET", f"{POD}/proxy/"), 5)


def test_a_page_that_never_ends_is_left(server: Server, api: Api) -> None:
    endless = cast("tuple[bytes, ...]", itertools.repeat(b"x" * 65536))
    server.answer = lambda _: Reply(lines=endless)
    with pytest.raises(DeployctlError, match="is longer than"):
        api.raw(Request("GET", f"{POD}/proxy/"), 5)


def test_a_page_that_drips_ends_with_its_time(server: Server, api: Api) -> None:
    server.answer = lambda _: Reply(lines=cast("tuple[bytes, ...]", dripping()))
    began = time.monotonic()
    with pytest.raises(Unreachable, match="the answer did not end in time"):
        api.raw(Request("GET", f"{POD}/proxy/"), 0.5)
    assert time.monotonic() - began < 5


def test_a_page_that_drips_bytes_of_a_known_length_ends_with_its_time(api: Api, tmp_path: Path) -> None:
    with dripping_socket() as url:
        slow = Api(Target(write_kubeconfig(tmp_path, url, {})))
        with pytest.raises(Unreachable, match="the answer did not end in time"):
            slow.raw(Request("GET", f"{POD}/proxy/"), 0.5)


def test_connections_are_kept_after_a_page(server: Server, api: Api) -> None:
    for _ in range(3):
        api.raw(Request("GET", f"{POD}/proxy/"), 5)
    assert api._login.pool.connection_from_url(server.url).num_connections == 1


def test_a_page_that_breaks_off_is_no_answer(server: Server, api: Api) -> None:
    server.answer = lambda _: Reply(lines=(b"half",), cut=True)
    with pytest.raises(Unreachable):
        api.raw(Request("GET", f"{POD}/proxy/"), 5)


@contextmanager
def dripping_socket() -> Iterator[str]:
    """Serve one page of a thousand bytes, a byte at a time."""

    def drip() -> None:
        line, _ = listening.accept()
        with line, suppress(OSError):
            line.recv(65536)
            line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for byte in dripping():
                line.sendall(byte)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join(10)


def dripping() -> Iterator[bytes]:
    while True:
        time.sleep(0.05)
        yield b"x"


def test_a_credential_is_never_renewed_on_another_server(
    server: Server, plugin: dict[str, Any], tmp_path: Path
) -> None:
    api = Api(Target(server.kubeconfig(tmp_path, plugin)))
    server.answer = only("token-2", Reply(body={}))
    server.kubeconfig(tmp_path, plugin, server="http://127.0.0.1:9")
    with pytest.raises(Forbidden, match=r"^context here was http://127\.0\.0\.1:\d+ and is http://127"):
        api.send(Request("PATCH", POD, {}))


def test_a_change_of_the_current_context_does_not_move_a_running_release(
    server: Server, plugin: dict[str, Any], tmp_path: Path
) -> None:
    api = Api(Target(server.kubeconfig(tmp_path, plugin)))
    server.answer = only("token-2", Reply(body={"kind": "Pod"}))
    file = Path(server.kubeconfig(tmp_path, plugin))
    file.write_text(file.read_text().replace("current-context: here", "current-context: elsewhere"))
    assert api.send(Request("GET", POD)) == {"kind": "Pod"}


def test_a_token_file_is_read_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("old")
    api = Api(Target(server.kubeconfig(tmp_path, {"tokenFile": str(tmp_path / "token")})))
    (tmp_path / "token").write_text("new")
    server.answer = only("new", Reply(body={"kind": "Pod"}))
    assert api.get(POD) == {"kind": "Pod"}


def test_another_user_is_asked_for_by_header(server: Server, tmp_path: Path) -> None:
    Api(Target(server.kubeconfig(tmp_path), impersonate="ann")).get(POD)
    assert server.calls[0].headers["Impersonate-User"] == "ann"


def test_a_patch_says_what_it_is(server: Server, api: Api) -> None:
    api.send(Request("PATCH", POD, [{"op": "test"}], JSON_PATCH, {"dryRun": "All"}))
    call = server.calls[0]
    assert (call.headers["Content-Type"], call.query) == (JSON_PATCH, {"dryRun": "All"})
    assert json.loads(call.body) == [{"op": "test"}]
