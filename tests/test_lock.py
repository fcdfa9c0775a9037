"""Who holds the Lease may act; nobody else may, for as long as it is renewed."""

from __future__ import annotations

import datetime as dt

import pytest

from deployctl.cluster.api import Denied
from deployctl.errors import LockHeld, LockLost
from deployctl.lock import Lock, fresh, holder_of
from tests.answering import eventually
from tests.fake import Api, Cluster, silence
from tests.objects import Json

NAME = "deployctl-wallet"


class Clock:
    """Stands still until somebody sleeps; `then` happens during the sleep."""

    def __init__(self, then=lambda: None):
        self.now, self.then = 0.0, then

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.then()


@pytest.fixture
def cluster():
    return Cluster()


def lock(cluster: Cluster, holder="ann@build/1", clock=None, **options) -> Lock:
    clock = clock or Clock()
    return Lock(Api(cluster), "igaming", "wallet", holder, clock=clock, sleep=clock.sleep, **options)


def lease(cluster: Cluster) -> Json:
    return cluster.objects["leases", NAME]


def held_by(cluster: Cluster, holder: str, age_seconds: float = 0.0) -> None:
    """Let somebody else hold the Lease, renewed so long ago."""
    renewed = (dt.datetime.now(dt.UTC) - dt.timedelta(seconds=age_seconds)).isoformat(timespec="microseconds")
    spec = {"holderIdentity": holder, "renewTime": renewed, "acquireTime": "2026-11-23T12:00:00Z"}
    cluster.put("leases", {"metadata": {"name": NAME}, "spec": spec})


def test_the_first_taker_makes_the_lease(cluster):
    mine = lock(cluster)
    mine.take()
    mine.release()
    assert (lease(cluster)["spec"]["leaseDurationSeconds"], holder_of(lease(cluster))) == (10, "")


def test_the_holder_is_named_while_the_lock_is_held(cluster):
    mine = lock(cluster)
    mine.take()
    assert holder_of(lease(cluster)) == "ann@build/1"
    mine.release()


def test_a_lease_that_was_given_back_is_taken_at_once(cluster):
    held_by(cluster, "")
    mine = lock(cluster)
    mine.take()
    mine.release()
    assert mine.lost is None


def test_a_living_holder_is_not_waited_for_without_being_asked_to(cluster):
    held_by(cluster, "bob@desk/2")
    with pytest.raises(
        LockHeld, match="bob@desk/2 holds the lock of wallet since 2026-11-23T12:00:00Z"
    ) as told:
        lock(cluster).take()
    assert "deployctl abort wallet" in told.value.advice


def test_a_holder_that_does_not_renew_is_outlived_in_ten_seconds(cluster):
    held_by(cluster, "bob@desk/2")
    clock, told = Clock(), []
    mine = lock(cluster, clock=clock)
    mine.take(lambda holder, left: told.append((holder, left)))
    mine.release()
    assert (clock.now, told[0]) == (10.0, ("bob@desk/2", 10.0))


def test_a_holder_that_renews_is_alive_whatever_the_clocks_say(cluster):
    """Our clock is an hour ahead: by it the Lease ended long ago, but its time changes while we watch."""
    held_by(cluster, "bob@desk/2", age_seconds=3600)
    renewing = Clock(then=lambda: held_by(cluster, "bob@desk/2", age_seconds=3599))
    with pytest.raises(LockHeld):
        lock(cluster, clock=renewing).take()


def test_a_holder_that_died_long_ago_is_outlived_even_without_being_asked_to(cluster):
    held_by(cluster, "bob@desk/2", age_seconds=3600)
    mine = lock(cluster)
    mine.take()
    mine.release()
    assert mine.lost is None


def test_a_lease_that_is_given_back_while_it_is_waited_for_is_taken(cluster):
    held_by(cluster, "bob@desk/2")
    clock = Clock(then=lambda: held_by(cluster, ""))
    mine = lock(cluster, clock=clock)
    mine.take(lambda holder, left: None)
    mine.release()
    assert clock.now == 0.5


def test_force_takes_the_lease_at_once(cluster):
    held_by(cluster, "bob@desk/2")
    clock = Clock()
    mine = lock(cluster, clock=clock)
    mine.take(force=True)
    assert (clock.now, holder_of(lease(cluster))) == (0.0, "ann@build/1")
    mine.release()


def test_force_wins_against_a_holder_that_renews_in_the_same_moment(cluster):
    held_by(cluster, "bob@desk/2")
    cluster.meanwhile = [lambda one: held_by(one, "bob@desk/2")]
    mine = lock(cluster)
    mine.take(force=True)
    assert holder_of(lease(cluster)) == "ann@build/1"
    mine.release()


