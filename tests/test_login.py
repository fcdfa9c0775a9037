"""What a kubeconfig and its credential plugin may be: each fault is told, and never with a credential in it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from deployctl.cluster import login
from deployctl.cluster.login import Target, log_in
from deployctl.errors import DeployctlError, Forbidden, UsageError
from tests.answering import write_kubeconfig

SECRET = "hunter2-eyJhbGciOi"
HEAD = "apiVersion: v1\nkind: Config\n"


def executing(code: str) -> dict[str, Any]:
    """Give a user whose credential plugin is this Python."""
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": ["-c", code],
        }
    }


def refusal(kubeconfig: str, context: str | None = None) -> DeployctlError:
    with pytest.raises(DeployctlError) as raised:
        log_in(Target(kubeconfig, context))
    return raised.value


def complaint(kubeconfig: str) -> str:
    """Give what is said of a kubeconfig, if anything."""
    try:
        log_in(Target(kubeconfig))
    except DeployctlError as error:
        return f"{error} {error.advice}"
    return ""


def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path) -> None:
    error = refusal(f"{tmp_path}/nowhere")
    assert str(error) == f"kubeconfig {tmp_path}/nowhere: no such file"
    assert (error.exit_code, error.advice) == (2, login.NO_FILE)


def test_a_context_that_is_not_there_is_named(tmp_path: Path) -> None:
    error = refusal(write_kubeconfig(tmp_path, "http://127.0.0.1:9", {}), "production")
    assert "object with name production in" in str(error)
    assert isinstance(error, UsageError)


def test_a_context_needs_no_current_one(tmp_path: Path) -> None:
    file = Path(write_kubeconfig(tmp_path, "http://127.0.0.1:9", {}))
    file.write_text(file.read_text().replace("current-context: here", ""))
    assert log_in(Target(str(file), "here")).context == "here"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "just words",
        "42",
        f"users: [{{name: u, token: {SECRET}}}]\n: : :",
        HEAD + "current-context: here\n",
        HEAD + "current-context: here\ncontexts: [here]\n",
        HEAD + "current-context: here\ncontexts: [{name: here}]\n",
        HEAD + "current-context: here\ncontexts: {here: 1}\n",
        HEAD + "contexts: [{name: here, context: {cluster: c, user: u}}]\nclusters: []\n",
    ],
)
def test_a_file_that_is_no_kubeconfig_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "kubeconfig").write_text(text)
    error = refusal(str(tmp_path / "kubeconfig"))
    assert str(error).startswith(f"kubeconfig {tmp_path}/kubeconfig: ")
    assert isinstance(error, UsageError)


def test_bytes_are_no_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_bytes(b"\xff\xfe\x00")
    assert isinstance(refusal(str(tmp_path / "kubeconfig")), UsageError)


def test_a_folder_is_no_kubeconfig(tmp_path: Path) -> None:
    assert "Is a directory" in str(refusal(str(tmp_path)))


@pytest.mark.parametrize(
    "user",
    [
        {"token": SECRET, "tokenFile": "/nowhere"},
        {"client-certificate-data": SECRET, "token": SECRET},
        {"client-key-data": SECRET, "client-certificate": "/nowhere"},
        {"token": SECRET, "exec": {"command": "x"}},
        {"exec": {"apiVersion": "v1", "env": [{"name": "TOKEN", "value": SECRET}]}},
        {"auth-provider": {"name": "oidc", "config": {"id-token": SECRET}}},
    ],
)
def test_no_complaint_holds_a_credential(tmp_path: Path, user: dict[str, Any]) -> None:
    kubeconfig = write_kubeconfig(tmp_path, "https://127.0.0.1:9", user)
    assert SECRET not in complaint(kubeconfig)


def test_a_misindented_user_is_not_quoted(tmp_path: Path) -> None:
    file = Path(write_kubeconfig(tmp_path, "https://127.0.0.1:9", {}))
    file.write_text(file.read_text().replace("user: {}", f"token: {SECRET}"))
    assert SECRET in file.read_text()
    assert SECRET not in str(refusal(str(file)))


def test_a_plugin_that_fails_is_heard(tmp_path: Path) -> None:
    user = executing("import sys; sys.exit('your session ended: run `sso login`')")
    error = refusal(write_kubeconfig(tmp_path, "https://127.0.0.1:9", user))
    assert isinstance(error, Forbidden)
    assert str(error) == (
        "the credential plugin failed: exec: process returned 1. your session ended: run `sso login`"
    )
    assert "log in again" in error.advice


def test_a_plugin_cannot_steer_the_terminal(tmp_path: Path) -> None:
    user = executing("import sys; sys.exit('\\x1b[2Jgone')")
    assert "\x1b" not in str(refusal(write_kubeconfig(tmp_path, "https://127.0.0.1:9", user)))


def test_a_plugin_that_is_not_installed_is_named(tmp_path: Path) -> None:
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "plugin-of-nobody"}}
    error = refusal(write_kubeconfig(tmp_path, "https://127.0.0.1:9", user))
    assert isinstance(error, Forbidden)
    assert "plugin-of-nobody" in str(error)


@pytest.mark.parametrize("said", [SECRET, "{}", f'{{"status": {{"token": "{SECRET}"}}}}'])
def test_what_a_plugin_prints_is_never_shown(tmp_path: Path, said: str) -> None:
    user = executing(f"print({said!r})")
    error = refusal(write_kubeconfig(tmp_path, "https://127.0.0.1:9", user))
    assert isinstance(error, Forbidden)
    assert SECRET not in str(error)


def test_a_plugin_that_complained_on_the_terminal_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "terminal").open("w+") as terminal:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setattr(sys, "stdin", terminal)
        error = refusal(write_kubeconfig(tmp_path, "https://127.0.0.1:9", executing("raise SystemExit(1)")))
        monkeypatch.undo()
    assert str(error) == "the credential plugin failed: its complaint is above"
