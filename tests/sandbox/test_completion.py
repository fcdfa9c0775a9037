"""What the shell offers at TAB, asked as bash, zsh and kubectl ask: words of the cluster, and no complaint."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployctl.cluster.api import MERGE_PATCH, Request
from tests.cluster.bed.layout import REPOSITORY
from tests.cluster.platform import EXAMPLE
from tests.sandbox.practice import Practice, PracticeApp, namespace
from tests.sandbox.terminal import Terminal
from tests.servers import packages
from tests.servers.zsh import zsh

BIN = Path(sys.executable).parent
RECORD = "/api/v1/namespaces/igaming/configmaps/deployctl-balances"
BASH = """
eval "$(deployctl --show-completion bash)"
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_deployctl_completion deployctl
printf '%s\\n' "${COMPREPLY[@]}"
"""
UNREACHED = """\
apiVersion: v1
kind: Config
current-context: here
contexts: [{name: here, context: {cluster: here, user: me}}, {name: there, context: {cluster: here, user: me}}]
clusters: [{name: here, cluster: {server: "http://127.0.0.1:PORT"}}]
users: [{name: me, user: USER}]
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PracticeApp]:
    """The app balances, released once to its second revision."""
    folder = tmp_path_factory.mktemp("balances") / "app"
    shutil.copytree(EXAMPLE / "balances", folder)
    sandbox = Practice(tmp_path_factory.mktemp("sandbox"))
    one = PracticeApp(sandbox, namespace(sandbox, "igaming"), "balances", folder)  # type: ignore[arg-type]
    one.strategy(keepOld="0s")
    one.edit("deployment.yaml", lambda each: each["spec"].update(replicas=1))
    one.install()
    done = one.run("release", str(one.spec), "--image", "localhost/igaming:2")
    assert done.returncode == 0, done.stderr
    yield one
    sandbox.close()


def environment() -> dict[str, str]:
    """Find the commands, and give a busy machine time."""
    return {"PATH": f"{BIN}:/usr/bin:/bin", "DEPLOYCTL_COMPLETION_SECONDS": "10"}


def bash(app: PracticeApp, *words: str) -> list[str]:
    """Press TAB after `words` in bash, with the script that `--show-completion` gives."""
    script = ["bash", "--norc", "-c", BASH, "bash", "deployctl", *words]
    done = app.cluster.run(script, env=environment())
    assert done.stderr == ""
    return done.stdout.split()


def kubectl(app: PracticeApp, *words: str) -> list[str]:
    """Ask what `kubectl deployctl WORDS<TAB>` asks, and give the lines of the answer."""
    done = app.cluster.run(["kubectl_complete-deployctl", *words], env=environment())
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def lost(folder: Path, port: int, user: str = "{}") -> Path:
    config = folder / "kubeconfig"
    config.write_text(UNREACHED.replace("PORT", str(port)).replace("USER", user))
    return config


def test_bash_is_offered_apps_revisions_and_releases(app: PracticeApp) -> None:
    assert bash(app, "why", "b") == ["balances"]
    assert bash(app, "rollback", "balances", "--to", "") == ["2", "1"]
    assert bash(app, "diff", "balances", "1", "") == ["2", "1"]
    assert len(bash(app, "report", "balances", "")) == 1


@pytest.mark.parametrize("verb", ["plan", "surge", "show"])  # each has the argument under another name
def test_the_commands_of_the_autoscaler_are_offered_apps(app: PracticeApp, verb: str) -> None:
    assert bash(app, "autoscale", verb, "b") == ["balances"]


def test_bash_is_offered_commands_contexts_namespaces_and_formats(app: PracticeApp) -> None:
    assert bash(app, "re") == ["release", "report", "resume"]
    assert bash(app, "status", "--context", "dep") == ["deployctl-sandbox"]
    assert bash(app, "status", "-n", "ig") == ["igaming"]
    assert bash(app, "status", "-o", "j") == ["json", "jsonl"]
    assert bash(app, "gate", "explain", "ht") == ["http"]
    assert bash(app, "init", "") == ["balances"]


@pytest.mark.long
@pytest.mark.skipif(not packages.to_be_had("fish"), reason="neither fish nor apt-get is on this machine")
def test_fish_is_offered_the_same(app: PracticeApp, tmp_path: Path) -> None:
    script = 'deployctl --show-completion | source; complete -C "$argv"'
    program = [str(packages.command(tmp_path, "fish")), "--no-config", "-c", script]
    env = environment() | {"HOME": str(tmp_path)}

    def offered(line: str) -> list[str]:
        done = app.cluster.run([*program, line], env=env)
        assert done.stderr == ""
        return done.stdout.splitlines()

    assert offered("deployctl why b") == ["balances"]
    assert offered("deployctl res")[0].startswith("resume\tGo on with a release")
    assert [one[:2] for one in offered("deployctl rollback balances --to ")] == ["1\t", "2\t"]  # fish sorts


