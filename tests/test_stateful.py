"""A StatefulSet as the API shows it: what is seen of it, what is written to it, what is refused."""

from __future__ import annotations

import pytest

from deployctl.cluster.api import JSON_PATCH
from deployctl.cluster.ordinal_patches import OrdinalWriter, writer_of
from deployctl.cluster.patches import Writer, forget_copy
from deployctl.errors import Conflict, UsageError
from deployctl.memory import LABEL, Memory, Settings, adopted, annotation, load, recalled
from deployctl.observe import Snapshot, Witness, observe
from deployctl.render import words
from deployctl.startable import startable, warnings
from deployctl.template import digest
from deployctl.workload import governs, kind_of
from strategies.model import (
    Admit,
    Begin,
    Discard,
    Finish,
    Lower,
    Outcome,
    Pause,
    Phase,
    Rehold,
    Restore,
    Return,
    Turn,
)
from tests.fake import json_patched
from tests.objects import memory, remembering, service, template

OLD, NEW, OTHER = template(), template("wallet:2"), template("wallet:3")
OWN = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
LARGEST = 2_147_483_647
HELD = {"type": "RollingUpdate", "rollingUpdate": {"partition": LARGEST}}
KEY = "/metadata/annotations/deployctl.dev~1release"


def low(partition):
    return {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}


def stateful_set(pod_template=OLD, strategy=OWN, replicas=3, status=None, **spec):
    return {
        "metadata": {
            "name": "wallet",
            "namespace": "igaming",
            "uid": "s",
            "generation": 7,
            "resourceVersion": "100",
            "annotations": {},
        },
        "spec": {
            "replicas": replicas,
            "serviceName": "wallet-peers",
            "podManagementPolicy": "OrderedReady",
            "selector": {"matchLabels": {"app": "wallet"}},
            "updateStrategy": strategy,
            "template": pod_template,
            **spec,
        },
        "status": {
            "observedGeneration": 7,
            "readyReplicas": replicas,
            "availableReplicas": replicas,
            "updatedReplicas": replicas,
            "currentRevision": named(OLD),
            "updateRevision": named(OLD),
            **(status or {}),
        },
    }


def named(pod_template):
    return f"wallet-{digest(pod_template)[:8]}"


def revision(pod_template, number=1, **annotations):
    return {
        "metadata": {
            "name": named(pod_template),
            "namespace": "igaming",
            "uid": f"uid-{named(pod_template)}",
            "labels": {"app": "wallet"},
            "annotations": annotations,
            "ownerReferences": [{"kind": "StatefulSet", "uid": "s"}],
        },
        "data": {"spec": {"template": {"$patch": "replace", **pod_template}}},
        "revision": number,
    }


