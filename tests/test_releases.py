"""A run takes the lock, writes the record, releases, writes down how it ended, and gives the lock back.

Here the real View watches the cluster in memory, whose controllers act at once.
"""

from __future__ import annotations

import getpass
from dataclasses import replace
from hashlib import sha256

import msgspec
import pytest

from deployctl.cluster.api import Denied
from deployctl.cluster.view import Names
from deployctl.errors import Conflict, DeployctlError, LockHeld, LockLost, UsageError
from deployctl.lock import holder_of
from deployctl.memory import load
from deployctl.prepare import Found, Prepared, find, guess
from deployctl.record import Record, Word
from deployctl.releases import Run, back_at_rest, finished_by_itself, fresh, holder, in_flight
from deployctl.rollout import Orders
from deployctl.spec import App, from_canonical
from strategies.blue_green import BlueGreen
from strategies.model import Outcome, Pin
from strategies.rolling import Rolling
from tests.fake import Api, Cluster, silence
from tests.objects import NAMES, hash_of, hold, own, template
from tests.run import NO, YES, Story, gates

NEW = template("wallet:2")
SPEC = {
    "apiVersion": "deployctl.dev/v1alpha1",
    "kind": "App",
    "metadata": {"name": "wallet"},
    "spec": {
        "workload": {"deployment": "wallet", "services": ["wallet"]},
        "strategy": {"blueGreen": {"keepOld": "0s"}},
    },
}
LEASE, RECORD = ("leases", "deployctl-wallet"), ("configmaps", "deployctl-wallet")


class Killed(BaseException):
    """The process dies here."""


def kill(_: object) -> None:
    raise Killed


@pytest.fixture
def cluster():
    made = Cluster.running()
    made.eager, made.ready_seconds = True, 0.0
    yield made
    made.closed.set()


def app() -> App:
    return from_canonical(SPEC)


def there(cluster: Cluster) -> Found:
    return find(Api(cluster), NAMES)


def planned(cluster: Cluster, preview=NEW, **stages):
    """Plan a fresh release with these gates."""
    now = there(cluster)
    ready = Prepared(now.names, now.deployment, now.services, now.replica_sets, None, template(), preview)
    return replace(fresh(ready, app(), content="abc"), gates=gates(**stages))


def run(cluster: Cluster, plan, **options) -> Run:
    return Run(Api(cluster), plan, Story(), Orders(), **options)


def died(cluster: Cluster, after: int) -> Found:
    """Let a release die before its n-th write; the Lease is given back, the release is not."""
    cluster.meanwhile = [lambda _: None] * after + [kill]
    with pytest.raises(Killed):
        run(cluster, planned(cluster)).run()
    cluster.meanwhile.clear()
    return there(cluster)


def kept(cluster: Cluster):
    return Record(Api(cluster), "igaming", "wallet").read()


# -- a whole run --------------------------------------------------------------------------------------------


def test_a_run_releases_and_writes_down_what_happened(cluster):
    result = run(cluster, planned(cluster, before=YES)).run()
    entry = kept(cluster).releases[0]
    assert result.outcome is Outcome.PROMOTED
    assert (entry.outcome, entry.reason, entry.digest) == ("promoted", "", "abc")
    assert (entry.images, entry.gates) == ({"app": "wallet:2"}, ("before smoke passed: it says pass",))
    assert cluster.serving() == {"wallet:2": 6}


def test_the_record_keeps_the_spec_so_that_a_name_is_enough_later(cluster):
    run(cluster, planned(cluster)).run()
    assert from_canonical(kept(cluster).spec).spec.strategy == app().spec.strategy


def test_a_run_that_turned_round_says_why(cluster):
    one = run(cluster, planned(cluster, before=NO))
    assert one.run().outcome is Outcome.ABORTED
    entry = kept(cluster).releases[0]
    assert (entry.outcome, entry.reason) == ("aborted", "gate smoke said no: it says fail")


