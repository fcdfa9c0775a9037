"""Whole releases on a cluster in memory, in virtual time: what the loop does, and what it leaves behind."""

from __future__ import annotations

import copy
import threading

import msgspec
import pytest

from deployctl.errors import Conflict, LockLost, TimedOut
from deployctl.memory import HELD_SECONDS, load
from deployctl.record import Intent, Record
from deployctl.rollout import Orders, Result, raised
from deployctl.spec import Gates
from strategies.analysis import Answer
from strategies.blue_green import BlueGreen
from strategies.model import Hold, Outcome, Phase, Rehold, Valve, Wait, Wish
from strategies.quantities import NONE, Amount
from strategies.rolling import Rolling
from tests.answering import eventually
from tests.fake import Cluster, silence
from tests.objects import hash_of, memory, own, template
from tests.run import NO, YES, Release, Says, gate, gates

OLD, NEW = hash_of(template()), hash_of(template("wallet:2"))
BLUE_GREEN = BlueGreen(keep_old_seconds=30)
ROLLING = Rolling(batch=Amount(2), bake_seconds=5)


class Killed(BaseException):
    """The process dies here."""


def kill(_: object) -> None:
    raise Killed


def killed_before_write(number: int, **options: object) -> Release:
    """Give a release whose process died just before its n-th write."""
    release = Release(Cluster.running(), **options)
    release.cluster.meanwhile = [lambda _: None] * number + [kill]  # one more: the Lease is written first
    with pytest.raises(Killed):
        release.run()
    release.cluster.meanwhile.clear()
    release.cluster.history.clear()
    return release


def resumed(before: Release, *, back: bool = False) -> Release:
    """Let another process take over what the cluster remembers; with `back` it turns round."""
    held = raised(load(before.cluster.deployment["metadata"]["annotations"]["deployctl.dev/release"]), "bob")
    thing = before.cluster.deployment
    turned = msgspec.structs.replace(held, phase="returning", why="aborted by bob")
    kept = turned if back else held
    thing["metadata"]["annotations"]["deployctl.dev/release"] = kept.dump()
    before.cluster.put("deployments", thing)
    return Release(before.cluster, before.strategy, before.gates, memory=kept, taken_over=True)


def wishing(cluster: Cluster, wish: str) -> None:
    """Leave a wish in the record, as another process does."""
    record = Record(Release(cluster).api, "igaming", "wallet")
    record.leave(Intent("r1", wish, "bob@desk/2", "2026-11-23T12:01:00Z"))


# -- blue-green ---------------------------------------------------------------------------------------------


def test_a_blue_green_release_promotes_the_preview_and_retires_the_old_side():
    release = Release(Cluster.running(), BLUE_GREEN, gates(before=YES, after=YES))
    assert release.run() == Result(Outcome.PROMOTED)
    assert release.cluster.sizes() == {"wallet:1": 0, "wallet:2": 6}
    assert release.cluster.serving() == {"wallet:2": 6}


def test_blue_green_pins_shifts_and_unpins():
    release = Release(Cluster.running(), BLUE_GREEN)
    release.run()
    assert release.shifts() == [OLD, NEW, ""]


def test_a_waiting_preview_stays_one_pod_under_the_full_size():
    release = Release(Cluster.running(), BLUE_GREEN)
    release.run()
    assert release.holds() == [(6, 5), (6, 6)]


def test_capacity_never_falls_under_the_size_in_blue_green():
    release = Release(Cluster.running(), BLUE_GREEN)
    release.run()
    assert release.cluster.least() == 6


def test_a_blue_green_release_takes_at_most_twelve_writes_to_the_users_objects():
    release = Release(Cluster.running(), BLUE_GREEN, gates(before=YES, after=YES))
    release.run()
    assert (release.written("deployments"), release.written("services")) == (7, 3)
    assert (release.written("pods"), release.written("replicasets")) == (0, 1)


def test_a_promoted_release_leaves_only_the_template_changed():
    release = Release(Cluster.running(), BLUE_GREEN)
    before = copy.deepcopy(release.cluster.deployment["spec"])
    release.run()
    assert release.cluster.leftovers() == []
    assert release.cluster.deployment["spec"] == {**before, "template": template("wallet:2")}


def test_the_users_own_settings_come_back():
    release = Release(Cluster.running(minReadySeconds=20, progressDeadlineSeconds=120), BLUE_GREEN)
    before = copy.deepcopy(release.cluster.deployment["spec"])
    release.memory = memory(own=own(min_ready_seconds=20, progress_deadline_seconds=120))
    release.run()
    assert release.cluster.deployment["spec"] == {**before, "template": template("wallet:2")}


