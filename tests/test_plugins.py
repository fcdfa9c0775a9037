"""Built-in and foreign plugins come through one door."""

import sys

import pytest

from deployctl import plugins
from deployctl.errors import DeployctlError, UsageError
from deployctl.plugins import GATES, STRATEGIES, find, names


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution that provides one plugin, as pip would."""

    def installed(dist, name, target, source=""):
        folder = tmp_path / dist
        metadata = folder / f"{dist}-1.2.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.2\n")
        (metadata / "entry_points.txt").write_text(f"[{GATES}]\n{name} = {target}\n")
        (folder / f"{dist}_plugin.py").write_text(source)
        monkeypatch.syspath_prepend(folder)

    return installed


def test_the_built_in_strategies_are_entry_points_like_any_other():
    assert names(STRATEGIES) == ("blueGreen", "rolling")


def test_a_plugin_is_found_by_its_name():
    assert find(STRATEGIES, "rolling").__name__ == "Rolling"


def test_a_foreign_plugin_is_found_as_soon_as_it_is_installed(install):
    install("casino", "jackpot", "casino_plugin:Jackpot", "class Jackpot: ...")
    assert {"http", "jackpot"} <= set(names(GATES))
    assert find(GATES, "jackpot").__name__ == "Jackpot"


def test_only_the_plugin_that_is_asked_for_is_imported(install):
    install("quiet", "silent", "quiet_plugin:Silent", "class Silent: ...")
    find(STRATEGIES, "rolling")
    names(GATES)
    assert "quiet_plugin" not in sys.modules


def test_an_unknown_name_lists_what_is_installed():
    with pytest.raises(
        UsageError, match=r"^canary: no such plugin of deployctl.strategies; installed: blueGreen, rolling$"
    ):
        find(STRATEGIES, "canary")


def test_an_unknown_name_in_an_empty_group_says_that_there_is_none():
    with pytest.raises(UsageError, match=r"installed: none$"):
        find("deployctl.nothing", "canary")


@pytest.mark.parametrize(
    ("target", "source"),
    [
        ("broken_plugin:Gate", "import a_driver_that_is_not_installed"),
        ("broken_plugin:Gate", "class Other: ..."),
        ("broken_plugin:Gate", "class Gate:"),
        ("no_such_module:Gate", ""),
    ],
)
def test_a_plugin_that_fails_to_import_is_told_with_its_distribution(install, target, source, monkeypatch):
    monkeypatch.delitem(sys.modules, "broken_plugin", raising=False)
    install("broken", "bad", target, source)
    with pytest.raises(DeployctlError, match=rf"^bad: {target} of broken 1.2 cannot be imported: "):
        find(GATES, "bad")


def test_two_distributions_that_provide_one_name_are_both_told(install):
    install("casino", "http", "casino_plugin:Http")
    with pytest.raises(
        DeployctlError, match=r"^http: casino 1.2, deployctl .* all provide it for deployctl.gates$"
    ):
        find(GATES, "http")


def test_what_is_installed_is_read_once_however_many_specs_ask():
    names(GATES)
    before = plugins._read.cache_info().misses
    assert (find(GATES, "http"), names(GATES)) == (find(GATES, "http"), names(GATES))
    assert plugins._read.cache_info().misses == before
