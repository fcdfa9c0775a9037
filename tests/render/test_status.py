"""What `status` and `why` say of a cluster."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import msgspec

from deployctl.autoscaling.held import Hold, take
from deployctl.cli.looking import plain
from deployctl.cluster.view import Names
from deployctl.consumers import Word as Says
from deployctl.consumes import Consumes
from deployctl.glance import Glance, Listed
from deployctl.observe import Snapshot
from deployctl.published import Status
from deployctl.record import Entry, Flagged, Kept, Word
from deployctl.render.status import listing, text, why
from deployctl.spec import from_canonical
from deployctl.standing import rows, status
from strategies.flags import State
from tests.autoscaling.objects import hpa, served
from tests.render import objects
from tests.render.objects import NEW, OLD, at_rest, dark, deployment, in_flight, shifted, waiting

NAMES = Names("igaming", "wallet", "wallet", ("wallet",))
NOW = dt.datetime(2026, 5, 4, 10, 5, tzinfo=dt.UTC)
STANDS = "the preview passed its gates and waits for a person to promote it"


def entry(**more: object) -> Entry:
    begun = Entry("4711", "blueGreen", "a", "b", "ann@build-7/4711", objects.BEGUN, {"app": "wallet:2"})
    return msgspec.structs.replace(begun, **more)


def glanced(look: Snapshot, *entries: Entry, lease: dict[str, object] | None = None) -> Status:
    held = {"spec": lease} if lease else None
    return status(Glance(NAMES, look, Kept(releases=entries), held, NOW), "kubectl -n igaming")


def head(one: Status) -> str:
    """Leave out the commands, which have tests of their own."""
    return text(one).partition("\n\nback by hand")[0]


def test_a_preview_that_waits_for_a_person() -> None:
    one = glanced(
        waiting(), entry(reason=STANDS, gates=["before smoke passed: /healthz: 200 from 2 of 2 pods"])
    )
    assert (
        head(one)
        == f"""\
wallet in igaming: blueGreen release 4711, the preview is on trial
  begun 5m ago by ann@build-7
  no process runs it; what stands has stood for 4m30s
  {STANDS}

REVISION   HASH         ROLE      READY   IMAGES     AGE
5          7f9c4d6b88   preview   2/2     wallet:2   65m
4          5f94844648   stable    3/3     wallet:1   65m

SERVICE   TRAFFIC           ENDPOINTS
wallet    100% 5f94844648   3           pinned to 5f94844648

gates
  before smoke passed: /healthz: 200 from 2 of 2 pods

next
  deployctl promote wallet
  deployctl abort wallet"""
    )


def test_what_a_dead_process_would_have_done_next_is_its_next_step() -> None:
    spec = {
        "apiVersion": "deployctl.dev/v1alpha1", "kind": "App", "metadata": {"name": "wallet"},
        "spec": {
            "workload": {"deployment": "wallet", "services": ["wallet"]},
            "strategy": {"blueGreen": {"keepOld": "5m"}},
        },
    }  # fmt: skip
    one = status(Glance(NAMES, waiting(), Kept(), None, NOW, from_canonical(spec)), "kubectl -n igaming")
    assert "  waits for its next step: hold 3 stable and 3 preview pods" in text(one)


def test_pods_that_no_node_takes_are_told_in_the_words_of_the_scheduler() -> None:
    look = waiting()
    pending = json.loads(json.dumps(look.pods[-1]))
    no_node = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    pending["status"] = {
        "conditions": [{**no_node, "message": "0/3 nodes are available: 3 Insufficient cpu."}]
    }
    one = glanced(replace(look, pods=(*look.pods[:-1], pending)), entry())
    assert "  trouble: no node takes 1 pod: 0/3 nodes are available: 3 Insufficient cpu\n" in text(one)


def test_why_says_the_same_in_sentences() -> None:
    one = glanced(waiting(), entry(reason=STANDS))
    assert (
        why(one)
        == f"""\