def test_old_pods_without_pre_stop_are_given_time_after_the_shift():
    release = Release(Cluster.running(template(pre_stop=0)), BLUE_GREEN, stable=template(pre_stop=0))
    release.run()
    assert "spread old side" in {getattr(step, "key", "") for step in release.story.steps}


def test_one_pod_is_released_beside_one_more():
    release = Release(Cluster.running(replicas=1), BLUE_GREEN)
    assert release.run() == Result(Outcome.PROMOTED)
    assert release.cluster.least() == 1


def test_a_manual_promotion_is_waited_for_by_nobody():
    release = Release(Cluster.running(), BlueGreen(promote="manual"), gates(before=YES))
    result = release.run()
    assert (result.outcome, result.stands) == (None, True)
    assert release.cluster.deployment["spec"]["paused"] is True
    assert release.cluster.serving() == {"wallet:1": 6}


def test_a_wish_to_promote_goes_on_from_there():
    release = Release(Cluster.running(), BlueGreen(promote="manual", keep_old_seconds=0), gates(before=YES))
    release.run()
    again = resumed(release)
    again.orders = Orders(wish=Wish.PROMOTE)
    assert again.run() == Result(Outcome.PROMOTED)


def test_a_wish_to_finish_ends_keep_old():
    cluster = Cluster.running()
    release = Release(cluster, BlueGreen(keep_old_seconds=1000))
    release.story.on = lambda action: wishing(cluster, "finish") if len(release.shifts()) == 2 else None
    assert release.run() == Result(Outcome.PROMOTED)
    assert cluster.now < 200


def test_a_wish_to_pause_stops_at_a_point_that_stands():
    cluster = Cluster.running()
    wishing(cluster, "pause")
    release = Release(cluster, BLUE_GREEN)
    assert release.run() == Result(None, "paused by bob@desk/2", stands=True)


def test_a_pause_says_why():
    cluster = Cluster.running()
    wish = Intent("r1", "pause", "bob@desk/2", "2026-11-23T12:01:00Z", "lunch")
    Record(Release(cluster).api, "igaming", "wallet").leave(wish)
    assert Release(cluster, BLUE_GREEN).run().reason == "paused by bob@desk/2: lunch"


def test_a_wish_for_another_release_is_not_for_this_one():
    cluster = Cluster.running()
    Record(Release(cluster).api, "igaming", "wallet").leave(Intent("r0", "pause", "bob", "now"))
    assert Release(cluster, BLUE_GREEN).run() == Result(Outcome.PROMOTED)


def test_waiting_only_until_promoted_arms_the_finish():
    release = Release(Cluster.running(), BLUE_GREEN, orders=Orders(until_promoted=True, keep_seconds=300))
    assert release.run() == Result(Outcome.PROMOTED, armed=True)
    spec = release.cluster.deployment["spec"]
    assert spec["paused"] is True
    assert 300 < spec["minReadySeconds"] < HELD_SECONDS
    assert release.cluster.serving() == {"wallet:2": 6}


# -- rolling ------------------------------------------------------------------------------------------------


def test_a_rolling_release_goes_batch_by_batch():
    release = Release(Cluster.running(), ROLLING, gates(before=YES, during=YES, after=YES))
    assert release.run() == Result(Outcome.PROMOTED)
    assert release.holds() == [(6, 2), (4, 4), (2, 6)]
    assert release.cluster.serving() == {"wallet:2": 6}


def test_capacity_never_falls_under_the_size_in_a_rolling_release():
    release = Release(Cluster.running(), ROLLING)
    release.run()
    assert release.cluster.least() == 6


def test_without_room_to_surge_capacity_falls_by_one_batch_at_most():
    release = Release(Cluster.running(), Rolling(batch=Amount(2), surge=NONE, bake_seconds=0))
    assert release.run() == Result(Outcome.PROMOTED)
    assert release.cluster.least() == 4


def test_a_rolling_step_takes_two_writes_a_pod_two_a_service_and_at_most_three_to_the_deployment():
    """Three steps of two pods and the last old ones: begin, three holds and pauses, finish, restore; four valves; 12 pods.

    The Service's first write comes before them: it keeps the first batch out while the labels spread.
    """
    release = Release(Cluster.running(), ROLLING)
    release.run()
    assert (release.written("deployments"), release.written("services"), release.written("pods")) == (
        9,
        1 + 8,
        24,
    )