def test_a_run_remembers_the_last_it_saw(cluster):
    one = run(cluster, planned(cluster))
    one.run()
    assert (one.last.phase, one.last.preview.desired) == (None, 6)
    assert one.writes["deployments"] == 7


# -- the lock is always given back ----------------------------------------------------------------------------


def test_the_lease_is_given_back_at_the_end(cluster):
    run(cluster, planned(cluster)).run()
    assert holder_of(cluster.objects[LEASE]) == ""


def test_the_lease_is_given_back_by_a_run_that_was_interrupted(cluster):
    died(cluster, after=6)
    assert holder_of(cluster.objects[LEASE]) == ""


def test_the_lease_is_given_back_where_the_record_may_not_be_written(cluster):
    cluster.answers = [None, Denied(403, "configmaps is forbidden")]
    with pytest.raises(Denied):
        run(cluster, planned(cluster)).run()
    assert holder_of(cluster.objects[LEASE]) == ""


def test_the_lease_is_given_back_where_the_view_cannot_start(cluster, monkeypatch):
    one = run(cluster, planned(cluster))
    monkeypatch.setattr(
        "deployctl.releases.View.start", lambda _: (_ for _ in ()).throw(Denied(403, "no watch"))
    )
    with pytest.raises(Denied, match="no watch"):
        one.run()
    assert holder_of(cluster.objects[LEASE]) == ""


def test_nothing_is_touched_without_the_lock(cluster):
    plan = planned(cluster)
    cluster.put("leases", {"metadata": {"name": LEASE[1]}, "spec": {"holderIdentity": "bob"}})
    lease = cluster.objects[LEASE]
    cluster.put("leases", {**lease, "spec": {"holderIdentity": "bob", "renewTime": "2999-01-01T00:00:00Z"}})
    with pytest.raises(LockHeld):
        run(cluster, plan).run()
    assert cluster.writes == []


# -- the record -----------------------------------------------------------------------------------------------


def test_a_release_that_cannot_be_written_down_does_not_begin(cluster):
    cluster.answers = [None, Denied(403, "configmaps is forbidden")]
    with pytest.raises(Denied):
        run(cluster, planned(cluster)).run()
    assert not cluster.deployment["spec"].get("paused")


def test_a_release_that_is_done_is_done_though_its_end_cannot_be_written_down(cluster):
    one = run(cluster, planned(cluster))
    one.story.on = lambda action: (
        cluster.drop("configmaps", RECORD[1]) if len(one.story.actions) == 9 else None
    )
    assert one.run().outcome is Outcome.PROMOTED


def test_the_way_back_needs_no_record(cluster):
    found = died(cluster, after=8)
    plan = in_flight(found, None, None)
    one = run(cluster, plan, force=True)
    cluster.answers = [None, Denied(403, "configmaps is forbidden")]
    assert one.run().outcome is Outcome.ABORTED
    assert one.story.notes[0] == "the record could not be written: configmaps is forbidden"


SAID = Word("release", "ann@desk/1", "2026-11-23T12:00:00Z", "JIRA-12")
OLD_ID, NEW_ID = (sha256(f"wallet:{number}".encode()).hexdigest() for number in (1, 2))


def test_the_record_keeps_what_really_ran_its_hashes_and_who_said_what(cluster):
    run(cluster, planned(cluster), word=SAID).run()
    entry = kept(cluster).releases[0]
    assert entry.image_ids == {"app": (f"sha256:{NEW_ID}",)}
    assert (entry.stable_hash, entry.preview_hash) == (hash_of(template()), hash_of(NEW))
    assert (entry.words, entry.reason) == ((SAID,), "")


def test_what_ran_of_a_build_that_was_refused_is_kept_though_its_pods_are_gone(cluster):
    run(cluster, planned(cluster, before=NO)).run()
    assert kept(cluster).releases[0].image_ids == {"app": (f"sha256:{NEW_ID}",)}