wallet is in a blueGreen release begun 5m ago: the preview is on trial.
No process runs it; what stands has stood for 4m30s.
T{STANDS[1:]}.
Preview {NEW} has 2 of 2 pods ready; stable {OLD} has 3 of 3 pods ready; wallet sends 100% {OLD}.
Next: `deployctl promote wallet` or `deployctl abort wallet`."""
    )


def test_a_live_process_is_named_and_the_hand_is_warned() -> None:
    now = dt.datetime.now(dt.UTC).isoformat()
    lease = {"holderIdentity": "ann@build-7/4711", "renewTime": now, "acquireTime": objects.BEGUN}
    one = glanced(shifted(), entry(), lease=lease)
    assert "run by ann@build-7/4711 for 5m" in text(one)
    assert "# first stop ann@build-7/4711" in text(one)
    assert one.next == ("deployctl status wallet -w", "deployctl abort wallet")


def test_a_lease_that_was_not_renewed_is_nobody() -> None:
    lease = {"holderIdentity": "ann@build-7/4711", "renewTime": "2026-05-04T10:00:00Z"}
    assert "no process runs it" in text(glanced(shifted(), entry(), lease=lease))


def test_a_valve_is_shown_beside_its_service() -> None:
    assert "wallet    100% 5f94844648   3           only labelled pods serve" in text(glanced(dark()))


def test_an_armed_release_counts_down_to_kubernetes_own_finish() -> None:
    armed = objects.Settings(604, objects.NO_DEADLINE, objects.HELD.strategy, paused=True)
    memory = in_flight("promoting", wrote=armed)
    one = glanced(replace(shifted(), deployment=deployment(settings=armed, memory=memory)))
    assert one.release
    assert one.release.due == "2026-05-04T10:10:08Z"
    assert "Kubernetes retires the old side by itself in 5m8s" in text(one)
    assert one.next[0] == "deployctl finish wallet"


def test_the_flags_that_a_release_has_moved_are_shown_as_its_record_has_them() -> None:
    of, off, on = {"by": "ann@build-7/4711", "at": objects.BEGUN}, State(value=False), State(value=True)
    flags = (
        Flagged("new-wallet", off, ours=(on,), done=True, **of),
        Flagged("fast-odds", off, ours=(State(25, percent=True),), **of),
        Flagged("safe\x1b[2J", on, ours=(off,), done=True, back="true", **of),
    )
    one = glanced(shifted(), entry(flags=flags))
    assert text(one).partition("flags, by the record\n")[2].splitlines()[:3] == [
        "  new-wallet is set to true, and was false",
        "  fast-odds was to be set to 25%, and was false: whether it is, nobody wrote down",
        "  safe [2J is true again, and was set to false",
    ]
    assert "Flag new-wallet is set to true, and was false." in why(one)
    assert plain(one)["release"]["flags"][0] == {
        "key": "new-wallet",
        "was": "false",
        "setTo": "true",
        "at": objects.BEGUN,
        "by": "ann@build-7/4711",
        "done": True,
        "back": "",
    }


def test_at_rest_the_last_release_is_told() -> None:
    one = glanced(
        at_rest(), entry(ended="2026-05-04T10:01:00Z", outcome="aborted", reason="gate smoke said no")
    )
    assert (
        text(one)
        == """\
wallet in igaming: at rest; last aborted 4m ago by ann@build-7: gate smoke said no

REVISION   HASH         ROLE   READY   IMAGES     AGE
4          5f94844648   live   3/3     wallet:1   65m

SERVICE   TRAFFIC           ENDPOINTS
wallet    100% 5f94844648   3