def test_a_rolling_release_leaves_only_the_template_changed():
    release = Release(Cluster.running(), ROLLING)
    before = copy.deepcopy(release.cluster.deployment["spec"])
    release.run()
    assert release.cluster.leftovers() == []
    assert release.cluster.deployment["spec"] == {**before, "template": template("wallet:2")}


def test_a_dark_batch_that_its_gate_refuses_takes_no_request():
    release = Release(Cluster.running(), ROLLING, gates(before=NO))
    assert release.run().outcome is Outcome.ABORTED
    assert release.cluster.served() == {"wallet:1"}


# -- turning round ------------------------------------------------------------------------------------------


def test_a_gate_that_says_no_before_the_shift_turns_the_release_round():
    release = Release(Cluster.running(), BLUE_GREEN, gates(before=NO))
    assert release.run() == Result(Outcome.ABORTED, "gate smoke said no: it says fail")
    assert release.cluster.served() == {"wallet:1"}
    assert release.cluster.sizes() == {"wallet:1": 6, "wallet:2": 0}


def test_an_aborted_release_leaves_nothing_changed():
    release = Release(Cluster.running(), BLUE_GREEN, gates(before=NO))
    before = copy.deepcopy(release.cluster.deployment["spec"])
    release.run()
    assert release.cluster.deployment["spec"] == before
    assert release.cluster.leftovers() == []


def test_a_gate_that_says_no_after_the_shift_brings_the_traffic_back_first():
    release = Release(Cluster.running(), BLUE_GREEN, gates(after=NO))
    assert release.run().outcome is Outcome.ABORTED
    assert release.shifts() == [OLD, NEW, OLD, ""]
    assert release.cluster.least() == 6


def test_unknown_turns_the_release_round_after_its_limit():
    asked = gate(Says(Answer.UNKNOWN), consecutive_error_limit=0)
    release = Release(Cluster.running(), BLUE_GREEN, Gates(before=(asked,)))
    assert release.run().outcome is Outcome.ABORTED
    assert release.cluster.served() == {"wallet:1"}


DOUBT = Says(Answer.INCONCLUSIVE)


def test_what_a_gate_could_not_decide_is_left_to_a_person():
    release = Release(Cluster.running(), BLUE_GREEN, gates(before=DOUBT))
    result = release.run()
    assert (result.stands, result.outcome) == (True, None)
    assert result.reason == (
        "gate smoke could not decide: it says inconclusive; a person decides: promote or abort"
    )
    assert release.cluster.served() == {"wallet:1"}


@pytest.mark.parametrize("stage", ["before", "after"])
def test_a_person_who_promotes_decides_what_the_gate_could_not(stage):
    stood = Release(Cluster.running(), BLUE_GREEN, gates(**{stage: DOUBT}))
    assert stood.run().stands
    release = resumed(stood)
    release.orders = Orders(wish=Wish.PROMOTE)
    assert release.run().outcome is Outcome.PROMOTED


def test_a_person_who_promotes_has_not_decided_what_comes_later():
    stood = Release(Cluster.running(), BLUE_GREEN, gates(before=DOUBT, after=DOUBT))
    assert stood.run().stands
    release = resumed(stood)
    release.orders = Orders(wish=Wish.PROMOTE)
    result = release.run()
    assert result.stands
    assert "wallet:2" in release.cluster.served()


def test_a_person_decides_no_failure():
    stood = Release(Cluster.running(), BLUE_GREEN, gates(before=DOUBT))
    assert stood.run().stands
    release = resumed(stood)
    release.gates, release.orders = gates(before=NO), Orders(wish=Wish.PROMOTE)
    assert release.run().outcome is Outcome.ABORTED


def test_a_preview_that_never_comes_up_is_left_at_the_progress_deadline():
    release = Release(Cluster.running(), BLUE_GREEN)
    release.cluster.broken = frozenset({"wallet:2"})
    result = release.run()
    assert (result.outcome, result.timed_out) == (Outcome.ABORTED, False)
    assert result.reason == "not ready within the progress deadline of 600s"
    assert release.cluster.served() == {"wallet:1"}


def test_a_preview_that_once_took_its_time_may_lose_a_pod_later():
    """The timer of the first bring-up is not that of the pod that is replaced 700 s later."""
    cluster = Cluster.running()
    release = Release(cluster, BlueGreen(promote_after_seconds=900, keep_old_seconds=0))
    release.story.on_turn = lambda _: cluster.restart("wallet:2", after=720)
    assert release.run() == Result(Outcome.PROMOTED)
    assert cluster.restarted == ["wallet:2"]


