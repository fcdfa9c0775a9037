"""What must always hold, each law by its number: stated here, or by the test that is named here and must exist."""

from __future__ import annotations

import ast
import copy
import inspect
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deployctl import rollout
from deployctl.cluster.api import Stale
from deployctl.cluster.patches import Writer
from deployctl.lock import Lock
from deployctl.memory import Settings, annotation, load
from deployctl.render.lines import Lines
from deployctl.rollout import raised
from strategies.blue_green import BlueGreen
from strategies.model import (
    Arm,
    Begin,
    Finish,
    Hold,
    Outcome,
    Pause,
    Pin,
    Rehold,
    Return,
    Turn,
    Valve,
)
from strategies.quantities import Amount
from strategies.rolling import Rolling
from strategies.simulator import World
from strategies.walk import walk
from tests.fake import Cluster, json_patched
from tests.objects import deployment, held, hold, memory, remembering, replica_set, snapshot, template
from tests.run import NO, YES, Release, gates

ROOT = Path(__file__).parent.parent
KEY = "/metadata/annotations/deployctl.dev~1release"
OLD, NEW = template(), template("wallet:2")
BLUE_GREEN = BlueGreen(keep_old_seconds=30)
ROLLING = Rolling(batch=Amount(2), bake_seconds=5)
EVERY = (BLUE_GREEN, ROLLING)
AFTER_FINISH = ("unpin", "restore")
PROVEN_ELSEWHERE = {
    "I1 the live Service never has 0 ready endpoints": [
        "tests/strategies/test_every_state.py::test_blue_green_keeps_its_laws",
        "tests/strategies/test_every_state.py::test_rolling_keeps_its_laws",
        "tests/cluster/test_main_job.py::test_the_main_job_loses_no_request",
    ],
    "I2 ready capacity never falls under the size": [
        "tests/test_rollout.py::test_capacity_never_falls_under_the_size_in_blue_green",
        "tests/test_rollout.py::test_capacity_never_falls_under_the_size_in_a_rolling_release",
        "tests/test_rollout.py::test_without_room_to_surge_capacity_falls_by_one_batch_at_most",
    ],
    "I3 traffic goes only where the gates before said yes": [
        "tests/test_rollout.py::test_a_dark_batch_that_its_gate_refuses_takes_no_request",
        "tests/test_rollout.py::test_a_gate_that_says_no_before_the_shift_turns_the_release_round",
    ],
    "I4 there is one effective writer": [
        "tests/test_rollout.py::test_a_run_whose_fence_was_raised_writes_no_more",
        "tests/test_rollout.py::test_a_run_that_lost_the_lock_writes_to_no_service",
        "tests/test_releases.py::test_the_first_run_stops_when_another_takes_over",
    ],
    "I6 from any crash point a release ends all new or all old": [
        "tests/test_rollout.py::test_a_blue_green_release_that_died_is_resumed_to_its_end",
        "tests/test_rollout.py::test_a_blue_green_release_that_died_is_aborted_to_stable",
        "tests/test_rollout.py::test_a_rolling_release_that_died_is_resumed_to_its_end",
        "tests/test_rollout.py::test_a_rolling_release_that_died_is_aborted_to_stable",
    ],
    "I8 the way back needs only the Kubernetes API": [
        "tests/test_rollout.py::test_the_way_back_needs_no_gate",
        "tests/test_releases.py::test_the_way_back_needs_no_record",
        "tests/cluster/test_way_back.py::test_a_release_in_flight_goes_back_without_its_record",
    ],
    "I9 no secret is told": [
        "tests/gates/test_http.py::test_what_may_be_secret_in_an_address_is_not_told",
        "tests/cluster/test_secrets.py::test_no_output_and_no_record_holds_a_credential",
        "tests/test_promise.py::test_a_secret_that_is_live_stays_in_the_cluster_and_comes_back_from_there",
    ],
    "I10 clocks cannot shorten a hold": [
        "tests/test_lock.py::test_a_holder_that_renews_is_alive_whatever_the_clocks_say",
    ],
    "I11 unknown is not pass": [
        "tests/strategies/test_analysis.py::test_without_one_pass_there_is_never_a_yes",
        "tests/test_rollout.py::test_unknown_turns_the_release_round_after_its_limit",
    ],
    "I12 no player request fails": [
        "tests/cluster/test_main_job.py::test_the_main_job_loses_no_request",
    ],
    "I14 the plan is a function of its inputs": [
        "tests/cluster/test_look.py::test_plan_is_a_function_of_its_inputs_and_touches_nothing",
        "tests/test_promise.py::test_the_same_inputs_have_the_same_digest_at_another_time",
    ],
}