next
  deployctl rollback wallet"""
    )


def test_a_record_of_an_unknown_format_is_not_called_empty() -> None:
    one = status(Glance(NAMES, at_rest(), Kept(unknown="3"), None, NOW))
    assert text(one).startswith(
        "wallet in igaming: at rest; its record has format 3, which this deployctl does not know\n"
    )
    listed = Listed("igaming", "wallet", Kept(unknown="3"), at_rest().deployment, None)
    assert rows((listed,), NOW).items[0].state == "unknown record"


def test_a_release_that_was_ended_by_hand_is_not_called_promoted() -> None:
    assert "was ended by hand, or its end was not written down" in text(glanced(at_rest(), entry()))


def test_nobody_behind_a_service_is_said_loudly() -> None:
    assert "nobody: no ready endpoint" in text(glanced(replace(waiting(), slices=())))


def test_why_it_was_begun_and_what_was_said_since_is_told() -> None:
    begun = Word("release", "ann@build-7/4711", objects.BEGUN, "JIRA-12")
    later = Word("resume", "bob@desk/2", "2026-05-04T10:04:00Z", "quota is raised")
    one = glanced(waiting(), entry(reason=STANDS, words=(begun, later)))
    assert (
        '  begun 5m ago by ann@build-7: "JIRA-12"\n  resume 60s ago by bob@desk: "quota is raised"'
        in text(one)
    )
    assert 'The reason that was given is "JIRA-12".\nResume 60s ago by bob@desk: "quota is raised".' in why(
        one
    )


def test_a_pause_says_once_why() -> None:
    said = (Word("pause", "bob@desk/2", "2026-05-04T10:04:00Z", "lunch"),)
    one = text(glanced(waiting(), entry(reason="paused by bob@desk/2: lunch", words=said)))
    assert one.count("lunch") == 1


def test_at_rest_the_reason_that_was_given_stands_for_why_it_was_promoted() -> None:
    begun = (Word("release", "ann@build-7/4711", objects.BEGUN, "JIRA-12"),)
    ended = entry(ended="2026-05-04T10:01:00Z", outcome="promoted", words=begun)
    assert text(glanced(at_rest(), ended)).startswith(
        'wallet in igaming: at rest; last promoted 4m ago by ann@build-7: "JIRA-12"\n'
    )


def test_what_others_wrote_into_the_record_cannot_steer_the_terminal() -> None:
    evil = entry(by="\x1b]0;x\x07eve/1", reason="a\x1b[2J", gates=("before \x1b[31mred",))
    for said in (text(glanced(waiting(), evil)), why(glanced(waiting(), evil))):
        assert [letter for letter in said if not letter.isprintable() and letter != "\n"] == []


def test_a_foreign_write_since_the_beginning_is_named_with_its_fields() -> None:
    look = waiting()
    look.deployment["metadata"]["managedFields"].append(
        {
            "manager": "kubectl-edit",
            "operation": "Update",
            "time": "2026-05-04T10:02:00Z",
            "fieldsV1": {"f:spec": {"f:strategy": {}, "f:minReadySeconds": {}}},
        }
    )
    assert "kubectl-edit wrote minReadySeconds, strategy at 2026-05-04T10:02:00Z" in text(glanced(look))


def test_the_document_says_what_it_is() -> None:
    whole = plain(glanced(waiting()))
    assert list(whole)[:4] == ["apiVersion", "kind", "app", "namespace"]
    assert (whole["apiVersion"], whole["kind"]) == ("deployctl.dev/v1alpha1", "Status")
    assert json.loads(json.dumps(whole))["release"]["phase"] == "trying"


def test_the_list_has_one_line_an_app() -> None:
    resting = Kept(releases=(entry(ended="2026-05-04T10:01:00Z", outcome="promoted"),))
    odds = Listed("igaming", "odds", resting, at_rest().deployment, None)
    held = Listed("igaming", "wallet", Kept(releases=(entry(),)), waiting().deployment, in_flight())
    gone = Listed("igaming", "zoo", resting, None, None)
    assert (
        listing(rows((odds, held, gone), NOW), everywhere=False)
        == """\
NAME     STATE           READY   IMAGES     SINCE   BY
odds     promoted        3/3     wallet:1   4m      ann@build-7
wallet   trying          3/3     wallet:2   5m      ann@build-7
zoo      no Deployment   0/0     -          4m      ann@build-7"""
    )


def test_open_rounds_are_counted_where_there_are_any() -> None:
    one = glanced(waiting(), entry(reason=STANDS))
    busy = msgspec.structs.replace(one.revisions[1], open_rounds=5, oldest_round_seconds=90.0)
    quiet = msgspec.structs.replace(one.revisions[0], open_rounds=0)
    told = text(msgspec.structs.replace(one, revisions=(quiet, busy)))
    assert "65m   5 open rounds, the oldest 90s\n" in told
    assert told.count("open round") == 1


def held(look: Snapshot) -> Snapshot:
    """Give the look at a release that holds the app's autoscaler."""
    hold = Hold("release 4f0c", floor=20, still=True, since="2026-05-04T10:00:01Z")
    scaler = hpa(6)
    request = take(scaler, hold)
    return replace(look, scalers=(served(scaler, request.body if request else None),))


def test_who_holds_an_autoscaler_is_told() -> None:
    one = glanced(held(waiting()))
    said = "HorizontalPodAutoscaler wallet is held at 20 by release 4f0c until it is over"
    assert f"autoscaling\n  {said}" in text(one)
    assert f"{said}." in why(one)