@pytest.mark.parametrize("pre_stop", [5, 0], ids=["at once", "blue-green"])
def test_of_a_rollback_the_images_are_those_that_it_went_to(cluster, pre_stop):
    run(cluster, planned(cluster, preview=template("wallet:2", pre_stop=pre_stop))).run()
    run(cluster, back_at_rest(there(cluster), template(), "rolled back by bob"), force=True).run()
    entry = kept(cluster).releases[0]
    assert (entry.images, entry.image_ids) == ({"app": "wallet:1"}, {"app": (f"sha256:{OLD_ID}",)})
    assert entry.stable_hash == hash_of(template())


def test_a_tag_that_moved_between_two_pods_shows_both_digests(cluster):
    def moved(now):
        one = next(one for one in now.all("pods") if one["spec"]["containers"][0]["image"] == "wallet:2")
        runs = [{"name": "app", "imageID": "docker-pullable://wallet@sha256:0"}]
        now.put("pods", {**one, "status": {**one["status"], "containerStatuses": runs}})

    cluster.meanwhile = [lambda _: None] * 6 + [moved]
    run(cluster, planned(cluster)).run()
    assert kept(cluster).releases[0].image_ids == {"app": ("sha256:0", f"sha256:{NEW_ID}")}


def test_what_a_run_saw_before_it_was_taken_over_is_kept(cluster):
    one = run(cluster, planned(cluster, before=YES), word=SAID)
    aborted = []

    def abort(action):
        if isinstance(action, Pin) and action.revision == hash_of(NEW) and not aborted:
            aborted.append(action)
            run(cluster, in_flight(there(cluster), None, None), force=True).run()

    one.story.on = abort
    with pytest.raises(LockLost):
        one.run()
    entry = kept(cluster).releases[0]
    assert (entry.outcome, entry.gates) == ("aborted", ("before smoke passed: it says pass",))
    assert entry.image_ids == {"app": (f"sha256:{NEW_ID}",)}


def test_a_release_does_not_begin_where_its_record_has_an_unknown_format(cluster):
    plan = planned(cluster)
    cluster.put("configmaps", {"metadata": {"name": RECORD[1]}, "data": {"version": "3"}})
    with pytest.raises(UsageError, match="has format 3"):
        run(cluster, plan).run()
    assert not cluster.deployment["spec"].get("paused")


def test_without_a_record_an_app_is_found_by_the_release_that_holds_its_deployment(cluster):
    held = died(cluster, after=8).memory
    thing = cluster.deployment
    thing["metadata"]["annotations"]["deployctl.dev/release"] = msgspec.structs.replace(
        held, app="shop"
    ).dump()
    cluster.put("deployments", thing)
    assert guess(Api(cluster), "shop") == Names("igaming", "shop", "wallet", ("wallet",))
    with pytest.raises(UsageError, match="Deployment odds not found") as refused:
        guess(Api(cluster), "odds")
    assert "`deployctl status -A` lists the apps" in refused.value.advice


def test_the_way_back_leaves_a_record_of_an_unknown_format_as_it_is(cluster):
    found = died(cluster, after=8)
    before = cluster.put(
        "configmaps", {"metadata": {"name": RECORD[1]}, "data": {"version": "3", "new": "x"}}
    )
    one = run(cluster, in_flight(found, None, None), force=True)
    assert one.run().outcome is Outcome.ABORTED
    assert cluster.objects[RECORD] == before
    assert len([note for note in one.story.notes if "has format 3, and this deployctl knows 2" in note]) == 1
    assert cluster.serving() == {"wallet:1": 6}


# -- taking over ----------------------------------------------------------------------------------------------


def test_a_release_whose_process_died_is_resumed(cluster):
    plan = in_flight(died(cluster, after=8), app(), kept(cluster).template)
    assert run(cluster, plan).run().outcome is Outcome.PROMOTED
    assert cluster.leftovers() == []


