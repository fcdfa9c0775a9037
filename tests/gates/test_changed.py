"""A change calls for the tests of the servers that it can break, and for all where that is not known."""

from __future__ import annotations

import subprocess

import pytest

from tests.gates.changed import called_for, changed, on_servers

KAFKA, GALERA = "tests/gates/test_kafka.py", "tests/gates/test_galera.py"
WHO = ("-c", "user.name=tests", "-c", "user.email=tests@example.com", "-c", "commit.gpgsign=false")


def git(at, *words):
    subprocess.run(["git", *WHO, *words], cwd=at, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository whose branch is one commit ahead of main."""
    monkeypatch.delenv("BASE", raising=False)
    at = tmp_path / "whole"
    at.mkdir()
    git(at, "init", "--quiet", "--initial-branch=main")
    for number, branch in enumerate(("main", "work")):
        git(at, "checkout", "--quiet", "-B", branch)
        (at / f"file{number}").write_text("here")
        git(at, "add", "-A")
        git(at, "commit", "--quiet", "--message=one more")
    return at


def test_a_gates_own_file_calls_for_its_own_server():
    chosen = called_for(["deployctl/gates/kafka.py", "README.md"])
    assert KAFKA in chosen
    assert GALERA not in chosen


def test_the_way_a_server_is_started_calls_for_its_tests():
    assert set(called_for(["tests/servers/galera.py"])) == {GALERA, "tests/gates/test_protected.py"}


@pytest.mark.parametrize(
    "file", ["deployctl/consumers.py", "strategies/consuming.py", "manifests/igaming/consuming.py"]
)
def test_what_the_processes_of_a_test_run_calls_for_it(file):
    hand_overs = {"tests/gates/test_kafka_hand_over.py", "tests/gates/test_rabbitmq_hand_over.py"}
    assert set(called_for([file])) >= hand_overs


def test_a_part_of_a_package_calls_for_the_packages_tests():
    assert "tests/gates/test_postgres.py" in called_for(["deployctl/gates/postgres/budget.py"])


@pytest.mark.parametrize(
    "shared",
    [
        "deployctl/gates/stage.py",
        "deployctl/gates/fetch.py",
        "deployctl/gates/credential.py",
        "deployctl/gates/peers.py",
        "deployctl/gates/reach.py",
        "tests/servers/running.py",
        "tests/servers/packages.py",
        "requirements/lock.txt",
    ],
)
def test_what_is_shared_calls_for_all(shared):
    assert called_for([shared]) == on_servers()


def test_what_only_some_import_calls_for_these():
    chosen = called_for(["strategies/analysis.py"])
    assert {GALERA, "tests/gates/test_prometheus_real.py"} <= set(chosen) < set(on_servers())


def test_what_no_gate_uses_calls_for_none():
    assert called_for(["README.md", "deployctl/render/plan.py", ""]) == ()


def test_what_a_branch_changed_is_told_committed_or_not(repository):
    (repository / "file0").write_text("changed")
    (repository / "new").touch()
    assert sorted(filter(None, changed(repository))) == ["file0", "file1", "new"]


def test_a_base_that_is_named_is_the_one(repository, monkeypatch):
    monkeypatch.setenv("BASE", "work")
    assert not any(changed(repository))


def test_a_base_that_is_not_there_is_no_base(repository, monkeypatch):
    monkeypatch.setenv("BASE", "0123456789abcdef0123456789abcdef01234567")
    assert changed(repository) is None


def test_main_itself_has_no_base(repository):
    git(repository, "checkout", "--quiet", "main")
    assert changed(repository) is None


def test_a_clone_without_history_has_no_base(repository, tmp_path):
    git(tmp_path, "clone", "--quiet", "--depth=1", "--branch=work", f"file://{repository}", "shallow")
    assert changed(tmp_path / "shallow") is None


def test_a_folder_without_git_has_no_base(tmp_path, monkeypatch):
    monkeypatch.delenv("BASE", raising=False)
    assert changed(tmp_path) is None
