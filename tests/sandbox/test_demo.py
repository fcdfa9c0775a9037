"""The demo without its cluster: what it finds wrong, what it writes, how it shows a command."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import yaml

from deployctl.errors import UsageError
from deployctl.render.answers import Answers
from deployctl.sandbox.demo import run as demo
from deployctl.sandbox.demo.place import manifests
from deployctl.sandbox.demo.run import SCENARIOS, Ended
from deployctl.sandbox.demo.stage import Act, Meanwhile, Stage, killed
from deployctl.sandbox.demo.stories import STORIES
from deployctl.sandbox.demo.voice import Voice
from deployctl.spec import read

WELL = {"balances": Answers(2000, 0, names={"h1": "r1"})}


def ended(*acts: Act, seen: dict[str, Answers] = WELL, silent: tuple[str, ...] = ()) -> Ended:
    return Ended(STORIES[0], list(acts), seen, 60.0, Path("page.html"), list(silent))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    voice = Voice(io.StringIO())
    made = Stage(manifests(tmp_path / "work"), tmp_path / "none", voice, lambda *_: None)
    made.act("A title", "Why it matters.")
    return made


def shown(stage: Stage) -> str:
    return stage.voice.stream.getvalue()


def test_there_are_five_stories_and_the_tour():
    assert list(SCENARIOS) == ["tour", "happy", "bad-build", "slow-start", "killed-and-resumed", "scale-up"]


@pytest.mark.parametrize("about", SCENARIOS.values())
def test_a_story_is_told_in_one_line_of_a_terminal(about: str):
    assert len(about) < 80 - 20


def test_an_unknown_story_names_the_known_ones():
    with pytest.raises(UsageError, match="no scenario nonsense; expected one of tour, happy"):
        demo.demo("nonsense")


def test_a_page_that_cannot_be_written_is_said_before_the_story(tmp_path: Path):
    with pytest.raises(UsageError, match="expected a file in a folder that is there"):
        demo.demo("happy", out=tmp_path / "none" / "page.html")


def test_all_is_well_where_every_command_ended_as_told_and_no_request_failed():
    assert ended(Act("t", "s", "deployctl release x", 3, code=3)).wrong == []


def test_an_exit_code_that_was_not_expected_is_wrong():
    assert ended(Act("t", "s", "deployctl release x", 0, code=5)).wrong == [
        "deployctl release x: exit 5, not 0"
    ]


def test_a_failed_request_is_wrong():
    assert ended(seen={"balances": Answers(2000, 2)}).wrong == ["2 requests failed"]


def test_an_answer_of_a_build_that_must_get_no_request_is_wrong():
    assert ended(silent=("r1",)).wrong == ["revision r1 answered requests"]


def test_the_summary_says_what_the_last_lines_say():
    document = ended(Act("t", "s", "deployctl release x", 0)).document()
    assert (document["requests"], document["failed"], document["ok"]) == (2000, 0, True)
    assert document["steps"][0]["command"] == "deployctl release x"


def test_a_spec_is_changed_as_a_person_does(stage: Stage):
    stage.sets("game-sessions", "bake: 10s", "bake: 2s")
    spec = read(str(stage.folder / "igaming" / "game-sessions")).apps[0]
    assert spec.spec.strategy.options.bake_seconds == 2.0


def test_an_edit_is_one_of_the_manifest(stage: Stage):
    stage.edit("balances", REVISION="r2", HEALTHZ_STATUS="500")
    stage.edit("balances", HEALTHZ_STATUS=None)
    one = yaml.safe_load((stage.folder / "igaming/balances/deployment.yaml").read_text())
    env = one["spec"]["template"]["spec"]["containers"][0]["env"]
    assert env == [{"name": "SERVICE", "value": "balances"}, {"name": "REVISION", "value": "r2"}]
    assert "edit igaming/balances/deployment.yaml: REVISION=r2, HEALTHZ_STATUS=500" in shown(stage)


def test_a_spec_that_says_nothing_of_it_is_not_changed_in_silence(stage: Stage):
    with pytest.raises(ValueError, match="says nothing of bake: 9s"):
        stage.sets("game-sessions", "bake: 9s", "bake: 2s")


def test_a_command_is_shown_with_what_it_says_and_its_exit_code(stage: Stage):
    act = stage.runs("release", "igaming/nowhere", exits=2)
    assert (act.code, act.as_told) == (2, True)
    assert "$ deployctl release igaming/nowhere\n" in shown(stage)
    assert "\n  exit 2\n" in shown(stage)


def test_an_exit_code_that_surprises_is_said(stage: Stage):
    stage.runs("release", "igaming/nowhere", exits=0)
    assert "exit 2, but 0 was expected" in shown(stage)


def test_a_command_can_be_killed_when_it_says_something(stage: Stage):
    act = stage.runs("release", "igaming/nowhere", meanwhile=Meanwhile("error", killed))
    assert act.code in {-9, 2}


def test_a_command_that_only_looks_shows_what_it_says(stage: Stage):
    stage.looks("validate", "igaming/balances")
    assert "  balances: valid\n" in shown(stage)


def test_a_stream_that_knows_no_unicode_gets_ascii():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    voice = Voice(stream)
    voice.line("→ ░")
    assert voice.glyphs.preview == "#"