def test_who_takes_over_raises_the_fence(cluster):
    found = died(cluster, after=8)
    one = run(cluster, in_flight(found, app(), kept(cluster).template))
    fences = []
    one.story.on = lambda _: fences.append(load(_annotation(cluster)))
    one.run()
    assert fences[0].fence == found.memory.fence + 1


def _annotation(cluster):
    return cluster.deployment["metadata"]["annotations"].get("deployctl.dev/release", "")


def test_an_abort_turns_round_and_raises_the_fence_in_one_write(cluster):
    found = died(cluster, after=8)
    plan = in_flight(found, None, None)
    plan = replace(plan, memory=msgspec.structs.replace(plan.memory, why="aborted by bob"))
    one = run(cluster, plan, force=True)
    cluster.writes.clear()
    one.run()
    first = next(request for request in cluster.writes if "/deployments/" in request.path)
    written = load(first.body[-1]["value"])
    assert (written.phase, written.why, written.fence) == ("returning", "aborted by bob", 2)
    assert cluster.serving() == {"wallet:1": 6}


def test_an_abort_asks_no_gate(cluster):
    plan = in_flight(died(cluster, after=8), None, None)
    assert (plan.gates.before, plan.gates.during, plan.gates.after) == ((), (), ())


def test_a_takeover_that_loses_a_race_looks_again(cluster):
    found = died(cluster, after=8)
    one = run(cluster, in_flight(found, None, None), force=True)
    nothing = [lambda _: None] * 2  # the Lease and the record
    cluster.meanwhile = [*nothing, lambda now: now.edit("deployments", "wallet", replicas=5)]
    assert one.run().outcome is Outcome.ABORTED
    assert cluster.serving() == {"wallet:1": 5}


def test_a_release_that_ended_meanwhile_is_not_taken_over(cluster):
    plan = in_flight(died(cluster, after=8), app(), kept(cluster).template)
    run(cluster, in_flight(there(cluster), None, None), force=True).run()
    cluster.writes.clear()
    with pytest.raises(Conflict, match="the release of wallet ended meanwhile"):
        run(cluster, plan).run()
    assert not [one for one in cluster.writes if "/deployments/" in one.path]


def test_a_deployment_that_changes_all_the_time_is_not_taken_over(cluster):
    plan = in_flight(died(cluster, after=8), None, None)
    edit = [lambda now: now.edit("deployments", "wallet", revisionHistoryLimit=now.version)]
    cluster.meanwhile = [lambda _: None, lambda _: None, *edit * 20]
    with pytest.raises(Conflict, match="changes faster than it can be taken over"):
        run(cluster, plan, force=True).run()


def test_the_first_run_stops_when_another_takes_over(cluster):
    one = run(cluster, planned(cluster))

    def abort(action):
        if isinstance(action, Pin) and not aborted:
            aborted.append(action)
            run(cluster, in_flight(there(cluster), None, None), force=True).run()

    aborted = []
    one.story.on = abort
    with pytest.raises(LockLost):
        one.run()
    assert (cluster.serving(), cluster.leftovers()) == ({"wallet:1": 6}, [])


# -- what a plan is made of -----------------------------------------------------------------------------------


def test_without_a_release_in_flight_there_is_nothing_to_take_over(cluster):
    with pytest.raises(UsageError, match="no release of wallet is in flight"):
        in_flight(there(cluster), None, None)


def test_the_template_on_trial_is_found_in_the_record(cluster):
    found = died(cluster, after=4)
    assert in_flight(found, app(), NEW).preview == NEW


def test_the_template_on_trial_is_found_in_the_cluster(cluster):
    assert in_flight(died(cluster, after=8), app(), None).preview == NEW


def test_the_way_back_does_not_need_the_template_on_trial(cluster):
    assert in_flight(died(cluster, after=4), None, None).stable == template()


def test_the_way_forward_does(cluster):
    with pytest.raises(DeployctlError, match="no revision keeps template"):
        in_flight(died(cluster, after=4), app(), None)