def stated(name: str) -> bool:
    """Say whether a test exists."""
    file, _, test = name.partition("::")
    tree = ast.parse((ROOT / file).read_text())
    return test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("law", PROVEN_ELSEWHERE)
def test_the_tests_of_a_law_exist(law):
    assert [name for name in PROVEN_ELSEWHERE[law] if not stated(name)] == []


# -- I4: a writer that lost the fence changes nothing -------------------------------------------------------


def waiting(strategy=BlueGreen(promote="manual")) -> Release:  # noqa: B008 - frozen
    """Give a release that stands, held and paused, with its memory in the cluster."""
    release = Release(Cluster.running(), strategy)
    release.run()
    return release


def test_i4_a_patch_that_was_built_before_the_fence_was_raised_is_refused():
    """Raising the fence changes no spec, and so no generation: the annotation's own test has to refuse."""
    release = waiting()
    thing = copy.deepcopy(release.cluster.deployment)
    mine = load(thing["metadata"]["annotations"]["deployctl.dev/release"])
    late = Writer(snapshot(thing), mine, OLD, NEW).request(Finish())
    theirs = Writer(snapshot(thing), mine, OLD, NEW).remember(raised(mine, "bob"))
    release.api.send(theirs)
    with pytest.raises(Stale):
        release.api.send(late)
    assert release.cluster.deployment["metadata"]["generation"] == thing["metadata"]["generation"]


def test_i4_the_same_patch_goes_through_where_nobody_raised_the_fence():
    release = waiting()
    thing = copy.deepcopy(release.cluster.deployment)
    mine = load(thing["metadata"]["annotations"]["deployctl.dev/release"])
    release.api.send(Writer(snapshot(thing), mine, OLD, NEW).request(Finish()))
    assert "minReadySeconds" not in release.cluster.deployment["spec"]


# -- I5: the memory rides in the same write -----------------------------------------------------------------

REST = deployment()
HELD = remembering(deployment(NEW, **held(hold(0, "83%"))), memory(wrote=hold(0, "83%")))
WRITES = [Hold(6, 5), Pause(), Rehold(), Arm(300), Finish(), Turn("no"), Return()]


@pytest.mark.parametrize(
    ("action", "thing"),
    [(Begin(), REST), *((one, HELD) for one in WRITES)],
    ids=lambda one: type(one).__name__,
)
def test_i5_a_deployment_remembers_what_the_same_write_left_in_it(action, thing):
    kept = load(annotation(thing)) or memory()
    request = Writer(snapshot(thing, (replica_set(OLD, 6),)), kept, OLD, NEW).request(action)
    after = json_patched(thing, request.body)
    assert load(annotation(after)).wrote == Settings.of(after)


@pytest.mark.parametrize("action", [Pin("wallet", "abc"), Valve("wallet", on=True)], ids=str)
def test_i5_each_write_that_narrows_a_service_carries_a_copy(action):
    kept = memory()
    body = Writer(snapshot(deployment()), kept, OLD, NEW).request(action).body
    assert load(body["metadata"]["annotations"]["deployctl.dev/release"]) == kept


# -- I7: the old side stays until the shift is verified -----------------------------------------------------


def test_i7_the_old_side_is_retired_only_when_all_traffic_was_seen_on_the_new():
    release = Release(Cluster.running(), BlueGreen(keep_old_seconds=0))
    seen = {}
    release.story.on = lambda action: seen.setdefault(type(action), release.cluster.serving())
    release.run()
    assert seen[Finish] == {"wallet:2": 6}


def test_i7_the_old_side_is_whole_until_then():
    release = Release(Cluster.running(), BLUE_GREEN)
    sizes = []
    release.story.on = lambda _: sizes.append(release.cluster.sizes()["wallet:1"])
    release.run()
    assert set(sizes[: -len(AFTER_FINISH)]) == {6}


# -- I8: the way back talks to nobody but the Kubernetes API ------------------------------------------------

BACK = """
import sys
from tests.run import NO, Release, gates
from tests.fake import Cluster, json_patched
result = Release(Cluster.running(), gates=gates(after=NO)).run()
print(result.outcome.value, "httpx" in sys.modules)
"""


