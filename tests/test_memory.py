"""The memory of a release is believed only where the facts agree with it."""

from __future__ import annotations

from deployctl.memory import Settings, adopted, load, recalled, rolling_update
from tests.objects import deployment, held, hold, memory, own, remembering, replica_set, service, template

HELD = held(hold(0, "83%", paused=True))


def test_a_memory_is_read_back_as_it_was_written():
    whole = memory(wrote=hold(0, "83%"), why="planned", fence=3, turn=9)
    assert load(whole.dump()) == whole


def test_an_annotation_that_cannot_be_read_is_nobodys():
    assert load("") is None
    assert load('{"id": "r1"}') is None
    assert load("not json") is None


def test_a_memory_from_a_later_version_is_read_without_what_is_new():
    assert load(memory().dump().replace("{", '{"colour":"blue",', 1)) == memory()


def test_settings_are_read_with_the_defaults_of_kubernetes():
    assert Settings.of(deployment()) == own()


def test_settings_are_read_as_they_are():
    settings = hold(2, 1, paused=True)
    assert Settings.of(deployment(**held(settings))) == settings


def test_the_memory_of_a_held_deployment_is_believed():
    assert recalled(remembering(deployment(**HELD), memory())) == memory()


def test_a_deployment_at_rest_without_an_annotation_remembers_nothing():
    assert recalled(deployment()) is None


def test_a_memory_that_undo_brought_back_to_a_deployment_at_rest_is_stale():
    assert recalled(remembering(deployment(), memory())) is None


def test_a_memory_on_a_deployment_on_its_way_back_is_believed():
    back = own(strategy=rolling_update(0, "100%"))
    kept = memory(phase="returning", wrote=back)
    assert recalled(remembering(deployment(**held(back)), kept)) == kept


def test_a_held_deployment_without_its_annotation_is_remembered_by_its_copies():
    copy = remembering(replica_set(template("wallet:2"), 5), memory())
    assert recalled(deployment(**HELD), (copy,)) == memory()


def test_the_newest_copy_counts():
    older = remembering(service(), memory(turn=1))
    newer = remembering(replica_set(template(), 6), memory(turn=2))
    assert recalled(deployment(**HELD), (older, newer)) == memory(turn=2)


def test_the_higher_fence_counts_before_the_later_turn():
    mine = remembering(service(), memory(fence=1, turn=9))
    theirs = remembering(replica_set(template(), 6), memory(fence=2, turn=3))
    assert recalled(deployment(**HELD), (mine, theirs)) == memory(fence=2, turn=3)


def test_a_copy_on_a_service_that_is_still_pinned_is_believed():
    pinned = remembering(service(**{"pod-template-hash": "abc"}), memory())
    assert recalled(deployment(), (pinned,)) == memory()


def test_a_copy_on_a_replica_set_of_a_deployment_at_rest_is_not():
    assert recalled(deployment(), (remembering(replica_set(template(), 6), memory()),)) is None


def test_what_somebody_wrote_over_the_hold_is_theirs_in_the_end():
    ours, theirs = hold(0, "83%", paused=True), rolling_update(0, 1)
    thing = deployment(**{**held(ours), "strategy": theirs})
    assert adopted(memory(wrote=ours), thing).own == own(strategy=rolling_update("25%", 1))


def test_a_hold_as_we_wrote_it_leaves_the_users_settings():
    ours = hold(0, "83%", paused=True)
    assert adopted(memory(wrote=ours), deployment(**held(ours))).own == own()
