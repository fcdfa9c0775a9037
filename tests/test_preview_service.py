"""The preview's own Service: made or borrowed for a release, of no account to the live traffic, put back at its end."""

from __future__ import annotations

import copy

import pytest

from deployctl import services
from deployctl.errors import SpecError, UsageError
from deployctl.memory import ANNOTATION, HASH, PREVIEW_OF
from deployctl.spec import read
from strategies.blue_green import BlueGreen
from strategies.model import Outcome, Show
from tests.fake import Cluster
from tests.objects import Json, hash_of, memory, service, template
from tests.run import NO, YES, Release, Says, gates
from tests.test_rollout import killed_before_write, resumed

NEW = hash_of(template("wallet:2"))
BLUE_GREEN = BlueGreen(keep_old_seconds=30, preview_service="wallet-preview")


def shown(cluster: Cluster) -> Json | None:
    return cluster.objects.get(("services", "wallet-preview"))


def release(cluster: Cluster, **options: object) -> Release:
    return Release(cluster, BLUE_GREEN, memory=memory(preview_service="wallet-preview"), **options)


def users(**selector: str) -> Json:
    """Give a Service of the user's own, with metadata that must come back as it is."""
    one = service("wallet-preview", **selector)
    return {**one, "metadata": {**one["metadata"], "annotations": {"team": "wallets"}}}


def test_the_preview_has_a_service_of_its_own_before_its_gates_are_asked():
    cluster, seen = Cluster.running(), []
    look = Says(YES.answer, lambda _: seen.append(copy.deepcopy(shown(cluster))))
    assert release(cluster, gates=gates(before=look)).run().outcome is Outcome.PROMOTED
    made = seen[0]
    assert made["spec"]["selector"] == {"app": "wallet", HASH: NEW}
    assert made["spec"]["ports"] == service()["spec"]["ports"]
    assert made["metadata"]["labels"][PREVIEW_OF] == "wallet"
    assert made["metadata"]["ownerReferences"][0]["name"] == "wallet"


@pytest.mark.parametrize(("answer", "outcome"), [(YES, Outcome.PROMOTED), (NO, Outcome.ABORTED)])
def test_it_is_gone_at_the_end_whatever_the_outcome(answer, outcome):
    cluster = Cluster.running()
    assert release(cluster, gates=gates(before=answer)).run().outcome is outcome
    assert (shown(cluster), cluster.leftovers(), cluster.least()) == (None, [], 6)


def test_its_endpoints_are_no_live_traffic():
    cluster = Cluster.running()
    assert release(cluster, gates=gates(before=NO)).run().outcome is Outcome.ABORTED
    assert cluster.served() == {"wallet:1"}


@pytest.mark.parametrize("number", range(2, 13))  # from right after the first write to right before the last
@pytest.mark.parametrize("back", [True, False])
def test_another_process_puts_it_back_from_wherever_the_first_one_died(number, back):
    kept = memory(preview_service="wallet-preview")
    first = killed_before_write(number, strategy=BLUE_GREEN, memory=kept)
    resumed(first, back=back).run()
    assert (shown(first.cluster), first.cluster.leftovers()) == (None, [])


@pytest.mark.parametrize(("answer", "outcome"), [(YES, Outcome.PROMOTED), (NO, Outcome.ABORTED)])
def test_the_users_own_is_pinned_and_put_back_as_it_was(answer, outcome):
    cluster, seen = Cluster.running(), []
    cluster.put("services", users())
    before = copy.deepcopy(shown(cluster))
    look = Says(answer.answer, lambda _: seen.append(copy.deepcopy(shown(cluster))))
    assert release(cluster, gates=gates(before=look)).run().outcome is outcome
    after = shown(cluster)
    assert seen[0]["spec"]["selector"] == {"app": "wallet", HASH: NEW}
    assert ANNOTATION in seen[0]["metadata"]["annotations"]
    assert (after["spec"], after["metadata"]["annotations"]) == (before["spec"], {"team": "wallets"})
    assert after["metadata"].keys() - before["metadata"].keys() == {"generation"}


def test_a_name_that_is_taken_in_mid_release_is_borrowed_and_given_back():
    cluster = Cluster.running()
    one = release(cluster)
    one.story.on_turn = lambda step: (
        cluster.put("services", users()) if isinstance(step, Show) and not shown(cluster) else None
    )
    assert one.run().outcome is Outcome.PROMOTED
    assert shown(cluster)["spec"]["selector"] == {"app": "wallet"}
    assert cluster.leftovers() == []


def test_one_that_somebody_deletes_is_made_again():
    cluster = Cluster.running()
    one = release(cluster)
    drops = iter([True])
    one.story.on = lambda action: (
        cluster.drop("services", "wallet-preview")
        if isinstance(action, Show) and action.revision and next(drops, False)
        else None
    )
    assert one.run().outcome is Outcome.PROMOTED
    assert len([action for action in one.story.actions if isinstance(action, Show)]) == 3


def test_it_is_not_told_of_as_an_unlisted_service():
    cluster = Cluster.running()
    cluster.put("services", users())
    one = release(cluster)
    assert one.run().outcome is Outcome.PROMOTED
    assert one.story.notes == []


def test_one_that_was_pinned_by_somebody_since_it_was_looked_at_is_not_deleted():
    cluster = Cluster.running()
    one = release(cluster)
    one.story.on_turn = lambda step: (
        cluster.meanwhile.append(lambda it: it.put("services", {**shown(it), "touched": True}))
        if isinstance(step, Show) and not step.revision and "touched" not in (shown(cluster) or {})
        else None
    )
    assert one.run().outcome is Outcome.PROMOTED
    assert shown(cluster) is None


LABELS = template()["metadata"]["labels"]


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (service("wallet-preview", track="beta"), "selects app=wallet,track=beta, which no pod of this app"),
        ({**service("wallet-preview"), "spec": {"ports": []}}, "selects nothing"),
        ({**service("wallet-preview"), "spec": {"type": "ExternalName"}}, "is an ExternalName"),
    ],
)
def test_a_name_that_is_taken_by_another_kind_of_service_is_refused(one, says):
    with pytest.raises(UsageError, match=says):
        services.borrowed(one, LABELS, "wallet")


def test_one_that_selects_the_pods_may_be_borrowed():
    services.borrowed(service("wallet-preview"), LABELS, "wallet")


SPEC = """\
apiVersion: deployctl.dev/v1alpha1
kind: App
metadata: {name: wallet}
spec:
  workload: {deployment: wallet, services: [wallet, wallet-internal]}
  strategy:
    STRATEGY
"""


@pytest.mark.parametrize(
    ("strategy", "says"),
    [
        (
            "blueGreen: {previewService: wallet-internal}",
            "7:33: .*is in spec.workload.services, too; expected",
        ),
        ("blueGreen: {previewService: Wallet_Preview}", "7:33: .*expected a DNS-1123 label"),
        ("rolling: {previewService: wallet-preview}", "7:15: .*unknown; expected one of batch, surge, bake"),
    ],
)
def test_a_preview_service_that_cannot_be_is_an_error_at_its_place(tmp_path, strategy, says):
    file = tmp_path / "deployctl.yaml"
    file.write_text(SPEC.replace("STRATEGY", strategy))
    with pytest.raises(SpecError, match=says):
        read(file)