def test_a_strategy_has_the_specs_options_where_it_is_the_one_that_began(cluster):
    assert in_flight(died(cluster, after=8), app(), None).strategy == BlueGreen(keep_old_seconds=0)


def test_another_strategy_in_the_spec_does_not_go_on_with_this_release(cluster):
    found = died(cluster, after=8)
    rolling = {**SPEC, "spec": {**SPEC["spec"], "strategy": {"rolling": {}}}}
    assert in_flight(found, from_canonical(rolling), None).strategy == BlueGreen()
    assert from_canonical(rolling).spec.strategy.options == Rolling()


# -- back, at rest --------------------------------------------------------------------------------------------


def test_a_rollback_at_rest_brings_the_earlier_template_back(cluster):
    run(cluster, planned(cluster)).run()
    plan = back_at_rest(there(cluster), template(), "rolled back by bob")
    one = run(cluster, plan, force=True)
    one.run()
    assert (cluster.serving(), cluster.leftovers()) == ({"wallet:1": 6}, [])
    assert kept(cluster).releases[0].outcome == "rolledBack"


def test_pods_that_serve_and_have_no_pre_stop_are_left_blue_green(cluster):
    run(cluster, planned(cluster, preview=template("wallet:2", pre_stop=0))).run()
    one = run(cluster, back_at_rest(there(cluster), template(), "rolled back by bob"), force=True)
    one.run()
    assert len([action for action in one.story.actions if isinstance(action, Pin)]) == 3
    assert cluster.serving() == {"wallet:1": 6}


def test_pods_that_are_published_until_they_end_are_left_blue_green(cluster):
    cluster.edit("services", "wallet", publishNotReadyAddresses=True)
    run(cluster, planned(cluster)).run()
    assert back_at_rest(there(cluster), template(), "rolled back by bob").toward is Outcome.PROMOTED


def test_a_release_left_to_kubernetes_is_known_once_it_is_finished(cluster):
    found = died(cluster, after=8)
    armed = own(min_ready_seconds=320, progress_deadline_seconds=2**31 - 1, paused=True)
    memory = msgspec.structs.replace(found.memory, phase="promoting", wrote=armed)
    old = [{**one, "spec": {**one["spec"], "replicas": 0}} for one in found.replica_sets]
    with_old = Found(found.names, found.deployment, found.services, found.replica_sets, memory)
    without = Found(found.names, found.deployment, found.services, tuple(old), memory)
    assert (finished_by_itself(without), finished_by_itself(with_old)) == (True, False)


@pytest.mark.parametrize(("phase", "wrote"), [("trying", hold(0, 1, paused=True)), ("promoting", None)])
def test_a_release_that_is_held_is_not_finished(cluster, phase, wrote):
    found = died(cluster, after=8)
    memory = msgspec.structs.replace(found.memory, phase=phase, wrote=wrote)
    assert not finished_by_itself(Found(found.names, found.deployment, (), (), memory))


def test_nobody_in_flight_has_finished_by_itself(cluster):
    assert not finished_by_itself(there(cluster))


# -- who we are -----------------------------------------------------------------------------------------------


def test_a_holder_is_a_user_a_machine_and_a_process():
    name, _, rest = holder().partition("@")
    assert name == getpass.getuser()
    assert rest.rpartition("/")[2].isdecimal()


@pytest.mark.parametrize("error", [KeyError("uid 1234"), OSError("no such user")])
def test_a_user_without_a_name_is_a_number(monkeypatch, error):
    monkeypatch.setattr(getpass, "getuser", lambda: (_ for _ in ()).throw(error))
    monkeypatch.setattr("os.getuid", lambda: 1234)
    assert holder().startswith("uid-1234@")


def test_an_api_that_is_silent_at_the_first_write_is_an_error(cluster):
    plan = planned(cluster)
    cluster.answers = [silence()]
    with pytest.raises(DeployctlError, match="does not answer"):
        run(cluster, plan).run()
