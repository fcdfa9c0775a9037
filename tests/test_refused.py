"""Which revisions no rollback goes to by itself."""

from __future__ import annotations

from deployctl.record import Entry, refused


def entry(stable: str, preview: str, outcome: str) -> Entry:
    return Entry("id", "blueGreen", stable, preview, "me", "2026-01-01T00:00:00Z", outcome=outcome)


def test_a_build_that_a_gate_refused_is_no_way_back() -> None:
    assert refused((entry("r1", "bad", "aborted"), entry("r0", "r1", "promoted"))) == {"bad"}


def test_a_build_that_was_promoted_later_is_one_again() -> None:
    assert refused((entry("r1", "r2", "promoted"), entry("r1", "r2", "aborted"))) == frozenset()


def test_what_a_rollback_left_is_none_and_what_it_went_to_is_one() -> None:
    assert refused((entry("r1", "r2", "rolledBack"), entry("r1", "r2", "promoted"))) == {"r2"}


def test_a_build_whose_release_has_no_end_is_no_way_back() -> None:
    """Its process died right before it wrote that down: nobody knows whether a gate refused it."""
    assert refused((entry("r1", "r2", ""),)) == {"r2"}


def test_a_build_that_the_next_release_began_on_was_promoted_whatever_was_written_down() -> None:
    assert refused((entry("r2", "r3", "promoted"), entry("r1", "r2", ""))) == frozenset()
    assert refused((entry("r1", "r3", "aborted"), entry("r1", "r2", ""))) == {"r2", "r3"}