def test_an_autoscaler_is_put_back_by_hand_last() -> None:
    last = glanced(held(waiting())).by_hand[-1]
    assert last.startswith("kubectl -n igaming patch horizontalpodautoscaler wallet --type merge -p '{")
    assert '"minReplicas":6' in last
    assert "resourceVersion" not in last


def test_a_hold_that_a_dead_process_left_is_told_at_rest() -> None:
    one = glanced(held(at_rest()))
    assert "is held at 20 by release 4f0c" in why(one)


def consuming(look: Snapshot, consumes: Consumes, words: dict[str, Says] | None = None) -> Status:
    """Give the status of a release whose pods say these words; its spec is on record."""
    assert look.memory
    memory = msgspec.structs.replace(look.memory, consumes=consumes)
    there = replace(look, deployment=deployment(memory=memory))
    return status(Glance(NAMES, there, Kept(releases=(entry(),)), None, NOW, SPEC, words=words or {}))


SPEC = from_canonical(
    {
        "apiVersion": "deployctl.dev/v1alpha1",
        "kind": "App",
        "metadata": {"name": "wallet"},
        "spec": {"workload": {"deployment": "wallet", "services": ["wallet"]}, "strategy": {"blueGreen": {}}},
    }
)
HANDS_OVER = Consumes(mode="handOver", path="/internal/consume", port=8080, at_start="paused")
TAKES = Says(consumes=True, unheard="", since="2026-05-04T09:00:00Z")
STOPPED = Says(consumes=False, unheard="", since="2026-05-04T10:04:48Z")
MUTE = Says(None, "/internal/consume: 404")


def test_who_consumes_is_told_by_what_the_pods_say() -> None:
    words = {f"{OLD}-{number}": TAKES for number in range(3)} | {f"{NEW}-0": STOPPED, f"{NEW}-1": MUTE}
    one = consuming(waiting(), HANDS_OVER, words)
    assert text(one).partition("consumers, ")[2].splitlines()[:3] == [
        "handOver",
        f"  stable {OLD}: 3 of 3 pods consume, the last change 65m ago",
        f"  preview {NEW}: 0 of 2 pods consume, 1 does not say (wallet-{NEW}-1: /internal/consume: 404), the last change 12s ago",
    ]
    assert plain(one)["release"]["consumers"]["sides"][0] == {
        "role": "stable",
        "hash": OLD,
        "consuming": 3,
        "paused": 0,
        "unknown": 0,
        "unheard": "",
        "since": "2026-05-04T09:00:00Z",
    }


def test_why_tells_who_consumes_where_a_hand_over_is_waited_for() -> None:
    words = {f"{NEW}-{number}": STOPPED for number in range(3)} | {
        f"{OLD}-0": STOPPED,
        f"{OLD}-1": TAKES,
        f"{OLD}-2": MUTE,
    }
    said = why(consuming(shifted(), HANDS_OVER, words))
    assert f"Waits for wallet-{OLD}-1 to consume no more." in said
    assert (
        f"Consumers (handOver): stable {OLD}: 1 of 3 pods consume, 1 does not say (wallet-{OLD}-2: " in said
    )
    assert f"; preview {NEW}: 0 of 3 pods consume, the last change 12s ago." in said


def test_why_is_silent_on_consumers_where_nobody_waits_for_them() -> None:
    words = {f"{OLD}-{number}": STOPPED for number in range(3)} | {
        f"{NEW}-{number}": TAKES for number in range(3)
    }
    one = consuming(shifted(), HANDS_OVER, words)
    assert "Consumers (" not in why(one)
    assert f"preview {NEW}: 3 of 3 pods consume" in text(one)


def test_where_no_pod_may_be_asked_nothing_is_concluded_from_that() -> None:
    one = consuming(shifted(), HANDS_OVER, {f"{OLD}-{number}": MUTE for number in range(3)})
    assert "0 of 3 pods consume, 3 do not say" in text(one)
    assert "consume" not in (one.release.waits_for if one.release else "consume")


def test_a_group_of_the_previews_own_is_named_and_no_pod_counted() -> None:
    one = text(consuming(waiting(), Consumes(mode="separateGroup", group="settlement-${preview}", port=8080)))
    assert (
        f"consumers, separateGroup\n  the preview consumes in group settlement-{NEW}: each event is handled by both revisions\n"
        in one
    )
