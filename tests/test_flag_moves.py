"""Flags that move with a release, on a cluster in memory: in their place forward, first on the way back."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from deployctl.errors import Refused, UsageError
from deployctl.flags.moving import Mover, check
from deployctl.formats import Flagged
from deployctl.gates import Asked
from deployctl.shapes import Chosen
from deployctl.spec import Flags, Gates
from strategies.analysis import Answer
from strategies.blue_green import BlueGreen
from strategies.flags import State
from strategies.model import Finish, Outcome, Pin, Stage, Turn
from strategies.quantities import Amount
from strategies.rolling import Rolling
from tests.answering import eventually
from tests.fake import Cluster
from tests.flags.imaginary import Imaginary
from tests.objects import hash_of, template
from tests.run import NO, YES, Release, Says, gates

OLD, NEW = hash_of(template()), hash_of(template("wallet:2"))
BLUE_GREEN = BlueGreen(keep_old_seconds=30)
ROLLING = Rolling(batch=Amount(2), bake_seconds=5)
OFF, ON = (False, False), (True, False)


def asked() -> Asked:
    return Asked((), {}, lambda *_: (200, b""))


def mover(provider: Imaginary, kept: list[Flagged] | None = None, **spec: Any) -> Mover:
    made = kept if kept is not None else []
    flags = Flags(provider=Chosen("imaginary", provider), **spec)
    return Mover("wallet", flags, made.extend, by="ann@build/1", reason="release r1")


def release(
    provider: Imaginary, strategy: Any = BLUE_GREEN, gated: Gates | None = None, **spec: Any
) -> Release:
    return Release(Cluster.running(), strategy, gated or Gates(), mover=mover(provider, **spec))


def new_wallet(**more: Any) -> Imaginary:
    return Imaginary({"new-wallet": OFF}, **more)


def test_a_flag_goes_on_after_the_shift_and_before_the_gates_after():
    told: list[Any] = []
    flags = new_wallet(on=told.append)
    one = release(
        flags, gated=gates(after=Says(Answer.PASS, lambda _: told.append("gate"))), after={"new-wallet": True}
    )
    one.story.on = lambda action: told.append(action.revision) if isinstance(action, Pin) else None
    assert one.run().outcome is Outcome.PROMOTED
    assert told == [OLD, NEW, "new-wallet", "gate", ""]
    assert flags.flags["new-wallet"] == ON


def test_moves_are_made_where_a_stage_has_no_gates():
    flags = new_wallet()
    assert release(flags, before={"new-wallet": True}).run().outcome is Outcome.PROMOTED
    assert flags.writes == [("new-wallet", ON)]


def test_a_flag_that_is_so_already_is_not_written():
    flags = new_wallet()
    release(flags, before={"new-wallet": False}).run()
    assert flags.writes == []


def test_a_rolling_release_sets_a_flag_once():
    flags = new_wallet()
    release(flags, ROLLING, before={"new-wallet": True}).run()
    assert flags.writes == [("new-wallet", ON)]


def test_a_share_follows_the_batches_and_is_never_ahead_of_them():
    flags = new_wallet()
    one = release(flags, ROLLING, during={"new-wallet": "follow"})
    ahead: list[tuple[float, float]] = []

    def compare(_: str) -> None:
        served = one.cluster.serving()
        real = 100 * served.get("wallet:2", 0) / sum(served.values())
        ahead.append((float(flags.flags["new-wallet"][0]), real))

    flags.on = compare
    assert one.run().outcome is Outcome.PROMOTED
    assert [kept[0] for _, kept in flags.writes] == [25, 33, 50, 66, 75, 100]
    assert all(set_ <= real for set_, real in ahead)


def test_what_does_not_spread_is_no_pass():
    flags = new_wallet(lag=1000)
    result = release(flags, before={"new-wallet": True}).run()
    assert result.outcome is Outcome.ABORTED
    assert "http://flags-1" in result.reason


def test_a_change_is_waited_for_until_every_endpoint_has_it():
    flags = new_wallet(lag=3, spread_seconds=5)
    assert release(flags, before={"new-wallet": True}).run().outcome is Outcome.PROMOTED


def test_a_server_that_is_down_in_the_middle_is_no_pass():
    flags = new_wallet()
    one = release(flags, after={"new-wallet": True})
    one.story.on = lambda action: setattr(flags, "down", True) if isinstance(action, Pin) else None
    result = one.run()
    assert (result.outcome, one.cluster.serving()) == (Outcome.ABORTED, {"wallet:1": 6})
    assert "nobody answers" in result.reason


def test_a_flag_that_is_not_as_expected_holds_the_release():
    flags = Imaginary({"new-wallet": OFF, "old-wallet": OFF})
    result = release(flags, expect={"old-wallet": True}, after={"new-wallet": True}).run()
    assert result.reason == ("gate flags said no: flag old-wallet is false at http://flags-0, expected true")
    assert flags.writes == []


def test_what_is_expected_before_a_move_may_be_moved():
    flags = new_wallet()
    spec: Any = {"expect": {"new-wallet": False}, "after": {"new-wallet": True}}
    assert release(flags, ROLLING, gates(before=YES, after=YES), **spec).run().outcome is Outcome.PROMOTED


def test_the_intent_is_kept_before_the_write_and_the_result_after():
    kept: list[Flagged] = []
    told: list[int] = []
    flags = new_wallet(on=lambda _: told.append(len(kept)))
    one = release(flags, after={"new-wallet": True})
    one.mover = mover(flags, kept, after={"new-wallet": True})
    one.run()
    assert told == [1]
    assert [(each.before, each.ours, each.done, each.by) for each in kept] == [
        (State(value=False), (State(value=True),), False, "ann@build/1"),
        (State(value=False), (State(value=True),), True, "ann@build/1"),
    ]


def test_a_share_that_falls_back_takes_the_flag_with_it():
    flags = new_wallet()
    one = mover(flags, during={"new-wallet": "follow"})
    one.begin(asked, lambda: None, lambda: 0.0)
    one.advance(Stage.DURING, 50)
    one.watch(20)
    assert eventually(lambda: flags.flags["new-wallet"] == (20, True))
    one.close()


def test_a_flag_that_somebody_changes_in_keep_old_is_named_once_and_left():
    flags = new_wallet()
    one = release(flags, BlueGreen(keep_old_seconds=60), after={"new-wallet": True})
    one.story.on_turn = lambda step: (
        flags.put("new-wallet", OFF) if getattr(step, "key", "") == "keepOld" else None
    )
    assert one.run().outcome is Outcome.PROMOTED
    assert (
        one.story.notes.count("flag new-wallet was set to false by somebody else: it is left as it is") == 1
    )
    assert flags.flags["new-wallet"] == OFF


def test_an_expected_flag_that_somebody_changes_holds_the_release():
    flags = new_wallet()
    spec: Any = {"expect": {"new-wallet": False}, "after": {"new-wallet": True}}
    one = release(flags, BlueGreen(keep_old_seconds=60), **spec)
    one.story.on_turn = lambda step: (
        flags.put("new-wallet", OFF) if getattr(step, "key", "") == "keepOld" else None
    )
    result = one.run()
    assert result.stands
    assert result.reason.startswith("flag new-wallet is false, and this release set it to true")


def test_a_flag_that_cannot_follow_to_the_end_is_named_with_its_command():
    flags = new_wallet()
    one = release(flags, ROLLING, during={"new-wallet": "follow"})
    one.story.on = lambda action: setattr(flags, "deaf", True) if isinstance(action, Finish) else None
    result = one.run()
    assert result.outcome is Outcome.PROMOTED
    assert result.flags == (
        "flag new-wallet has not followed to 100%; deployctl flag set wallet new-wallet true",
    )


# -- the way back


def back(flags: Imaginary, **spec: Any) -> tuple[Release, list[Any], Any]:
    """Release with a gate that says no after the flag went on; give the order of what then happened."""
    told: list[Any] = []
    flags.on = lambda key: told.append((key, flags.flags[key]))
    one = release(flags, gated=gates(after=NO), after={"new-wallet": True}, **spec)
    one.story.on = lambda action: told.append(action.revision) if isinstance(action, Pin) else None
    return one, told, one.run()


def test_the_flag_is_off_everywhere_before_the_traffic_goes_back():
    _, told, result = back(new_wallet())
    assert told == [OLD, NEW, ("new-wallet", ON), ("new-wallet", OFF), OLD, ""]
    assert (result.outcome, result.flags) == (Outcome.ABORTED, ())


def test_the_traffic_waits_for_a_dead_server_no_longer_than_the_bound():
    flags = new_wallet()
    one = release(flags, gated=gates(after=NO), after={"new-wallet": True})
    at: dict[str, float] = {}

    def watch(action: Any) -> None:
        if isinstance(action, Turn):
            at["turn"], flags.down = one.cluster.now, True
        elif isinstance(action, Pin) and "turn" in at:
            at.setdefault("back", one.cluster.now)

    one.story.on = watch
    flags.on = lambda _: setattr(flags, "down", True)
    result = one.run()
    assert one.cluster.serving() == {"wallet:1": 6}
    assert at["back"] - at["turn"] <= 2.1
    assert result.flags == (
        "flag new-wallet may still be on: http://flags: nobody answers; deployctl flag set wallet new-wallet false",
    )


def test_a_server_that_hangs_is_waited_for_no_longer_either():
    flags = new_wallet()
    hangs = threading.Event()
    flags.on = lambda _: setattr(flags, "hangs", hangs)
    one = release(flags, gated=gates(after=NO), after={"new-wallet": True}, bound_seconds=0.5)
    one.gates = Gates(after=gates(after=NO).after, deadline_seconds=3)
    result = one.run()
    hangs.set()
    assert one.cluster.serving() == {"wallet:1": 6}
    assert result.flags


def test_a_server_that_comes_back_on_the_way_is_tried_again():
    flags = new_wallet()
    one = release(flags, gated=gates(after=NO), after={"new-wallet": True}, bound_seconds=3)
    one.story.on = lambda action: setattr(flags, "down", isinstance(action, Turn))
    assert one.run().flags == ()
    assert flags.flags["new-wallet"] == OFF


def test_what_somebody_else_set_meanwhile_is_left_and_told():
    flags = Imaginary({"tone": ("soft", False)})
    one = release(
        flags,
        gated=gates(after=Says(Answer.FAIL, lambda _: flags.put("tone", ("shrill", False)))),
        after={"tone": "loud"},
    )
    one.run()
    assert flags.flags["tone"] == ("shrill", False)
    assert "flag tone was set to shrill by somebody else: it is left as it is" in one.story.notes


def test_a_switch_of_on_rollback_is_thrown_whoever_set_the_flag():
    flags = Imaginary({"kill": OFF})
    one = release(flags, gated=gates(before=NO), on_rollback={"kill": True})
    one.run()
    assert flags.flags["kill"] == ON
    assert "flag kill is set to true" in one.story.notes


def test_a_share_goes_back_to_what_it_was():
    flags = Imaginary({"new-wallet": (10, True)})
    one = release(flags, ROLLING, gates(after=NO), during={"new-wallet": "follow"})
    assert one.run().outcome is Outcome.ABORTED
    assert flags.flags["new-wallet"] == (10, True)


def test_another_process_puts_back_what_the_first_has_set():
    flags = Imaginary({"new-wallet": ON})
    entry = Flagged("new-wallet", State(value=False), {"kept": [False, False]}, ours=(State(value=True),))
    one = release(flags, after={"new-wallet": True})
    one.mover.made, one.from_rest = {"new-wallet": entry}, True
    assert one.run().outcome is Outcome.PROMOTED
    assert flags.flags["new-wallet"] == OFF


def test_without_its_record_only_the_spec_is_followed_and_that_is_told():
    flags = Imaginary({"new-wallet": ON, "kill": OFF})
    one = release(flags, on_rollback={"kill": True})
    one.mover.known, one.from_rest = False, True
    one.run()
    assert flags.flags == {"new-wallet": ON, "kill": ON}
    assert "what the flags were before is not known: only those of onRollback are set" in one.story.notes


# -- before anything is touched


def test_a_locked_flag_is_found_before_the_release_begins():
    with pytest.raises(Refused, match="an approval is required"):
        check(mover(new_wallet(locked="an approval is required"), after={"new-wallet": True}).flags, asked())


def test_a_flag_of_text_cannot_follow():
    with pytest.raises(UsageError, match="only a flag that is on or off has a share"):
        check(mover(Imaginary({"tone": ("soft", False)}), during={"tone": "follow"}).flags, asked())


def test_an_unknown_flag_and_a_wrong_type_are_found_before_the_release_begins():
    with pytest.raises(UsageError, match="no flag other"):
        check(mover(new_wallet(), after={"other": True}).flags, asked())
    with pytest.raises(UsageError, match="another type"):
        check(mover(new_wallet(), after={"new-wallet": "loud"}).flags, asked())