@pytest.mark.long
@pytest.mark.skipif(not packages.to_be_had("zsh"), reason="neither zsh nor apt-get is on this machine")
def test_zsh_completes_what_is_typed(app: PracticeApp, tmp_path: Path) -> None:
    program, finds = zsh()
    start = 'autoload -U compinit; compinit -u -D; eval "$(deployctl --show-completion)"\n'
    (tmp_path / ".zshrc").write_text(finds + start)
    env = environment() | {"ZDOTDIR": str(tmp_path), "HOME": str(tmp_path), "TERM": "vt100"}
    env["KUBECONFIG"] = str(app.cluster.home.kubeconfig)  # type: ignore[attr-defined]
    with Terminal(program, "-d", "-i", env=env) as terminal:
        terminal.see("ready> ")
        terminal.press("deployctl why b\t")
        terminal.see("why balances")
        terminal.press("\x15deployctl rollback balances --to \t")
        terminal.see("localhost/igaming:2")


def test_the_flags_typed_so_far_say_which_cluster_and_namespace_are_asked(app: PracticeApp) -> None:
    assert bash(app, "status", "-n", "default", "") == []
    assert bash(app, "status", "--context", "no-such", "") == []


def test_kubectl_gets_words_with_what_is_said_of_them_and_a_directive(app: PracticeApp) -> None:
    first, second, last = kubectl(app, "rollback", "balances", "--to", "")
    assert (first[:2], second[:2], last) == ("2\t", "1\t", ":4")
    assert first.endswith(" localhost/igaming:2")
    assert kubectl(app, "st")[0] == (
        "status\tShow what runs, what a release waits for, and how to go on by hand."
    )


def test_where_nothing_is_found_kubectl_offers_files(app: PracticeApp) -> None:
    assert kubectl(app, "release", "manifests/") == [":0"]


@pytest.mark.skipif(not shutil.which("kubectl"), reason="no kubectl here")
def test_the_real_kubectl_finds_it(app: PracticeApp) -> None:
    env = environment() | {"PATH": f"{BIN}:{Path(str(shutil.which('kubectl'))).parent}:/usr/bin:/bin"}
    done = app.cluster.run(["kubectl", "__complete", "deployctl", "why", ""], env=env)
    assert done.stdout.splitlines() == ["balances", ":4"]


def test_a_cluster_that_does_not_answer_costs_half_a_second_and_no_word(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        config = lost(tmp_path, deaf.getsockname()[1])
        began = time.monotonic()
        assert asked(config, "why", "") == (0, ":0\n", "")
        assert time.monotonic() - began < 3  # 0.5 s on a machine that has nothing else to do


def test_no_cluster_no_kubeconfig_and_a_plugin_that_complains_offer_nothing(tmp_path: Path) -> None:
    plugin = (
        "{exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: sh,"
        " args: ['-c', 'echo log in first >&2; exit 1']}}"
    )
    assert asked(lost(tmp_path, 1), "why", "") == (0, ":0\n", "")
    assert asked(lost(tmp_path, 1, plugin), "why", "") == (0, ":0\n", "")
    assert asked(tmp_path / "none", "why", "") == (0, ":0\n", "")
    assert asked(tmp_path / "none", "why", "--context", "") == (0, ":0\n", "")


def test_contexts_need_no_cluster(tmp_path: Path) -> None:
    assert asked(lost(tmp_path, 1), "why", "--context", "") == (0, "here\nthere\n:4\n", "")


def test_a_line_that_no_command_would_take_offers_nothing(tmp_path: Path) -> None:
    assert asked(lost(tmp_path, 1), "why", "--no-such", "") == (0, ":0\n", "")


def asked(config: Path, *words: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [BIN / "kubectl_complete-deployctl", *words],
        env={"KUBECONFIG": str(config), "PATH": f"{BIN}:/usr/bin:/bin"},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_record_cannot_put_a_command_into_a_shell(app: PracticeApp) -> None:
    """Zsh evaluates what it is given."""
    api = app.cluster.api  # type: ignore[attr-defined]
    kept = api.get(RECORD)["data"]["releases"]
    evil = kept.replace('"outcome":"promoted"', '"outcome":"$(touch owned)`id`\\u001b[31m"')
    assert evil != kept
    api.send(Request("PATCH", RECORD, {"data": {"releases": evil}}, MERGE_PATCH))
    env = environment() | {"_DEPLOYCTL_COMPLETE": "complete_zsh"}
    line = {"_TYPER_COMPLETE_ARGS": "deployctl report balances "}
    told = app.cluster.run(["deployctl"], env={**env, **line}).stdout
    assert "touch owned" in told
    assert not set(told) & set("$`\x1b")
