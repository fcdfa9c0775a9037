"""Which revision a way back leads to, and how one is named."""

from __future__ import annotations

import pytest

from deployctl.errors import UsageError
from deployctl.observe import revision
from deployctl.record import Entry
from deployctl.revisions import earlier, left, named
from deployctl.template import digest
from tests.objects import Json, deployment, replica_set, template

HASHES = {"wallet:1": "66b8aaaa", "wallet:2": "66b8bbbb", "wallet:3": "7f9c4d6b"}
LIVE = deployment(template("wallet:3"))


def there(number: int) -> Json:
    one = replica_set(template(f"wallet:{number}"), 0, number)
    one["metadata"]["labels"]["pod-template-hash"] = HASHES[f"wallet:{number}"]
    return one


SETS = (there(1), there(3), there(2))


def entry(image: str, outcome: str, **more: str) -> Entry:
    new, old = digest(template(image)), digest(template("wallet:1"))
    return Entry("4711", "blueGreen", old, new, "ann@desk/1", "2026-01-01T00:00:00Z", outcome=outcome, **more)


def to(text: str, *releases: Entry) -> int:
    return revision(named(LIVE, SETS, text, releases))


@pytest.mark.parametrize(
    ("text", "number"),
    [("2", 2), ("66b8bbbb", 2), ("66b8b", 2), ("7f", 3), ("wallet-66b8a", 1), ("wallet-7f9c4d6b", 3)],
)
def test_a_revision_is_named_by_its_number_its_hash_or_the_beginning_of_that(text, number):
    assert to(text) == number


def test_several_that_begin_so_are_listed():
    with pytest.raises(UsageError, match=r"several begin so: 2 \(66b8bbbb\), 1 \(66b8aaaa\)$"):
        to("66b8")


def test_digits_alone_are_no_beginning_of_a_hash():
    with pytest.raises(UsageError, match=r"--to 66: no such revision; there are 3 .*, 2 .*, 1 "):
        to("66")


def test_a_revision_that_kubernetes_has_pruned_is_told_with_the_release_that_knew_it():
    known = entry("wallet:9", "promoted", preview_hash="5d5d5d5d")
    with pytest.raises(
        UsageError, match=r"its ReplicaSet is gone, for spec\.revisionHistoryLimit is 10"
    ) as error:
        to("5d5d", known)
    assert (
        error.value.advice == "release its manifest again; `deployctl history` has its images (release 4711)"
    )


def test_without_a_name_it_is_the_newest_before_the_live_one():
    assert earlier(LIVE, SETS, ())["metadata"]["name"] == there(2)["metadata"]["name"]


def test_one_that_was_refused_is_passed_over_unless_it_is_named():
    refused = entry("wallet:2", "aborted")
    assert revision(earlier(LIVE, SETS, (refused,))) == 1
    assert to("2", refused) == 2
    assert left(there(2), (refused,)) == refused


def test_one_that_came_back_since_was_not_left():
    back = Entry("r9", "rollback", digest(template("wallet:2")), "x", "bob", "", outcome="rolledBack")
    assert left(there(2), (back, entry("wallet:2", "aborted"))) is None


def test_the_oldest_has_nothing_before_it():
    assert earlier(deployment(template("wallet:1")), SETS, ()) is None
