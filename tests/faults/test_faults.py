"""Faults in virtual time: what was found stays mended, a sample of all holds, and the oracles see every mistake."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.docs import written
from tests.docs.pages import ROOT
from tests.faults import __main__ as program
from tests.faults import interleavings, matrix, mutants, tables
from tests.faults.found import FOUND
from tests.faults.matrix import Trial
from tests.faults.scenarios import SCENARIOS
from tests.faults.stage import on

SAMPLE = 2000


@pytest.mark.parametrize("trial", FOUND)
def test_what_was_found_is_mended(trial):
    assert program.judged(trial, 0)[1] == []


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_goes_as_it_is_meant_without_a_fault(scenario):
    assert matrix.violations(Trial(scenario, then="resume"), 0) == []


@pytest.mark.parametrize("pair", interleavings.PAIRS)
def test_two_commands_that_do_not_meet_end_as_one_would(pair):
    last = interleavings.TO_THE_END
    assert interleavings.violations(interleavings.Trial(pair, last, 0, last), 0) == []


def test_the_same_run_is_the_same_again():
    trial = Trial("blue-green-release", 36, "dropAfter", "rollback")
    first, second = (_told(trial) for _ in range(2))
    assert first == second


def _told(trial: Trial) -> list[tuple[int | None, list[str]]]:
    """Give what each process sent and how it ended; the seconds that its words begin with are real ones."""
    run = matrix.Run(trial, 0)
    run.violations()
    return [(one.code, [f"{call.method} {call.path}" for call in one.calls]) for one in run.stage.processes]


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name.endswith("-release")])
def test_the_plan_is_a_function_of_its_inputs_i14(name):
    first, second = (_planned(name, seconds) for seconds in (0.0, 3600.0))
    assert first == second


def _planned(name: str, seconds: float) -> str:
    from deployctl.cli import planning
    from tests.faults.scenarios import folder
    from tests.faults.stage import FLAGS

    stage = SCENARIOS[name].at_rest(0)
    with on(stage):
        stage.world.pass_time(seconds)
        ask = planning.Asked([], False, "", "finished", False)
        return stage.run("plan", lambda: planning.plan(FLAGS, folder(SCENARIOS[name]), ask)).words.getvalue()


def test_a_violation_is_told_with_the_command_that_repeats_it(capsys):
    with mutants.applied("pin-left"):
        found = program.told([program.judged("blue-green-release/@0/resume", 0)], 0, "pin-left")
    said = capsys.readouterr().out
    assert found
    assert "again: make faults SEED=0 RUN='blue-green-release/@0/resume' MUTANT='pin-left'" in said
    assert said.splitlines()[-1].startswith(f"1 runs, {found} violations (")


def test_the_page_tells_what_is_tried(*, rewrite: bool) -> None:
    written.hold(ROOT / "docs/reliability.md", "tried", tables.tried(), rewrite=rewrite)


def test_the_page_tells_what_was_found(*, rewrite: bool) -> None:
    written.hold(ROOT / "docs/reliability.md", "found", tables.found(), rewrite=rewrite)


@pytest.mark.proof
@pytest.mark.parametrize("name", mutants.MUTANTS)
def test_every_mutant_is_caught(name):
    trials = mutants.trials(name, 0)
    with mutants.applied(name):
        assert program.told(program.carried_out(trials, 0, 1), 0, name, first=True)


@pytest.mark.proof
def test_a_sample_of_all_runs_holds():
    command = [sys.executable, "-m", "tests.faults", "--runs", str(SAMPLE)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert f"{SAMPLE} runs, 0 violations" in done.stdout
