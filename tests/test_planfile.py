"""The file of a plan: whole, sealed and in time, or refused with what is wrong with it."""

from __future__ import annotations

import datetime as dt
import io
import json
import re
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from deployctl.cli.flags import Flags
from deployctl.cli.promised import release
from deployctl.cli.releasing import Asked
from deployctl.errors import UsageError
from deployctl.planfile import PlanFile, in_time, read, seal_of, write
from deployctl.schema import of_plan_file
from tests.sandbox.rehearsing import Scene
from tests.saved import image_saved, resealed

Json = dict[str, Any]


@pytest.fixture(scope="module")
def file() -> PlanFile:
    return image_saved(Scene())


@pytest.fixture
def path(file: PlanFile, tmp_path: Path) -> Path:
    write(file, str(tmp_path / "plan.json"))
    return tmp_path / "plan.json"


def change(path: Path, *, anew: bool = False, **parts: Any) -> Path:
    """Edit a plan file by hand; `anew` by somebody who seals it anew."""
    whole = {**json.loads(path.read_text()), **parts}
    path.write_text(json.dumps({**whole, "seal": seal_of(whole)} if anew else whole))
    return path


def refusal(path: Path | str) -> UsageError:
    with pytest.raises(UsageError) as raised:
        read(str(path))
    assert str(raised.value).startswith(f"--plan {path}: ")
    assert "deployctl plan FILE --out PLAN.json" in raised.value.advice
    return raised.value


# -- written and read ---------------------------------------------------------------------------------------


def test_what_was_written_reads_back_the_same(file: PlanFile, path: Path) -> None:
    assert read(str(path)) == file


def test_standard_input_is_read_too(file: PlanFile, path: Path) -> None:
    assert read("-", io.BytesIO(path.read_bytes())) == file


def test_a_file_that_was_only_laid_out_anew_is_the_same(file: PlanFile, path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()), sort_keys=True))
    assert read(str(path)) == file


def test_it_is_its_owners_alone(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_older_plan_is_replaced_whole(file: PlanFile, path: Path) -> None:
    path.write_text("x" * 100_000)
    write(file, str(path))
    assert read(str(path)) == file
    assert [one.name for one in path.parent.iterdir()] == ["plan.json"]


def test_a_plan_goes_through_a_link_to_where_it_leads(file: PlanFile, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write(file, str(tmp_path / "link"))
    assert read(str(tmp_path / "target")) == file
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("name", ["nowhere/plan.json", "."])
def test_where_nothing_can_be_written_is_told(file: PlanFile, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"--out .*: (No such file or directory|Is a directory)"):
        write(file, str(tmp_path / name))


def test_it_is_valid_by_its_schema(path: Path) -> None:
    Draft202012Validator.check_schema(of_plan_file())
    assert (
        list(map(str, Draft202012Validator(of_plan_file()).iter_errors(json.loads(path.read_text())))) == []
    )


# -- broken -------------------------------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "No such file or directory" in str(refusal(tmp_path / "nope.json"))


@pytest.mark.parametrize("text", ["", "[1]", "{", "\x00", "apiVersion: x", "[" * 100_000, "null"])
def test_what_is_no_json_object_is_no_plan(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    assert "no plan file" in str(refusal(tmp_path / "plan.json"))


def test_a_file_that_was_cut_off_is_no_plan(path: Path) -> None:
    path.write_text(path.read_text()[:2000])
    assert "no plan file" in str(refusal(path))


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        (
            {"apiVersion": "deployctl.dev/v9"},
            "its kind is PlanFile of deployctl.dev/v9; this deployctl reads",
        ),
        ({"kind": "App"}, "its kind is App of deployctl.dev/v1alpha1"),
        ({"kind": "\x1b[2J"}, "its kind is [2J of"),
    ],
)
def test_another_version_or_kind_is_named(path: Path, parts: Json, says: str) -> None:
    assert says in str(refusal(change(path, **parts)))


def test_the_output_of_plan_is_told_from_a_plan_file(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text())["plan"]))
    assert "`plan -o json` is for reading" in refusal(path).advice