def test_time_that_runs_out_turns_the_release_round():
    slow = Says(Answer.UNKNOWN)
    release = Release(Cluster.running(), BlueGreen(promote_after_seconds=500), gates(after=slow))
    release.orders = Orders(timeout_seconds=60)
    result = release.run()
    assert result == Result(Outcome.ABORTED, "timed out after 60s", timed_out=True)


def test_time_that_runs_out_may_leave_the_release_to_stand():
    release = Release(Cluster.running(), BlueGreen(promote_after_seconds=500))
    release.orders = Orders(timeout_seconds=60, on_timeout="hold")
    with pytest.raises(TimedOut) as raised_error:
        release.run()
    assert raised_error.value.advice == "`deployctl resume wallet` or `deployctl abort wallet`"
    assert release.cluster.deployment["spec"]["paused"] is True


def test_the_time_out_does_not_count_while_the_old_side_is_kept():
    release = Release(Cluster.running(), BlueGreen(keep_old_seconds=500))
    release.orders = Orders(timeout_seconds=60)
    assert release.run() == Result(Outcome.PROMOTED)


def test_a_gate_that_breaks_turns_the_release_round(monkeypatch):
    told = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    release = Release(Cluster.running(), BLUE_GREEN, gates(before=Says(Answer.PASS, then=kill)))
    assert release.run().reason == "gate smoke said no: it broke; its traceback is on standard error"
    assert eventually(lambda: [one.exc_type for one in told] == [Killed])


# -- killed anywhere ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(2, 11))
def test_a_blue_green_release_that_died_is_resumed_to_its_end(number):
    again = resumed(killed_before_write(number, strategy=BLUE_GREEN))
    assert again.run().outcome is Outcome.PROMOTED
    assert (again.cluster.least(), again.cluster.serving()) == (6, {"wallet:2": 6})
    assert again.cluster.leftovers() == []


@pytest.mark.parametrize("number", range(2, 11))
def test_a_blue_green_release_that_died_is_aborted_to_stable(number):
    again = resumed(killed_before_write(number, strategy=BLUE_GREEN), back=True)
    assert again.run().outcome is Outcome.ABORTED
    assert (again.cluster.least(), again.cluster.serving()) == (6, {"wallet:1": 6})
    assert again.cluster.leftovers() == []


@pytest.mark.parametrize("number", range(2, 40, 2))
def test_a_rolling_release_that_died_is_resumed_to_its_end(number):
    again = resumed(killed_before_write(number, strategy=ROLLING))
    assert again.run().outcome is Outcome.PROMOTED
    assert (again.cluster.least(), again.cluster.serving()) == (6, {"wallet:2": 6})
    assert again.cluster.leftovers() == []


@pytest.mark.parametrize("number", range(2, 40, 2))
def test_a_rolling_release_that_died_is_aborted_to_stable(number):
    again = resumed(killed_before_write(number, strategy=ROLLING), back=True)
    assert again.run().outcome is Outcome.ABORTED
    assert (again.cluster.least(), again.cluster.serving()) == (6, {"wallet:1": 6})
    assert again.cluster.leftovers() == []


# -- others write too ---------------------------------------------------------------------------------------


def test_a_lost_race_is_decided_anew():
    release = Release(Cluster.running(), BLUE_GREEN)
    release.story.on = lambda _: release.cluster.meanwhile.extend(
        [lambda cluster: cluster.edit("deployments", "wallet", replicas=8)]
        * (len(release.story.actions) == 2)
    )
    assert release.run() == Result(Outcome.PROMOTED)
    assert release.cluster.serving() == {"wallet:2": 8}


def test_scaling_down_in_mid_release_is_followed():
    release = Release(Cluster.running(), BLUE_GREEN)
    release.story.on = lambda _: release.cluster.edit(
        "deployments", "wallet", replicas=6 - 3 * (len(release.story.actions) > 3)
    )
    assert release.run() == Result(Outcome.PROMOTED)
    assert release.cluster.serving() == {"wallet:2": 3}


def test_a_pod_that_is_gone_before_it_could_be_labelled_is_no_error():
    release = Release(Cluster.running(), ROLLING)
    first = release.cluster.all("pods")[0]["metadata"]["name"]
    drop = [lambda cluster: cluster.drop("pods", first)]
    release.story.on = lambda _: release.cluster.meanwhile.extend(drop * (len(release.story.actions) == 1))
    assert release.run() == Result(Outcome.PROMOTED)


def test_an_api_that_does_not_answer_is_waited_out_and_told_once():
    release = Release(Cluster.running(), BLUE_GREEN)
    release.story.on = lambda _: release.cluster.answers.extend(
        [silence(), silence(), silence()] * (len(release.story.actions) == 3)
    )
    assert release.run() == Result(Outcome.PROMOTED)
    assert release.story.notes == [
        "the API does not answer, nothing moves meanwhile: https://fake does not answer"
    ]


