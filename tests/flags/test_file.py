"""The file provider: flagd's format and plain `key: value`, in YAML and in JSON."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from deployctl.errors import Conflict, DeployctlError, UsageError
from deployctl.flags import Context
from deployctl.flags.file import File
from tests.flags.contract import FLAG, OFF, Contract, World, asking

YAML = """\
# flags of the wallet
flags:
  new-wallet:   # asked for by payments
    state: ENABLED
    variants:
      on: true
      off: false
    defaultVariant: off

  # not for now
  off-flag:
    state: DISABLED
    variants: {on: true, off: false}
    defaultVariant: off
  tone: {state: ENABLED, variants: {a: loud, b: "quiet"}, defaultVariant: a}
metadata: {}
"""
JSON = """{
\t"flags": {
\t\t"new-wallet": {
\t\t\t"state": "ENABLED", "variants": {"on": true, "off": false},
\t\t\t"defaultVariant": "off"},
\t\t"off-flag": {"state": "DISABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off"},
\t\t"tone": {"state": "ENABLED", "variants": {"a": "loud"}, "defaultVariant": "a"}
\t}, "metadata": {"ok":  1}
}"""
PLAIN = "# the flags\nnew-wallet: false # off for now\noff-flag: null\ntone: loud\nlimit: 3\n"
ASKED = asking()


def world_of(path: Path, text: str, changed: tuple[str, str], **more) -> World:
    path.write_text(text)
    plain = {"format": "plain"} if text is PLAIN else {}
    return World(
        File(str(path), **plain),
        poke=lambda: path.write_text(path.read_text().replace(*changed)),
        kept=path.read_bytes,
        down=path.unlink,
        **more,
    )


class TestYaml(Contract):
    @pytest.fixture
    def world(self, tmp_path):
        return world_of(
            tmp_path / "flags.yaml", YAML, ("      on: true", "      on: true\n      more: false")
        )


class TestJson(Contract):
    @pytest.fixture
    def world(self, tmp_path):
        return world_of(tmp_path / "flags.json", JSON, ('"ENABLED", "variants"', '"ENABLED",  "variants"'))


class TestPlain(Contract):
    @pytest.fixture
    def world(self, tmp_path):
        changed = ("wallet: false", "wallet: False")
        return world_of(tmp_path / "flags.yaml", PLAIN, changed, shares=False)

    def test_a_value_of_another_type_is_refused(self, world):
        before = world.kept()
        with pytest.raises(UsageError, match="another type"):
            world.set(1)
        assert world.kept() == before


def kept(tmp_path, text, name="flags.yaml"):
    path = tmp_path / name
    path.write_text(text)
    return File(str(path))


def test_only_the_flag_that_is_set_is_written_anew(tmp_path):
    one = kept(tmp_path, YAML)
    one.set(one.setting(FLAG, ASKED), value=True, reason="", asked=ASKED)
    before, after = YAML.splitlines(), Path(one.path).read_text().splitlines()
    assert after[:3] == before[:3]
    assert after[8:] == before[8:]
    assert "defaultVariant: 'on'" in after[7]


def test_the_file_keeps_its_mode(tmp_path):
    one = kept(tmp_path, YAML)
    Path(one.path).chmod(0o640)
    one.set(one.setting(FLAG, ASKED), value=True, reason="", asked=ASKED)
    assert Path(one.path).stat().st_mode & 0o777 == 0o640
    assert [one.name for one in tmp_path.iterdir()] == ["flags.yaml"]


def test_a_link_to_a_file_stays_one(tmp_path):
    one = kept(tmp_path, YAML)
    (tmp_path / "link.yaml").symlink_to("flags.yaml")
    link = File(str(tmp_path / "link.yaml"))
    link.set(link.setting(FLAG, ASKED), value=True, reason="", asked=ASKED)
    assert (tmp_path / "link.yaml").is_symlink()
    assert one.setting(FLAG, ASKED).value is True


def test_a_flag_that_is_disabled_is_enabled_by_a_value(tmp_path):
    one = kept(tmp_path, YAML)
    found = one.set(one.setting(OFF, ASKED), value=False, reason="", asked=ASKED)
    assert found.value is False
    assert [each.value for each in one.read(OFF, Context(), ASKED)] == [False]


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ('{"fractional": [["on", 100], ["off", 0]]}', True),
        ('{"fractional": [["on", 0], ["off", 100]]}', False),
        ('{"fractional": [["on", 1], ["off", 1]]}', None),
        ('{"fractional": [{"var": "email"}, ["on", 50], ["off", 50]]}', None),
        ('{"if": [{"==": [{"var": "env"}, "prod"]}, "on"]}', None),
        ('{"$ref": "staff"}', None),
    ],
)
def test_a_file_answers_only_what_no_user_can_change(tmp_path, rule, value):
    text = YAML.replace("defaultVariant: off\n\n", f"defaultVariant: off\n    targeting: {rule}\n\n", 1)
    reading = kept(tmp_path, text).read(FLAG, Context(), ASKED)[0]
    assert reading.value is value
    assert bool(reading.why) is (value is None)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("state: DISABLED", "state: OFF", "flag off-flag: state is OFF; expected one of ENABLED, DISABLED"),
        ("defaultVariant: a", "defaultVariant: c", "flag tone: defaultVariant: c is none of a, b"),
        ('b: "quiet"', "b: 3", "flag tone: variants: of several types; expected one"),
        ("variants: {on: true, off: false}", "variants: {}", "flag off-flag: variants: none"),
        ("flags:\n", "flags: {\n", "it is neither JSON nor YAML"),
    ],
)
def test_a_file_that_flagd_would_not_take_is_refused_by_name(tmp_path, old, new, told):
    with pytest.raises(DeployctlError, match=told):
        kept(tmp_path, YAML.replace(old, new, 1)).settings(ASKED)


def test_a_flag_that_shares_its_text_is_left_alone(tmp_path):
    text = YAML.replace("new-wallet:   #", "new-wallet: &one #") + "\n"
    text = text.replace("  tone:", "  twin: *one\n  tone:")
    with pytest.raises(DeployctlError, match="twin is an alias of something above it"):
        kept(tmp_path, text).setting("twin", ASKED)


def test_a_text_flag_has_no_share(tmp_path):
    one = kept(tmp_path, YAML)
    with pytest.raises(UsageError, match="tone has no variant that is true"):
        one.roll_out(one.setting("tone", ASKED), 10, "", ASKED)


def test_a_share_is_from_0_to_100(tmp_path):
    one = kept(tmp_path, YAML)
    with pytest.raises(UsageError, match="101%"):
        one.roll_out(one.setting(FLAG, ASKED), 101, "", ASKED)


def test_of_two_that_write_at_once_one_has_its_way(tmp_path):
    one, ended = kept(tmp_path, YAML), []
    seen = one.setting(FLAG, ASKED)

    def write(share: int) -> None:
        try:
            ended.append(one.roll_out(seen, share, "", ASKED).value)
        except Conflict:
            ended.append("conflict")

    threads = [threading.Thread(target=write, args=(share,)) for share in range(10, 50, 5)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert ended.count("conflict") == len(threads) - 1
    assert one.setting(FLAG, ASKED).value in ended


def test_a_plain_file_is_read_by_its_words(tmp_path):
    one = replace(kept(tmp_path, PLAIN), format="plain")
    assert {each.key: each.value for each in one.settings(ASKED)} == {
        "new-wallet": False,
        "off-flag": None,
        "tone": "loud",
        "limit": 3,
    }