@pytest.mark.parametrize("part", ["digest", "created", "expires", "promise", "plan", "writtenBy", "seal"])
def test_whatever_was_changed_breaks_the_seal(path: Path, part: str) -> None:
    assert "it was changed after it was written" in str(
        refusal(change(path, **{part: "2030-01-01T00:00:00Z"}))
    )


def test_an_image_that_was_changed_breaks_the_seal(path: Path) -> None:
    path.write_text(path.read_text().replace("igaming:2", "igaming:3"))
    assert "it was changed after it was written" in str(refusal(path))


def test_what_was_added_breaks_the_seal(path: Path) -> None:
    assert "it was changed after it was written" in str(refusal(change(path, more=True)))


def test_a_digest_that_is_not_that_of_the_promise_is_refused_though_it_is_sealed(path: Path) -> None:
    assert "do not belong together" in str(refusal(change(path, anew=True, digest="0" * 64)))


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"promise": {}}, "missing required field"),
        ({"promise": None}, "Expected `object`"),
        ({"expires": "soon"}, "Invalid isoformat"),
        ({"expires": "2099-01-01T00:00:00"}, "has no time zone"),
        ({"expires": "2001-01-01T00:00:00Z"}, "do not belong together"),
    ],
)
def test_a_sealed_file_of_another_shape_is_refused(path: Path, parts: Json, says: str) -> None:
    assert says in str(refusal(change(path, anew=True, **parts)))


def test_a_namespace_that_leads_out_of_its_path_is_refused(file: PlanFile, tmp_path: Path) -> None:
    write(resealed(file, namespace="../kube-system"), str(tmp_path / "plan.json"))
    assert "matching regex" in str(refusal(tmp_path / "plan.json"))


# -- in time ------------------------------------------------------------------------------------------------


def test_a_plan_is_good_until_it_expires(file: PlanFile) -> None:
    in_time(file, dt.datetime.fromisoformat(file.expires) - dt.timedelta(seconds=1))


def test_a_plan_that_expired_says_how_long_ago(file: PlanFile) -> None:
    late = dt.datetime.fromisoformat(file.expires) + dt.timedelta(minutes=5)
    with pytest.raises(UsageError, match=rf"\(\w{{12}}\) expired at {file.expires}, 5m ago") as raised:
        in_time(file, late)
    assert "`deployctl resume balances`" in raised.value.advice


# -- beside it ----------------------------------------------------------------------------------------------

FLAGS = Flags(None, None, None, None, "15s", "table", quiet=False, verbose=False, color="auto", no_input=True)
ALONE = Asked(
    [],
    False,
    "",
    "",
    "30m",
    "abort",
    accept_sync=False,
    replace=False,
    reason="",
    yes=False,
    plan="plan.json",
)


@pytest.mark.parametrize(
    ("target", "flags", "says"),
    [
        ("balances", {}, "FILE|APP"),
        ("", {"image": ["x"]}, "--image"),
        ("", {"restart": True, "wait": "promoted"}, "--restart, --wait"),
        ("", {"promote": "manual"}, "--promote"),
        ("", {"accept_sync": True}, "--accept-sync"),
    ],
)
def test_what_a_plan_says_already_is_not_said_again(target: str, flags: Json, says: str) -> None:
    """Without a look at the file, or at a cluster."""
    with pytest.raises(UsageError, match=re.escape(f"--plan says all of {says} already")) as raised:
        release(FLAGS, target, replace(ALONE, **flags))
    assert raised.value.advice.startswith("leave ")


def test_without_anything_to_release_that_is_said() -> None:
    with pytest.raises(UsageError, match="nothing to release was given"):
        release(FLAGS, "", replace(ALONE, plan=""))
