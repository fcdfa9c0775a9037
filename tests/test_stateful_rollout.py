"""Releases of a StatefulSet from their first write to their last, on a cluster in memory."""

from __future__ import annotations

import msgspec
import pytest

from deployctl.cluster.ordinal_patches import writer_of
from deployctl.memory import Memory, Settings
from deployctl.rollout import Orders, Rollout, raised
from strategies.model import Discard, Lower, Outcome, Phase
from strategies.ordinal import Ordinal
from strategies.quantities import Amount
from tests.fake import View
from tests.objects import memory, template
from tests.ranked import NAMES, OWN, RankedCluster
from tests.run import NO, YES, Release, gates

ONE = Ordinal(Amount(1), bake_seconds=2.0)
OLD = template(pre_stop=0)
ASKED = gates(before=YES, during=YES, after=YES)


class Killed(Exception):
    """What a process dies of."""


class Ranks(Release):
    """One run of a release of the StatefulSet wallet."""

    def rollout(self) -> Rollout:
        made = super().rollout()
        made.view = View(self.api, NAMES)  # type: ignore[assignment,arg-type]
        made.__post_init__()  # a gate's answer wakes the loop through its view
        return made


def begins(replicas: int = 3) -> Memory:
    own = Settings(0, 600, OWN)
    return memory(OLD, template("wallet:2"), own=own, strategy="rolling", replicas=replicas)


def release(cluster=None, asked=ASKED, strategy=ONE, **more) -> Ranks:
    cluster = cluster or RankedCluster.at_rest()
    return Ranks(cluster, strategy, asked, memory=more.pop("memory", begins()), stable=OLD, **more)


def ends(run: Ranks, image: str, replicas: int = 3) -> None:
    """Find all pods of one image, the user's settings, and nothing of ours; never more than a batch was out."""
    assert run.cluster.live() == {f"wallet-{number}": image for number in range(replicas)}
    assert run.cluster.serving() == {image: replicas}
    assert run.cluster.least() >= replicas - 1
    assert run.cluster.leftovers() == []
    assert run.cluster.deployment["spec"]["updateStrategy"] == OWN
    assert run.cluster.deployment["metadata"]["annotations"] == {"kept": "yes"}


def killed_before_write(number: int) -> Ranks:
    first = release()

    def dies(_cluster: RankedCluster) -> None:
        raise Killed

    first.cluster.meanwhile = [*[lambda _: None] * number, dies]
    with pytest.raises(Killed):
        first.run()
    return first


def again(first: Ranks, *, back: bool = False) -> Ranks:
    """Take over what a dead process left, at once."""
    first.cluster.meanwhile = []
    held = View(first.api, NAMES).look().memory
    if held is None:
        return release(first.cluster)
    taken = raised(held, "bob@laptop/2")
    if back:
        taken = msgspec.structs.replace(taken, phase=Phase.RETURNING.value, why="aborted")
    run = release(first.cluster, memory=taken, taken_over=True)
    look = View(first.api, NAMES).look()
    first.api.send(writer_of(look, held, run.stable, run.preview).remember(taken))
    return run


def test_a_stateful_set_is_released_the_highest_ordinal_first():
    run = release()
    assert run.run().outcome is Outcome.PROMOTED
    assert [one.partition for one in run.story.actions if isinstance(one, Lower)] == [2, 1, 0]
    ends(run, "wallet:2")


def test_a_build_that_its_gate_refuses_takes_no_request_and_is_deleted():
    run = release(asked=gates(before=NO))
    assert run.run().outcome is Outcome.ABORTED
    assert run.cluster.served() == {"wallet:1"}
    ends(run, "wallet:1")


def test_a_pod_that_never_gets_ready_is_deleted_and_comes_back_as_stable():
    run = release(orders=Orders(timeout_seconds=60))
    run.cluster.broken = frozenset({"wallet:2"})
    assert run.run().outcome is Outcome.ABORTED
    assert [one for one in run.story.actions if isinstance(one, Discard)] == [Discard("wallet-2")]
    ends(run, "wallet:1")


def test_all_that_is_new_goes_back_when_the_last_gate_says_no():
    run = release(asked=gates(before=YES, after=NO))
    assert run.run().outcome is Outcome.ABORTED
    ends(run, "wallet:1")


@pytest.mark.parametrize("number", range(1, 28))
def test_a_release_of_a_stateful_set_that_died_is_resumed_to_its_end(number):
    run = again(killed_before_write(number))
    assert run.run().outcome is Outcome.PROMOTED
    ends(run, "wallet:2")


@pytest.mark.parametrize("number", range(2, 28))
def test_a_release_of_a_stateful_set_that_died_is_aborted_to_stable(number):
    run = again(killed_before_write(number), back=True)
    assert run.run().outcome is Outcome.ABORTED
    ends(run, "wallet:1")


def test_a_template_that_somebody_else_writes_while_a_batch_is_made_anew_is_put_back():
    run = release()
    run.cluster.broken = frozenset({"foreign:1"})

    def meddles(action):
        if isinstance(action, Lower) and action.partition == 1:
            run.cluster.edit("statefulsets", "wallet", template=template("foreign:1"))
            run.cluster.settle()

    run.story.on = meddles
    assert run.run().outcome is Outcome.PROMOTED
    assert any("put back" in one for one in run.story.notes)
    assert run.cluster.served() == {"wallet:1", "wallet:2"}
    assert run.cluster.live() == {f"wallet-{number}": "wallet:2" for number in range(3)}
    assert run.cluster.leftovers() == []
