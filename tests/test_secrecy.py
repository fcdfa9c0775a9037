"""What a name gives away is hidden; what is no secret stays readable."""

from __future__ import annotations

from typing import Any

import pytest

from deployctl.secrecy import HIDDEN, masked, restored, secret


@pytest.mark.parametrize(
    "name",
    [
        "PASSWORD", "DB_PASSWORD", "db-passwd", "PGPASS_PASS", "API_TOKEN", "CLIENT_SECRET", "SIGNING_KEY",
        "KEY", "SENTRY_DSN", "AWS_CREDENTIALS", "apiKey", "Authorization", "PRIVATE_PEM", "creds", "PWD",
    ],
)  # fmt: skip
def test_a_telling_name_is_a_secret(name: str) -> None:
    assert secret(name)


@pytest.mark.parametrize(
    "name", ["REVISION", "KEYSPACE", "MONKEYS", "AUTHOR", "COMPASS", "LOG_LEVEL", "BYPASS_CACHE"]
)
def test_a_plain_name_is_none(name: str) -> None:
    assert not secret(name)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("hunter2", "spec.containers[app].env[DB_PASSWORD].value"),
        ({"name": "DB_PASSWORD", "value": "hunter2"}, "spec.containers[app].env[DB_PASSWORD]"),
        ([{"name": "DB_PASSWORD", "value": "hunter2"}], "spec.containers[app].env"),
        ({"name": "app", "env": [{"name": "KEY", "value": "hunter2"}]}, "spec.containers[app]"),
        ([{"name": "app", "args": ["--password", "hunter2"]}], "spec.containers"),
        (["--token=hunter2"], "spec.containers[app].args"),
        ("--token=hunter2", "spec.containers[app].command[1]"),
        ("postgres://wallet:hunter2@db/wallet", "spec.containers[app].env[DATABASE].value"),
        ({"httpHeaders": [{"name": "Authorization", "value": "Bearer hunter2"}]}, "httpGet"),
    ],
)
def test_a_secret_is_hidden_wherever_it_is(value: Any, path: str) -> None:
    assert "hunter2" not in str(masked(value, path))
    assert HIDDEN in str(masked(value, path))


@pytest.mark.parametrize(
    "value",
    [
        {"env": [{"name": "REVISION", "value": "r2"}]},
        {"env": [{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}]},
        {"imagePullSecrets": [{"name": "registry"}], "automountServiceAccountToken": False},
        {"args": ["--port", "8080"], "image": "localhost/igaming:1", "replicas": 6, "nothing": None},
    ],
)
def test_what_is_no_secret_is_shown(value: Any) -> None:
    assert masked(value) == value


def containers(*env: tuple[str, str], image: str = "wallet:1", **more: Any) -> dict[str, Any]:
    variables = [{"name": name, "value": value} for name, value in env]
    return {"spec": {"containers": [{"name": "app", "image": image, "env": variables, **more}]}}


def test_what_was_hidden_comes_back_from_where_it_is_live() -> None:
    """By the names of the items: another order and another image are no matter."""
    live = containers(("MODE", "plain"), ("DB_PASSWORD", "hunter2"), args=["--token=hunter3"])
    new = containers(("DB_PASSWORD", "hunter2"), ("MODE", "new"), image="wallet:2", args=["--token=hunter3"])
    shown = masked(new)
    assert "hunter" not in str(shown)
    assert restored(shown, live) == new


def test_what_is_live_nowhere_does_not_come_back() -> None:
    new = containers(("DB_PASSWORD", "hunter2"))
    assert restored(masked(new), containers()) == containers(("DB_PASSWORD", None))  # type: ignore[arg-type]
