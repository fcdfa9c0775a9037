"""What the shared steps answer to facts that no healthy walk shows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strategies.blue_green import BlueGreen
from strategies.model import (
    Admit,
    Begin,
    Detach,
    Discard,
    Drain,
    End,
    Finish,
    Hold,
    Lower,
    Observed,
    Outcome,
    Phase,
    Pin,
    Pod,
    Return,
    Side,
    Stage,
    Stand,
    Turn,
    Valve,
    Verdict,
    Wait,
)
from strategies.ordinal import Ordinal
from strategies.quantities import Amount
from strategies.ranks import Ranks
from strategies.rolling import Rolling
from strategies.simulator import World
from strategies.steps import ask_each, drained


def coming() -> World:
    """A preview of 2 that is not ready yet, beside 3 old pods."""
    world = World.at_rest(3).apply(Begin()).apply(Pin("app", "stable"))
    return world.apply(Hold(3, 2, proportional=True)).controllers().published()


def shifted() -> World:
    """3 old and 3 new pods; the Service has been shifted to the new."""
    world = coming().apply(Hold(3, 3, Phase.PROMOTING, proportional=True)).controllers().come()
    return world.apply(Pin("app", "preview")).published()


def test_a_preview_that_cannot_come_turns_round_with_the_reason():
    world = coming()
    stuck = replace(world, preview=replace(world.preview, trouble="app: CrashLoopBackOff"))
    assert BlueGreen().decide(stuck.observe()) == Turn("app: CrashLoopBackOff")


def test_a_preview_that_is_late_turns_round():
    seen = coming().observe(waited={"2 of the preview ready": 600.0})
    assert BlueGreen().decide(seen) == Turn("not ready within the progress deadline of 600s")


def test_the_wait_for_pods_starts_anew_when_something_else_was_decided():
    step = BlueGreen().decide(coming().observe())
    assert isinstance(step, Wait)
    assert step.unbroken


def test_only_pods_behind_every_service_serve():
    assert coming().observe().serving == 3


def test_an_abort_right_after_finish_stops_the_controller_before_it_trusts_the_old_pods():
    finished = replace(shifted().apply(Finish()), phase=Phase.RETURNING)
    first = BlueGreen().decide(finished.observe())
    assert first == Hold(3, 3, Phase.RETURNING)
    held = finished.apply(first)
    assert BlueGreen().decide(held.observe()) == Wait(
        "settled", "the Deployment controller to have seen the last write"
    )
    assert BlueGreen().decide(held.controllers().observe()) == Pin("app", "stable")


def test_a_finish_that_kubernetes_does_not_carry_out_is_degraded_at_the_deadline():
    world = shifted().apply(Finish())
    crashed = replace(
        world, preview=replace(world.preview, pods=(replace(world.preview.pods[0], ready=False),))
    )
    assert isinstance(BlueGreen().decide(crashed.observe()), Wait)
    late = BlueGreen().decide(crashed.observe(waited={"old side": 600.0}))
    assert late == End(Outcome.DEGRADED, "3 old pods were not retired; 0 of 3 new pods are ready")


def test_a_way_back_that_cuts_the_drain_short_goes_at_once():
    world = replace(shifted(), phase=Phase.RETURNING).apply(Pin("app", "stable")).controllers().published()
    assert BlueGreen().decide(world.observe(fast=True)) == Return()


def test_a_preview_of_no_pods_is_refused():
    with pytest.raises(ValueError, match="at least one pod"):
        BlueGreen(preview_replicas=Amount(0))


def test_a_batch_of_no_pods_is_refused():
    with pytest.raises(ValueError, match="at least one pod"):
        Rolling(batch=Amount(0))


def test_a_gates_answer_does_not_pass_to_the_pod_that_comes_back_under_a_name():
    first, again = Pod("wallet-2", uid="a"), Pod("wallet-2", uid="b")
    seen = coming().observe()
    asked = ask_each(seen, Stage.BEFORE, (first,))
    answered = replace(seen, verdicts={asked.question: Verdict(passed=True)})
    assert ask_each(answered, Stage.BEFORE, (first,)) is None
    assert ask_each(answered, Stage.BEFORE, (again,)).pods == ("wallet-2",)


def test_a_wait_for_a_pod_that_left_is_not_one_for_the_next_of_its_name():
    first, again = Pod("wallet-2", uid="a"), Pod("wallet-2", uid="b")
    seen = coming().observe()
    keys = {drained(seen, (one,), seen.stable, one.identity).key for one in (first, again)}
    assert len(keys) == 2


def ranks(**fields) -> Observed:
    """A StatefulSet of 3 on the way back, with what its strategy is to meet."""
    world = Ranks.of(3).apply(Begin()).apply(Lower(2)).controllers().published()
    return replace(replace(world, phase=Phase.RETURNING).apply(Return()).observe(), **fields)


def test_a_stateful_set_that_does_not_come_back_is_degraded():
    seen = ranks(waited={"stable beside 0": 600.0}, preview=Side("preview"), settled=True)
    assert Ordinal().decide(seen) == End(Outcome.DEGRADED, "only 2 of 3 stable pods came back")


def test_the_way_back_of_a_stateful_set_waits_for_its_controller():
    assert Ordinal().decide(ranks(settled=False)).key == "settled"


@pytest.mark.parametrize(("endpoints", "step"), [(1, Detach("wallet-2")), (0, Discard("wallet-2"))])
def test_a_pod_of_somebody_elses_template_goes_once_it_has_no_traffic(endpoints, step):
    stray = Pod("wallet-2", endpoints=endpoints)
    assert Ordinal().decide(ranks(settled=True, strays=(stray,))) == step


def test_a_stateful_set_whose_other_pods_do_not_serve_turns_round():
    world = Ranks.of(3).apply(Begin()).controllers()
    world = replace(world, stable=replace(world.stable, pods=world.stable.pods[1:])).apply(
        Valve("app", on=True)
    )
    labelled = replace(
        world,
        stable=replace(world.stable, pods=tuple(replace(one, labelled=True) for one in world.stable.pods)),
    )
    seen = labelled.observe(waited={"stable less 1 of 2": 600.0})
    reason = "only 1 of the 2 pods that stay serve: no other can be taken out"
    assert Ordinal(Amount(1)).decide(replace(seen, settled=True)) == Turn(reason)


def test_a_stateful_set_of_one_pod_is_not_taken_down_unasked():
    world = Ranks.of(1).apply(Begin()).controllers().apply(Admit("stable-1")).apply(Valve("app", on=True))
    step = Ordinal().decide(world.controllers().published().observe())
    assert isinstance(step, Turn)
    assert "surge: 0" in step.reason


def test_only_a_stateful_set_has_ordinals():
    with pytest.raises(TypeError, match="StatefulSet"):
        World.at_rest(3).apply(Lower(1))


def test_a_service_is_unpinned_once_the_endpoints_controller_has_seen_the_old_pods_go():
    """It may hear of the Service first, and then takes dying pods in as endpoints for a second."""
    finished = shifted().apply(Finish()).controllers()
    waits = BlueGreen().decide(finished.observe(gone_age_seconds=0.5))
    assert waits == Wait("gone", "the endpoints controller to have seen the last pods go", 1.5)
    assert BlueGreen().decide(finished.observe(gone_age_seconds=2.0)) == Pin("app", "")


def test_old_pods_that_linger_are_not_waited_for_before_the_service_is_unpinned():
    finished = shifted().apply(Finish()).controllers()
    lingering = replace(finished, stable=replace(finished.stable, lingers=True))
    assert BlueGreen().decide(lingering.observe(gone_age_seconds=0.0)) == Pin("app", "")


def test_a_refused_preview_is_gone_from_every_view_before_the_service_is_unpinned():
    """However long its pods linger: they must not be asked by anybody."""
    back = replace(coming(), phase=Phase.RETURNING).apply(Return()).controllers().come().published()
    lingering = replace(back, stable=replace(back.stable, lingers=True))
    assert isinstance(BlueGreen().decide(lingering.observe(gone_age_seconds=0.0)), Wait)
    assert BlueGreen().decide(lingering.observe()) == Pin("app", "")


def test_the_way_back_ends_when_the_endpoints_name_no_pod_that_goes():
    back = replace(coming(), phase=Phase.RETURNING).apply(Return()).controllers().come().published()
    step = BlueGreen().decide(back.observe(dying=2))
    assert isinstance(step, Wait)
    assert step.key == "stable"


def playing(rounds: int | None, **more) -> World:
    """All traffic is on the new pods, and a round is open on the first old one."""
    world = shifted()
    first, *others = world.stable.pods
    return replace(world, stable=replace(world.stable, pods=(replace(first, rounds=rounds, **more), *others)))


def decided(world: World, **facts):
    waited = {"keepOld": 1e9, "spread old side": 1e9, **facts.pop("waited", {})}
    return BlueGreen().decide(world.observe(gated=frozenset(), waited=waited, drain=Drain(600.0), **facts))


def test_old_pods_stay_while_a_round_is_open():
    said = "1 open round on 1 pod (the oldest 1m30s) to end"
    assert decided(playing(1, oldest_seconds=90.2)) == Wait("rounds old side", said, 600.0)
    assert decided(playing(0)) == Finish()


def test_unknown_is_not_no_round():
    said = "the unknown rounds of stable-1 (/rounds: 404) to end"
    assert decided(playing(None, mute="/rounds: 404")) == Wait("rounds old side", said, 600.0)


def test_rounds_that_do_not_end_wait_for_a_person():
    stands = decided(playing(2), waited={"rounds old side": 600.0})
    assert stands == Stand("2 open rounds on 1 pod did not end in 10m; their pods stay")


def test_rounds_that_do_not_end_go_where_the_spec_says_so():
    waited = {"keepOld": 1e9, "spread old side": 1e9, "rounds old side": 600.0}
    seen = playing(2).observe(gated=frozenset(), waited=waited, drain=Drain(600.0, proceed=True))
    assert BlueGreen().decide(seen) == Finish()


def test_the_way_back_does_not_need_the_word_of_a_broken_version():
    back = replace(shifted(), phase=Phase.RETURNING).apply(Pin("app", "stable")).published()
    mute = replace(
        back,
        preview=replace(back.preview, pods=tuple(replace(one, rounds=None) for one in back.preview.pods)),
    )
    waited = {"spread preview": 1e9}
    waits = BlueGreen().decide(mute.observe(waited=waited, drain=Drain()))
    assert isinstance(waits, Wait)
    assert (
        BlueGreen().decide(mute.observe(waited={**waited, "rounds silent preview": 5.0}, drain=Drain()))
        == Return()
    )


def test_a_preview_that_serves_keeps_its_pods_until_stable_is_whole_beside_it():
    """Rolling, half way: 2 old and 2 new of 3 serve."""
    world = World.at_rest(3).apply(Begin()).apply(Hold(2, 2)).controllers().come().published()
    back = replace(world, phase=Phase.RETURNING)
    assert Rolling(Amount(2)).decide(back.observe(drain=Drain())) == Return(held=True)
    beside = back.apply(Return(held=True)).controllers()
    assert (beside.stable.desired, beside.preview.desired) == (3, 2)
    assert isinstance(Rolling(Amount(2)).decide(beside.observe(drain=Drain())), Wait)
    assert Rolling(Amount(2)).decide(back.observe(drain=Drain(), fast=True)) == Return()
