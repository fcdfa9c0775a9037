"""`deployctl sandbox` as its user meets it: real processes in a folder of the test's own."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deployctl.cli import run
from deployctl.sandbox.practice.applying import change
from deployctl.sandbox.practice.home import Home, State
from tests.sandbox.real import alive, asked, refused, until

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "manifests" / "igaming"
AGAIN = "`deployctl sandbox up` starts a new one"
UNKNOWN = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: half}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: door}
"""
WRONG = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: half}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 0}]}
"""
SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {a: "1", b: "2"}
"""


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


class User:
    """Somebody at a terminal, with a home of the test's own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "sandbox"
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("DEPLOYCTL", "KUBE", "XDG"))
        }
        self.env = {**kept, "HOME": str(home), "DEPLOYCTL_SANDBOX": str(self.folder)}

    def run(self, *words: str, text: str = "") -> Done:
        out, err, stdin = io.StringIO(), io.StringIO(), io.StringIO(text)
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(os, "environ", self.env)
            patch.setattr(sys, "argv", ["deployctl", *words])
            patch.setattr(sys, "stdin", stdin)
            return Done(run(), out.getvalue(), err.getvalue())

    def sandbox(self, *words: str, text: str = "") -> Done:
        return self.run("sandbox", *words, text=text)

    def told(self, *words: str) -> Any:
        return json.loads(self.sandbox(*words, "-o", "json").stdout)


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    """Somebody whose sandbox is up, with one pod for each service."""
    one = User(tmp_path_factory.mktemp("home"))
    done = one.sandbox("up", "--pods", "1")
    assert done.returncode == 0, done.stderr
    yield one
    one.sandbox("down")


@pytest.fixture
def other(tmp_path: Path) -> Iterator[User]:
    """Somebody who has no sandbox yet."""
    one = User(tmp_path)
    yield one
    one.sandbox("down")


def test_up_says_where_the_services_are_and_what_to_do_next(user):
    said = user.sandbox("up").stdout
    assert "igaming/balances:80 " in said
    assert f"export KUBECONFIG={user.folder}/kubeconfig" in said


def test_a_second_up_says_since_when_it_runs(user):
    done = user.sandbox("up")
    assert (done.returncode, done.stderr.startswith("The sandbox runs already, since 20")) == (0, True)


def test_a_second_up_on_another_port_is_refused(user):
    done = user.sandbox("up", "--port", "1")
    assert done.returncode == 2
    assert "the sandbox runs already on port" in done.stderr


def test_its_services_answer_on_this_machine(user):
    address = user.told("status")["services"]["igaming/balances:80"].removeprefix("http://")
    assert '"service": "balances", "revision": "r1"' in asked(address)


def test_status_shows_who_has_the_traffic(user):
    told = user.told("status")
    assert list(told["shares"]["igaming/balances:80"].values()) == [1.0]
    assert [one["ready"] for one in told["pods"].values()] == [True, True]


def test_the_kubeconfig_is_its_users_alone(user):
    assert stat.S_IMODE((user.folder / "kubeconfig").stat().st_mode) == 0o600


def test_kubeconfig_prints_the_files_content(user):
    assert user.sandbox("kubeconfig").stdout == (user.folder / "kubeconfig").read_text()


def test_other_commands_reach_it_by_its_kubeconfig(user):
    path = user.sandbox("kubeconfig", "--path").stdout.strip()
    done = user.run("status", "balances", "-n", "igaming", "--kubeconfig", path)
    assert (done.returncode, "1/1" in done.stdout) == (0, True)


def test_no_kubeconfig_of_the_user_is_written(user):
    assert not (user.home / ".kube").exists()


def test_nobody_gets_in_without_the_token(user):
    address = user.told("status")["server"].removeprefix("http://")
    assert asked(address, "/api/v1/pods").startswith("HTTP/1.1 401")


def test_what_the_installed_manifests_say_is_applied_already(user):
    said = user.sandbox("apply", str(EXAMPLE / "balances" / "service.yaml")).stdout
    assert said == "service/balances unchanged\n"


def test_apply_creates_then_configures_then_changes_nothing(user):
    less = SETTINGS.replace(', b: "2"', "")
    told = [user.sandbox("apply", "-", text=text).stdout for text in (SETTINGS, less, less)]
    assert told == [f"configmap/settings {word}\n" for word in ("created", "configured", "unchanged")]


def test_a_kind_that_is_not_served_is_named_and_nothing_is_applied(user, tmp_path):
    file = tmp_path / "all.yaml"
    file.write_text(UNKNOWN)
    done = user.sandbox("apply", str(file))
    assert done.returncode == 2
    assert f"{file}: Ingress (networking.k8s.io/v1): the sandbox does not serve this kind" in done.stderr
    assert "configmap/half created" in user.sandbox("apply", "-", text=UNKNOWN.partition("---")[0]).stdout


def test_an_object_that_is_refused_leaves_nothing_applied(user):
    done = user.sandbox("apply", "-n", "default", "-", text=WRONG)
    assert done.returncode == 2
    assert 'Service "web" is invalid' in done.stderr
    one = user.sandbox("apply", "-n", "default", "-", text=WRONG.partition("---")[0])
    assert one.stdout == "configmap/half created\n"


def test_apply_names_a_file_that_is_not_there(user):
    done = user.sandbox("apply", "no-such-file.yaml")
    assert (done.returncode, "no-such-file.yaml: no such file or folder" in done.stderr) == (2, True)


def test_a_taken_port_is_named_and_nothing_is_left(other):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = other.sandbox("up", "--port", str(port))
    assert (done.returncode, done.stderr) == (2, f"error: port {port}: Address already in use\n")
    assert not Home(other.folder).is_held()


def test_down_ends_every_pod_and_may_be_said_again(other):
    other.sandbox("up", "--pods", "1")
    told = other.told("status")
    port = int(told["services"]["igaming/balances:80"].rpartition(":")[2])
    assert other.sandbox("down").stdout == "The sandbox has ended.\n"
    assert not alive(told["pid"])
    assert refused(port)
    again = other.sandbox("down")
    assert (again.returncode, again.stdout) == (0, "No sandbox runs.\n")


def test_a_killed_sandbox_is_told_its_pods_end_and_a_new_one_starts(other):
    other.sandbox("up", "--pods", "1")
    state = Home(other.folder).state()
    os.kill(state.pid, signal.SIGKILL)
    os.waitpid(state.pid, 0)
    until(lambda: not Home(other.folder).is_held())
    done = other.sandbox("status")
    assert (done.returncode, done.stdout) == (
        1,
        f"the sandbox of {state.since} (pid {state.pid}) died; its state is gone; {AGAIN}\n",
    )
    assert other.sandbox("kubeconfig").returncode == 1
    assert other.sandbox("up", "--pods", "0").returncode == 0


def test_without_a_sandbox_status_says_how_to_get_one(other):
    done = other.sandbox("status")
    assert (done.returncode, done.stdout) == (1, "No sandbox runs; `deployctl sandbox up` starts a new one\n")


def test_a_pid_that_now_is_somebody_elses_is_left_alone(other):
    bystander = subprocess.Popen(["sleep", "60"])
    Home(other.folder).make()
    Home(other.folder).write(State(bystander.pid, 0.0, 1, "t", "0"))
    assert other.sandbox("down").stdout == "No sandbox runs.\n"
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_the_folder_is_of_the_users_state_by_default(monkeypatch, tmp_path):
    monkeypatch.delenv("DEPLOYCTL_SANDBOX", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert Home().folder == tmp_path / "deployctl" / "sandbox"


def test_a_patch_takes_out_only_what_the_last_apply_said():
    last = {"metadata": {"name": "a"}, "data": {"a": "1", "b": "2"}}
    assert change("ConfigMap", last, {"metadata": {"name": "a"}, "data": {"a": "3"}}) == {
        "metadata": {"name": "a"},
        "data": {"b": None, "a": "3"},
    }


def test_a_patch_deletes_a_container_by_its_name():
    last = {"template": {"spec": {"containers": [{"name": "app"}, {"name": "side"}]}}}
    wanted = {"template": {"spec": {"containers": [{"name": "app", "image": "x"}]}}}
    patch = change("DeploymentSpec", last, wanted)
    assert patch["template"]["spec"]["containers"] == [
        {"name": "app", "image": "x"},
        {"$patch": "delete", "name": "side"},
    ]
