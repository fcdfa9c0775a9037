"""What is set, and by what."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deployctl.cli.configured import variables
from tests.answering import write_kubeconfig


@pytest.fixture
def config(tmp_path: Path) -> str:
    return write_kubeconfig(tmp_path, "http://127.0.0.1:1", {"token": "hunter2"})


def deployctl(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DEPLOYCTL_")}
    command = [sys.executable, "-m", "deployctl", *words]
    return subprocess.run(command, env=kept | env, capture_output=True, text=True, check=False)


def origins(*words: str, **env: str) -> dict[str, tuple[str, str]]:
    done = deployctl("config", "view", "-o", "json", *words, **env)
    assert done.returncode == 0, done.stderr
    return {one["name"]: (one["value"], one["origin"]) for one in json.loads(done.stdout)["items"]}


def test_a_setting_is_shown_with_what_has_set_it(config: str) -> None:
    env = {"DEPLOYCTL_NAMESPACE": "igaming", "DEPLOYCTL_CONFIG_VIEW_COLOR": "never"}
    found = origins("--request-timeout", "5s", "--kubeconfig", config, **env)
    assert found["--request-timeout"] == ("5s", "flag")
    assert found["--namespace"] == ("igaming", "DEPLOYCTL_NAMESPACE")
    assert found["--color"] == ("never", "DEPLOYCTL_CONFIG_VIEW_COLOR")
    assert found["--quiet"] == ("false", "default")
    assert found["--context"][1] == f"kubeconfig {config}"


def test_a_flag_counts_more_than_its_variable(config: str) -> None:
    found = origins("-n", "here", KUBECONFIG=config, DEPLOYCTL_NAMESPACE="there")
    assert found["--namespace"] == ("here", "flag")


def test_what_the_environment_sets_for_a_command_is_shown_and_what_nobody_knows_is_named(config: str) -> None:
    env = {
        "DEPLOYCTL_RELEASE_WAIT": "promoted",
        "DEPLOYCTL_NAMESPCE": "hunter2",
        "DEPLOYCTL_LAST_OUTCOME": "promoted",
    }
    found = origins(KUBECONFIG=config, DEPLOYCTL_PROTECTED_CONTEXTS="prod-*", **env)
    assert found["DEPLOYCTL_RELEASE_WAIT"] == ("promoted", "--wait of deployctl release")
    assert found["DEPLOYCTL_NAMESPCE"] == ("", "no setting has this name")
    assert found["DEPLOYCTL_PROTECTED_CONTEXTS"][0] == "prod-*"
    assert "DEPLOYCTL_LAST_OUTCOME" not in found


def test_without_a_kubeconfig_that_is_said_and_nothing_fails() -> None:
    done = deployctl("config", "view", "--show-origin", KUBECONFIG="/nonexistent")
    assert done.returncode == 0
    assert "kubeconfig /nonexistent: no such file" in done.stdout
    assert "hunter2" not in done.stdout


def test_every_flag_has_a_variable_that_is_heard() -> None:
    assert {
        "DEPLOYCTL_RELEASE_IMAGE",
        "DEPLOYCTL_GATE_RUN_STAGE",
        "DEPLOYCTL_REPORT_FORMAT",
        "DEPLOYCTL_NAMESPACE",
    } <= set(variables())
    done = deployctl("schema", "--no-such")
    assert done.returncode == 2
    done = deployctl("release", "app", DEPLOYCTL_RELEASE_WAIT="never")
    assert "--wait never: unknown; expected one of finished, promoted" in done.stderr
    done = deployctl("report", "app", DEPLOYCTL_REPORT_FORMAT="pdf")
    assert "--format pdf: unknown" in done.stderr