def test_a_hold_that_somebody_wrote_over_is_put_back():
    release = Release(Cluster.running(), BLUE_GREEN)
    theirs = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 2}}
    release.story.on = lambda _: release.cluster.edit(
        "deployments",
        "wallet",
        strategy=[release.cluster.deployment["spec"]["strategy"], theirs][len(release.story.actions) == 4],
    )
    assert release.run() == Result(Outcome.PROMOTED)
    assert Rehold() in release.story.actions


def test_nothing_begins_on_a_deployment_that_changed_since_it_was_planned():
    release = Release(Cluster.running(), BLUE_GREEN)
    release.cluster.edit("deployments", "wallet", template=template("wallet:9"))
    with pytest.raises(Conflict, match="was changed since this run looked at it first"):
        release.run()
    assert release.written("deployments") == 0


def test_who_refuses_every_write_is_told_of_in_the_end():
    release = Release(Cluster.running(), BLUE_GREEN)
    release.cluster.meanwhile = [
        lambda cluster: cluster.edit("deployments", "wallet", revisionHistoryLimit=cluster.version)
    ] * 100
    with pytest.raises(Conflict):
        release.run()


# -- the fence ----------------------------------------------------------------------------------------------


def taken_over(cluster: Cluster) -> None:
    """Raise the fence, as an abort of somebody else does."""
    thing = copy.deepcopy(cluster.deployment)
    held = raised(load(thing["metadata"]["annotations"]["deployctl.dev/release"]), "bob@desk/2")
    thing["metadata"]["annotations"]["deployctl.dev/release"] = held.dump()
    cluster.put("deployments", thing)


def test_a_run_whose_fence_was_raised_writes_no_more():
    release = Release(Cluster.running(), BLUE_GREEN)
    release.story.on = lambda _: release.cluster.meanwhile.extend(
        [taken_over] * (len(release.story.actions) == 2)
    )
    with pytest.raises(LockLost, match="bob@desk/2 has taken over this release") as lost:
        release.run()
    assert "deployctl status wallet -w" in lost.value.advice
    assert release.written("deployments") == 1


def test_a_run_that_lost_the_lock_writes_to_no_service():
    """The Service has no annotation of ours yet that could refuse the write: the Lease is asked."""
    release = Release(Cluster.running(), BLUE_GREEN)
    release.story.on = lambda _: release.cluster.edit(
        "leases", "deployctl-wallet", holderIdentity="bob@desk/2"
    )
    with pytest.raises(LockLost, match="bob@desk/2 took the lock"):
        release.run()
    assert (release.written("deployments"), release.written("services")) == (1, 0)


def test_the_way_back_needs_no_gate():
    asked = []
    release = killed_before_write(8, strategy=BLUE_GREEN)
    release.gates = gates(before=Says(Answer.FAIL, asked.append), after=Says(Answer.FAIL, asked.append))
    again = resumed(release, back=True)
    assert again.run().outcome is Outcome.ABORTED
    assert asked == []


def test_phases_are_what_the_cluster_remembers():
    release = Release(Cluster.running(), BLUE_GREEN)
    phases = []
    release.story.on = lambda _: phases.append(
        load(release.cluster.deployment["metadata"].get("annotations", {}).get("deployctl.dev/release", "{}"))
    )
    release.run()
    told = [one.phase for one in phases if one]
    assert list(dict.fromkeys(told)) == [Phase.TRYING.value, Phase.PROMOTING.value, Phase.FINISHING.value]


def test_old_pods_that_took_requests_again_are_given_the_whole_time_before_they_go():
    """Somebody takes the valve off in the middle of that time; it is put back, and the time begins anew."""
    old = template(pre_stop=0)
    release = Release(Cluster.running(old), ROLLING, stable=old)
    cluster, done, edits = release.cluster, [], iter([True])
    release.story.on = lambda action: done.append((action, cluster.now))
    release.story.on_turn = lambda step: (
        cluster.edit("services", "wallet", selector={"app": "wallet"})
        if isinstance(step, Wait)
        and step.key.startswith("spread")
        and step.seconds < 1.5
        and next(edits, False)
        else None
    )
    assert release.run().outcome is Outcome.PROMOTED
    put_back = [at for at, (action, _) in enumerate(done) if action == Valve("wallet", on=True)][2]
    after = next(at for action, at in done[put_back:] if isinstance(action, Hold))
    assert next(edits, None) is None
    assert after - done[put_back][1] >= 2