def pod(number, pod_template=OLD, *, ready=True, uid="", **labels):
    name = f"wallet-{number}"
    return {
        "metadata": {
            "name": name,
            "namespace": "igaming",
            "uid": uid or f"uid-{name}",
            "resourceVersion": f"10{number}",
            "labels": {"app": "wallet", "controller-revision-hash": named(pod_template), **labels},
            "ownerReferences": [{"kind": "StatefulSet", "uid": "s"}],
        },
        "spec": pod_template["spec"],
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def began(strategy=HELD, phase="trying", **fields):
    """Give what a release remembers that left the StatefulSet so."""
    wrote = Settings(0, 600, strategy, paused=strategy == HELD)
    kept = {"own": Settings(0, 600, OWN), "replicas": 3}
    return memory(wrote=wrote, phase=phase, **{**kept, **fields})


def look(thing, *pods, kept: Memory | None = None, services=None):
    thing = remembering(thing, kept) if kept else thing
    return Snapshot(thing, (revision(OLD), revision(NEW, 2)), pods, services or (service(),), ())


def seen(thing, *pods, kept=None):
    return observe(look(thing, *pods, kept=kept), digest(OLD), digest(NEW), Witness())


# -- what is seen -------------------------------------------------------------------------------------------


def test_a_stateful_set_is_told_by_its_fields_for_lists_have_no_kind():
    assert kind_of(stateful_set()) == "StatefulSet"


def test_the_sides_are_the_pods_of_the_two_controller_revisions():
    facts = seen(stateful_set(NEW, low(2)), pod(0), pod(1), pod(2, NEW), kept=began(low(2)))
    assert (facts.stable.revision, facts.preview.revision) == (named(OLD), named(NEW))
    assert [one.ordinal for one in facts.stable.pods] == [0, 1]
    assert [one.name for one in facts.preview.pods] == ["wallet-2"]
    assert (facts.stable.desired, facts.preview.desired) == (2, 1)
    assert (facts.workload, facts.paused, facts.partitioned) == ("StatefulSet", False, True)


def test_a_pod_that_has_not_been_made_anew_yet_counts_as_wanted_of_the_preview():
    facts = seen(stateful_set(NEW, low(1)), pod(0), pod(1), pod(2, NEW), kept=began(low(1)))
    assert (facts.stable.desired, facts.preview.desired) == (1, 2)
    assert not facts.partitioned
    assert not facts.preview.complete


def test_a_partition_above_every_ordinal_is_a_pause_and_what_died_comes_back_as_the_current_revision():
    facts = seen(stateful_set(NEW, HELD), pod(0), pod(1), kept=began())
    assert facts.paused
    assert (facts.stable.desired, facts.preview.desired) == (3, 0)
    status = {"currentRevision": named(NEW)}
    facts = seen(stateful_set(NEW, HELD, status=status), pod(0, NEW), pod(1, NEW), kept=began())
    assert (facts.stable.desired, facts.preview.desired) == (0, 3)


def test_ordinals_count_from_where_they_start():
    thing = stateful_set(NEW, low(2), ordinals={"start": 5})
    facts = seen(thing, pod(5), pod(6), pod(7, NEW), kept=began(low(2)))
    assert [one.ordinal for one in (*facts.stable.pods, *facts.preview.pods)] == [0, 1, 2]
    assert facts.preview.desired == 1


def test_the_controller_has_not_done_its_part_before_its_pods_are_available():
    thing = stateful_set(NEW, low(2), minReadySeconds=30, status={"availableReplicas": 2})
    assert not seen(thing, pod(0), pod(1), pod(2, NEW), kept=began(low(2))).partitioned


def test_a_pod_of_somebody_elses_template_is_of_neither_side():
    facts = seen(stateful_set(OTHER, low(2)), pod(0), pod(1), pod(2, OTHER), kept=began(low(2)))
    assert [one.name for one in facts.strays] == ["wallet-2"]
    assert facts.tampered


def test_the_way_back_is_begun_once_nothing_acts_on_the_old_template():
    returning = began({"type": "OnDelete"}, "returning")
    facts = seen(stateful_set(OLD, {"type": "OnDelete"}), pod(0), pod(1), pod(2, NEW), kept=returning)
    assert facts.returned
    assert (facts.stable.desired, facts.preview.desired) == (2, 1)
    assert not seen(stateful_set(NEW, {"type": "OnDelete"}), pod(0), kept=returning).returned


def test_a_pod_that_comes_back_under_its_name_is_another_one():
    first = seen(stateful_set(), pod(0, uid="a")).stable.pods[0]
    again = seen(stateful_set(), pod(0, uid="b")).stable.pods[0]
    assert first.identity != again.identity


def test_the_release_is_remembered_where_the_last_batch_has_the_users_own_partition():
    kept = began(low(0))
    assert recalled(remembering(stateful_set(NEW, low(0)), kept)) == kept


def test_the_memory_is_found_on_a_controller_revision_while_the_partition_stands():
    kept = began()
    copy = revision(NEW, 2, **{"deployctl.dev/release": kept.dump()})
    assert recalled(stateful_set(NEW, HELD), (copy,)) == kept
    assert recalled(stateful_set(NEW, OWN), (copy,)) is None


def test_what_others_wrote_over_the_partition_is_what_they_get_back():
    now = stateful_set(NEW, low(1))
    assert adopted(began(), now).own.strategy == low(1)
    on_delete = began({"type": "OnDelete"}, "returning")
    assert adopted(on_delete, stateful_set(OLD, {"type": "OnDelete"})).own.strategy == OWN


# -- what is written ----------------------------------------------------------------------------------------


def written(action, thing=None, *pods, kept=None):
    kept = kept or began(low(2))
    thing = thing or stateful_set(NEW, low(2))
    shown = look(thing, *(pods or (pod(0), pod(1), pod(2, NEW))), kept=kept)
    writer = writer_of(shown, kept, OLD, NEW)
    assert isinstance(writer, OrdinalWriter)
    request = writer.request(action)
    after = json_patched(shown.deployment, request.body) if request.content_type == JSON_PATCH else None
    return request, after


@pytest.mark.parametrize(
    ("action", "strategy", "pods", "phase"),
    [
        (Begin(), HELD, NEW, "trying"),
        (Pause(), HELD, NEW, "trying"),
        (Lower(1), low(1), NEW, "trying"),
        (Rehold(), low(2), NEW, "trying"),
        (Finish(), low(2), NEW, "finishing"),
        (Turn("no"), low(2), NEW, "returning"),
        (Return(), {"type": "OnDelete"}, OLD, "returning"),
    ],
)
def test_a_write_changes_the_partition_and_the_template_and_remembers_it(action, strategy, pods, phase):
    request, after = written(action)
    assert request.path == "/apis/apps/v1/namespaces/igaming/statefulsets/wallet"
    assert [op["path"] for op in request.body if op["op"] == "test"] == ["/metadata/generation", KEY]
    assert after["spec"] == stateful_set(pods, strategy)["spec"]
    remembered = load(annotation(after))
    assert remembered.phase == phase
    assert remembered.wrote == Settings.of(after)


@pytest.mark.parametrize(("outcome", "pods"), [(Outcome.PROMOTED, NEW), (Outcome.ABORTED, OLD)])
def test_the_last_write_leaves_the_users_own_settings_and_nothing_of_ours(outcome, pods):
    _, after = written(Restore(outcome))
    assert after["spec"] == stateful_set(pods)["spec"]
    assert not annotation(after)


def test_what_else_the_users_strategy_says_stays():
    own = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 1}}
    kept = began(own=Settings(0, 600, own))
    _, after = written(Lower(2), kept=kept)
    assert after["spec"]["updateStrategy"]["rollingUpdate"] == {"partition": 2, "maxUnavailable": 1}