def test_of_two_that_take_a_free_lease_the_first_has_it(cluster):
    held_by(cluster, "")
    cluster.meanwhile = [lambda one: held_by(one, "bob@desk/2")]
    with pytest.raises(LockHeld, match="bob@desk/2"):
        lock(cluster).take()


def test_of_two_that_make_the_lease_the_first_has_it(cluster):
    cluster.meanwhile = [lambda one: held_by(one, "bob@desk/2")]
    with pytest.raises(LockHeld, match="bob@desk/2"):
        lock(cluster).take()


def test_a_lease_that_may_not_be_written_is_no_lock(cluster):
    cluster.answers = [Denied(403, "leases is forbidden")]
    with pytest.raises(Denied):
        lock(cluster).take()


def test_a_lock_that_somebody_took_is_not_given_back(cluster):
    mine = lock(cluster)
    mine.take()
    held_by(cluster, "bob@desk/2")
    mine.release()
    assert holder_of(lease(cluster)) == "bob@desk/2"


def test_a_renewal_that_comes_between_does_not_keep_the_lease(cluster):
    mine = lock(cluster)
    mine.take()
    cluster.meanwhile = [lambda one: held_by(one, "ann@build/1")]
    mine.release()
    assert holder_of(lease(cluster)) == ""


def test_an_api_that_does_not_answer_does_not_stop_the_end(cluster):
    mine = lock(cluster)
    mine.take()
    cluster.answers = [silence()]
    mine.release()
    assert holder_of(lease(cluster)) == "ann@build/1"


def test_the_lease_is_renewed(cluster):
    mine = lock(cluster, renew_seconds=0.001)
    mine.take()
    first = lease(cluster)["spec"]["renewTime"]
    assert eventually(lambda: lease(cluster)["spec"]["renewTime"] > first)
    mine.release()


def test_renewals_keep_the_time_at_which_the_lock_was_taken(cluster):
    mine = lock(cluster, renew_seconds=0.001)
    mine.take()
    first = lease(cluster)
    assert eventually(lambda: lease(cluster) != first)
    assert lease(cluster)["spec"]["acquireTime"] == first["spec"]["acquireTime"]
    mine.release()


def test_a_renewal_that_fails_is_tried_again(cluster):
    mine = lock(cluster, renew_seconds=0.001)
    mine.take()
    cluster.answers = [silence(), Denied(401, "expired"), silence()]
    first = lease(cluster)
    assert eventually(lambda: not cluster.answers and lease(cluster) != first)
    assert mine.lost is None
    mine.release()


def test_who_renews_hears_that_the_lock_was_taken(cluster):
    mine = lock(cluster, renew_seconds=0.001)
    mine.take()
    theirs = lock(cluster, "bob@desk/2")
    theirs.take(force=True)
    assert eventually(lambda: mine.lost is not None)
    assert str(mine.lost) == "bob@desk/2 took the lock"
    mine.release()
    theirs.release()


def test_a_lock_that_is_held_is_confirmed(cluster):
    mine = lock(cluster)
    mine.take()
    mine.confirm()
    mine.release()
    assert mine.lost is None


def test_a_lock_that_was_taken_is_not_confirmed(cluster):
    mine = lock(cluster)
    mine.take()
    held_by(cluster, "bob@desk/2")
    with pytest.raises(LockLost, match="bob@desk/2 took the lock"):
        mine.confirm()
    mine.release()


def test_a_lease_that_somebody_deleted_is_not_confirmed(cluster):
    mine = lock(cluster)
    mine.take()
    cluster.drop("leases", NAME)
    with pytest.raises(LockLost, match="somebody took the lock"):
        mine.confirm()
    mine.release()


@pytest.mark.parametrize(("spec", "holder"), [({}, ""), ({"holderIdentity": None}, ""), (None, "")])
def test_a_lease_without_a_holder_is_nobodys(spec, holder):
    assert holder_of({"spec": spec}) == holder


def test_a_lease_that_was_never_renewed_is_not_fresh():
    assert not fresh({"spec": {"holderIdentity": "bob"}})


def test_a_confirmation_is_trusted_for_as_long_as_was_asked_and_no_longer(cluster):
    clock = Clock()
    mine = lock(cluster, clock=clock)
    mine.take()
    mine.confirm()
    held_by(cluster, "bob@desk/2")
    clock.now = 0.2
    mine.confirm(trusted_seconds=0.25)
    clock.now = 0.25
    with pytest.raises(LockLost, match="bob@desk/2 took the lock"):
        mine.confirm(trusted_seconds=0.25)
    mine.release()