def test_i8_the_way_back_loads_no_client_but_that_of_kubernetes():
    told = subprocess.run([sys.executable, "-c", BACK], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["aborted", "False"]


# -- I9: what is secret stays so ----------------------------------------------------------------------------


def test_i9_a_secret_in_a_template_is_in_no_line_and_in_no_memory():
    told = []
    release = Release(Cluster.running(template(PASSWORD="hunter2")), BLUE_GREEN, gates(before=YES))
    release.stable = template(PASSWORD="hunter2")
    release.preview = template("wallet:2", PASSWORD="hunter3")
    release.story = Lines("wallet", told.append)
    edit = template("wallet:9", PASSWORD="hunter4")
    release.cluster.meanwhile = [lambda _: None] * 6 + [
        lambda cluster: cluster.edit("deployments", "wallet", template=edit)
    ]
    result = release.run()
    written = [request.body for request in release.cluster.writes]
    spoken = json.dumps([told, result.reason, result.offers, [_annotations(body) for body in written]])
    assert result.outcome is Outcome.PROMOTED
    assert "wallet:9" in spoken
    assert "hunter" not in spoken


def _annotations(body: object) -> object:
    ops = body if isinstance(body, list) else []
    return [op["value"] for op in ops if op["op"] == "add" and op["path"] == KEY]


# -- I10: time is witnessed on a clock that cannot jump -----------------------------------------------------


def calls(module: Path) -> set[str]:
    """Name what a module calls, as `time.time` or `dt.datetime.now`."""
    nodes = ast.walk(ast.parse(module.read_text()))
    return {ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)}


WALL = {"time.time", "datetime.now", "dt.datetime.now", "datetime.datetime.now", "dt.datetime.utcnow"}
DECIDING = [*ROOT.glob("strategies/*.py"), ROOT / "deployctl/rollout.py", ROOT / "deployctl/gates/stage.py"]


@pytest.mark.parametrize("module", DECIDING, ids=lambda module: module.stem)
def test_i10_nothing_that_decides_reads_the_wall_clock(module):
    assert not calls(module) & WALL


@pytest.mark.parametrize(("thing", "name"), [(rollout.Rollout, "clock"), (Lock, "clock")])
def test_i10_waits_are_measured_on_the_monotonic_clock(thing, name):
    assert inspect.signature(thing).parameters[name].default is time.monotonic


def test_i10_a_jump_of_the_servers_clock_does_not_shorten_keep_old():
    release = Release(Cluster.running(), BlueGreen(keep_old_seconds=300))
    shifted = []
    release.story.on = lambda action: shifted.append((release.cluster.now, action))
    release.api.now = lambda: 1 / 0
    release.run()
    pinned = next(at for at, action in shifted if isinstance(action, Pin) and len(release.shifts()) >= 2)
    retired = next(at for at, action in shifted if isinstance(action, Finish))
    assert retired - pinned >= 300


# -- I13: everything but the template is as it was ----------------------------------------------------------


def footprint(cluster: Cluster) -> dict[str, object]:
    """Give what the user wrote, without what every write and every controller changes."""
    thing, service = copy.deepcopy(cluster.deployment), copy.deepcopy(cluster.objects["services", "wallet"])
    thing["spec"].pop("template")
    for one in (thing, service):
        one.pop("status", None)
        one["metadata"].pop("resourceVersion")
        one["metadata"].pop("generation", None)
    return {"deployment": thing, "service": service, "left": cluster.leftovers()}


@pytest.mark.parametrize("strategy", EVERY, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("answer", [YES, NO], ids=["promoted", "aborted"])
def test_i13_everything_but_the_template_is_byte_for_byte_as_it_was(strategy, answer):
    release = Release(Cluster.running(), strategy, gates(after=answer))
    before = json.dumps(footprint(release.cluster), sort_keys=True)
    release.run()
    assert json.dumps(footprint(release.cluster), sort_keys=True) == before


@pytest.mark.parametrize(("answer", "expected"), [(YES, NEW), (NO, OLD)], ids=["promoted", "aborted"])
def test_i13_the_template_is_what_was_wanted(answer, expected):
    release = Release(Cluster.running(), BLUE_GREEN, gates(after=answer))
    release.run()
    assert release.cluster.deployment["spec"]["template"] == expected


@pytest.mark.parametrize("strategy", EVERY, ids=lambda one: type(one).__name__)
def test_i13_no_write_of_a_release_names_the_replicas(strategy):
    release = Release(Cluster.running(), strategy)
    release.run()
    patched = [op["path"] for one in release.cluster.writes if isinstance(one.body, list) for op in one.body]
    assert not [where for where in patched if where.startswith("/spec/replicas")]


# -- I14: the plan is a function of its inputs --------------------------------------------------------------


@pytest.mark.parametrize("strategy", EVERY, ids=lambda one: type(one).__name__)
def test_i14_the_same_world_is_walked_the_same_way(strategy):
    assert walk(strategy, World.at_rest(6)) == walk(strategy, World.at_rest(6))


@pytest.mark.parametrize("name", ["planning", "promise", "moved"])
def test_i14_a_plan_reads_no_clock_and_throws_no_dice(name):
    planning = ROOT / "deployctl" / f"{name}.py"
    imported = {
        alias.name.split(".")[0]
        for node in ast.walk(ast.parse(planning.read_text()))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert not imported & {"time", "random", "uuid", "secrets", "os", "socket"}
    assert not calls(planning) & WALL
