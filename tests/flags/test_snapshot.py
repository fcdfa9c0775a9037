"""Flags as they were: a file that is read back, what differs from it, and who else has set a flag since."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from deployctl.errors import Conflict, DeployctlError, UsageError
from deployctl.flags import Setting
from deployctl.flags.file import File
from deployctl.flags.snapshot import (
    Apart,
    Kept,
    Snapshot,
    kept,
    put_back,
    read,
    since_release,
    since_snapshot,
)
from deployctl.formats import Flagged
from strategies.flags import State
from tests.flags.contract import asking
from tests.flags.imaginary import Imaginary
from tests.flags.test_file import YAML

ASKED = asking()
OFF, ON, SOME = (False, False), (True, False), (25, True)


def settings(provider: Imaginary) -> list[Setting]:
    return [provider.setting(key, ASKED) for key in sorted(provider.flags)]


def written(path: Path, **more) -> str:
    whole = {"app": "wallet", "namespace": "igaming", "provider": "file", "at": "", "by": "ann", "flags": ()}
    path.write_bytes(msgspec.json.encode(Snapshot(**{**whole, **more})))
    return str(path)


def test_a_snapshot_that_was_written_is_read_back(tmp_path):
    flags = (
        Kept("a", True, was={"enabled": True}),
        Kept("b", 25, share=True),
        Kept("c", None),
        Kept("d", "x"),
    )
    assert read(written(tmp_path / "one.json", flags=flags)).flags == flags


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no snapshot of flags"),
        ("[]", "no snapshot of flags: Expected `object`"),
        ('{"kind": "FlagSnapshot"}', "missing required field `app`"),
        ('{"flags": [{"key": "a"}]}', "missing required field"),
        ("[" * 100_000, "no snapshot of flags"),
        ("\x80", "no snapshot of flags"),
    ],
)
def test_what_is_no_snapshot_is_named(tmp_path, text, told):
    (tmp_path / "one.json").write_text(text, encoding="latin-1")
    with pytest.raises(UsageError, match=told) as raised:
        read(str(tmp_path / "one.json"))
    assert "deployctl flag snapshot" in raised.value.advice


def test_a_snapshot_of_another_version_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"its kind is FlagSnapshot of deployctl\.dev/v9"):
        read(written(tmp_path / "one.json", api_version="deployctl.dev/v9"))
    with pytest.raises(UsageError, match="No such file"):
        read(str(tmp_path / "none.json"))


def test_only_flags_that_are_not_as_they_were_are_named():
    provider = Imaginary({"a": OFF, "b": ON, "c": OFF, "d": SOME})
    then = kept(settings(provider))
    provider.put("b", OFF)
    provider.put("d", ON)
    del provider.flags["c"]
    provider.flags["e"] = ON
    told = [str(one) for one in since_snapshot(then, settings(provider))]
    assert told == ["b is false and was true", "c is gone and was false", "d is true and was on for 25%"]


def test_rules_that_changed_are_a_difference_though_the_value_is_the_same():
    then = Kept("a", None, was={"rules": ["staff"]})
    (one,) = since_snapshot([then], [Setting("a", None, was={"rules": ["everybody"]})])
    assert (
        str(one)
        == "a is decided by rules, or by nothing and was decided by rules, or by nothing, by other rules"
    )


def test_a_file_of_flags_is_put_back_to_the_letter(tmp_path):
    path = tmp_path / "flags.yaml"
    path.write_text(YAML)
    provider = File(str(path))
    then = msgspec.json.decode(msgspec.json.encode(kept(provider.settings(ASKED))), type=tuple[Kept, ...])
    for key, value in (("new-wallet", True), ("off-flag", True), ("tone", "quiet")):
        provider.set(provider.setting(key, ASKED), value, "", ASKED)
    differing = list(since_snapshot(then, provider.settings(ASKED)))
    assert [one.key for one in differing] == ["new-wallet", "off-flag", "tone"]
    for one in differing:
        put_back(provider, one, "", ASKED)
    assert path.read_text() == YAML


def test_a_flag_that_somebody_sets_after_it_was_looked_at_is_not_written_over():
    provider = Imaginary({"a": OFF})
    then = kept(settings(provider))
    provider.put("a", ON)
    (one,) = since_snapshot(then, settings(provider))
    provider.put("a", SOME)
    with pytest.raises(Conflict, match="a was changed"):
        put_back(provider, one, "", ASKED)
    assert provider.flags == {"a": SOME}


@pytest.mark.parametrize(
    ("then", "made"),
    [(Setting("a", True), ON), (Setting("a", 25, rollout=True), SOME)],
)
def test_what_was_kept_as_a_value_alone_is_put_back_as_that(then, made):
    provider = Imaginary({"a": OFF})
    put_back(provider, Apart(then, provider.setting("a", ASKED)), "", ASKED)
    assert provider.flags == {"a": made}


def test_what_cannot_be_put_back_says_why():
    provider = Imaginary({"a": OFF}, locked="an approval is needed")
    with pytest.raises(UsageError, match="there is no flag b any more"):
        put_back(provider, Apart(Setting("b", True), None), "", ASKED)
    with pytest.raises(UsageError, match="cannot be set: an approval is needed"):
        put_back(provider, Apart(Setting("a", True), provider.setting("a", ASKED)), "", ASKED)
    with pytest.raises(DeployctlError, match="its rules were not kept"):
        put_back(provider, Apart(Setting("a", None), Setting("a", True)), "", ASKED)
    assert provider.writes == []


MOVED = Flagged("a", State(False), {"kept": [False, False]}, ours=(State(True),), done=True)


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (Setting("a", False), None),
        (Setting("a", True), ("a is true and was false", "")),
        (Setting("a", 100, rollout=True), ("a is on for 100% and was false", "")),
        (
            Setting("a", 40, rollout=True),
            ("a is on for 40% and was false", "somebody else has set it since the release"),
        ),
        (None, ("a is gone and was false", "")),
    ],
)
def test_what_a_release_found_is_told_apart_from_what_somebody_else_set_since(now, told):
    found = since_release(MOVED, now)
    assert (found and (str(found), found.why)) == told