def test_a_pod_is_written_to_only_as_it_was_looked_at():
    request, _ = written(Admit("wallet-2"))
    assert request.body["metadata"]["resourceVersion"] == "102"
    assert request.body["metadata"]["labels"] == {LABEL: "yes"}


def test_a_pod_is_deleted_only_if_it_is_the_one_that_was_looked_at():
    request, _ = written(Discard("wallet-2"))
    assert (request.method, request.path) == ("DELETE", "/api/v1/namespaces/igaming/pods/wallet-2")
    assert request.body["preconditions"] == {"uid": "uid-wallet-2"}


def test_a_deployment_has_no_ordinals():
    with pytest.raises(TypeError, match="StatefulSet"):
        Writer(look(stateful_set(), kept=began()), began(), OLD, NEW).request(Lower(1))


def test_the_copy_of_our_memory_is_taken_off_the_controller_revision():
    assert forget_copy(revision(NEW)).path.endswith(f"/controllerrevisions/{named(NEW)}")


# -- what is refused ----------------------------------------------------------------------------------------


def begins(thing, *, gap=False):
    startable(thing, "wallet", (revision(OLD),), gap=gap)


def test_a_stateful_set_at_rest_can_begin():
    begins(stateful_set())


@pytest.mark.parametrize(
    ("thing", "error", "says"),
    [
        (stateful_set(strategy={"type": "OnDelete"}), UsageError, "expected RollingUpdate"),
        (
            stateful_set(strategy={**OWN, "rollingUpdate": {"maxUnavailable": 2}}),
            UsageError,
            "maxUnavailable 2",
        ),
        (stateful_set(strategy=HELD), Conflict, "held by a partition"),
        (stateful_set(replicas=0), UsageError, "0 replicas"),
        (stateful_set(replicas=1), UsageError, "nothing serves meanwhile"),
        (stateful_set(status={"updateRevision": named(NEW)}), Conflict, "in the middle of a rollout"),
        (stateful_set(status={"observedGeneration": 6}), Conflict, "in the middle of a rollout"),
        (stateful_set(status={"readyReplicas": 2}), Conflict, "2 of 3 pods ready"),
        (stateful_set(OTHER), Conflict, "no ControllerRevision keeps the template"),
    ],
)
def test_what_stands_against_a_release_is_told(thing, error, says):
    with pytest.raises(error, match=says) as caught:
        begins(thing)
    assert caught.value.advice


def test_one_pod_may_be_down_where_that_is_accepted():
    begins(stateful_set(replicas=1), gap=True)


def test_a_parallel_stateful_set_may_have_a_pod_that_is_not_ready():
    begins(stateful_set(status={"readyReplicas": 2}, podManagementPolicy="Parallel"))


def test_one_pod_and_a_governing_service_that_is_listed_are_warned_of():
    one = next(warnings(stateful_set(replicas=1), ()))
    assert "nothing serves" in one
    assert "wallet-peers is listed" in next(warnings(stateful_set(), (service("wallet-peers"),)))


def test_the_headless_service_that_names_the_pods_is_no_clients_service():
    headless = {"metadata": {"name": "wallet-peers"}, "spec": {"clusterIP": "None"}}
    assert governs(headless, stateful_set())
    assert not governs({**headless, "spec": {"clusterIP": "10.0.0.1"}}, stateful_set())
    assert not governs(service(), stateful_set())


# -- what is said -------------------------------------------------------------------------------------------


def test_a_deleted_pod_is_told_with_its_reason():
    broken = seen(stateful_set(OLD, {"type": "OnDelete"}), pod(0), pod(1), pod(2, NEW, ready=False))
    text = "an OrderedReady StatefulSet does not replace a pod that is not ready by itself"
    assert words.did(Discard("wallet-2"), broken) == f"delete wallet-2: {text}"
    fine = seen(stateful_set(OLD, {"type": "OnDelete"}), pod(0), pod(1), pod(2, NEW))
    assert words.did(Discard("wallet-2"), fine).endswith(f"comes back as stable {named(OLD)}")


def test_a_lowered_partition_is_told_with_the_pods_that_it_reaches():
    facts = seen(stateful_set(NEW, HELD), pod(0), pod(1), pod(2), kept=began())
    said = "lower the partition to 1: wallet-2 and wallet-1 are made anew as the preview"
    assert words.did(Lower(1), facts) == said
    assert facts.phase is Phase.TRYING
