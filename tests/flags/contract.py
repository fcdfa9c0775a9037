"""What every provider of feature flags owes, whatever it speaks to: one suite, run on each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from deployctl.errors import Conflict, DeployctlError, UsageError
from deployctl.flags import Context, Provider
from deployctl.flags.snapshot import Kept, kept, put_back, since_snapshot
from deployctl.gates import Asked

FLAG, OFF, TEXT = "new-wallet", "off-flag", "tone"


def no_pod(*_: Any) -> Any:
    raise AssertionError("a provider of flags asks no pod")


def asking(timeout_seconds: float = 5.0, **more: Any) -> Asked:
    return Asked((), {}, no_pod, timeout_seconds, **more)


@dataclass
class World:
    """A provider with flags: FLAG, which is false, OFF, which is not evaluated, and TEXT, which is a text where it has such.

    poke: somebody else writes FLAG
    kept: everything that is kept, to compare
    down: nobody answers any more
    """

    provider: Provider
    poke: Callable[[], Any]
    kept: Callable[[], Any]
    down: Callable[[], Any]
    asked: Asked = field(default_factory=asking)
    shares: bool = True
    texts: bool = True
    endpoints: int = 1

    def read(self, key: str = FLAG) -> list[Any]:
        return [one.value for one in self.provider.read(key, Context(), self.asked)]

    def set(self, value: Any) -> Any:
        return self.provider.set(self.provider.setting(FLAG, self.asked), value, "a test", self.asked)


class Contract:
    """Each provider's test gives `world`."""

    def test_every_endpoint_is_read(self, world: World) -> None:
        assert world.read() == [False] * world.endpoints

    def test_a_value_that_is_set_is_read_back(self, world: World) -> None:
        assert world.set(True).value is True
        assert world.provider.setting(FLAG, world.asked).value is True
        assert world.read() == [True] * world.endpoints

    def test_setting_it_twice_changes_nothing(self, world: World) -> None:
        world.set(True)
        before = world.kept()
        assert world.set(True).value is True
        assert world.kept() == before

    def test_whoever_wrote_first_is_not_written_over(self, world: World) -> None:
        seen = world.provider.setting(FLAG, world.asked)
        world.poke()
        before = world.kept()
        with pytest.raises(Conflict, match=FLAG) as raised:
            world.provider.set(seen, value=True, reason="a test", asked=world.asked)
        assert raised.value.exit_code == 6
        assert world.kept() == before

    def test_a_share_is_a_share_until_a_value_is_set(self, world: World) -> None:
        if not world.shares:
            pytest.skip("it keeps no shares")
        seen = world.provider.setting(FLAG, world.asked)
        shared = world.provider.roll_out(seen, 25, "a test", world.asked)
        assert (shared.value, shared.rollout) == (25, True)
        assert world.provider.roll_out(shared, 25, "a test", world.asked) == shared
        assert world.set(True).rollout is False

    def test_what_it_was_is_put_back_whole(self, world: World) -> None:
        before, seen = world.kept(), world.provider.setting(FLAG, world.asked)
        changed = world.set(True)
        if world.shares:
            changed = world.provider.roll_out(changed, 40, "a test", world.asked)
        back = world.provider.restore(changed, seen, "a test", world.asked)
        assert (back.value, back.rollout) == (seen.value, seen.rollout)
        assert world.kept() == before

    def test_a_snapshot_that_was_written_down_puts_it_back_whole(self, world: World) -> None:
        before = world.kept()
        flags = kept([world.provider.setting(FLAG, world.asked)])
        then = msgspec.json.decode(msgspec.json.encode(flags), type=tuple[Kept, ...])
        changed = world.set(True)
        (one,) = since_snapshot(then, [changed])
        put_back(world.provider, one, "a test", world.asked)
        assert world.kept() == before

    def test_an_unknown_flag_is_named(self, world: World) -> None:
        with pytest.raises(UsageError, match="no-such-flag"):
            world.provider.setting("no-such-flag", world.asked)
        assert set(world.read("no-such-flag")) == {None}

    def test_a_value_of_another_type_is_refused(self, world: World) -> None:
        before = world.kept()
        with pytest.raises(UsageError, match=FLAG):
            world.set("loud")
        assert world.kept() == before

    def test_what_is_not_evaluated_is_no_value_and_never_false(self, world: World) -> None:
        readings = world.provider.read(OFF, Context(), world.asked)
        assert [one.value for one in readings] == [None] * world.endpoints
        assert all(one.why for one in readings)

    def test_flags_are_listed_by_name(self, world: World) -> None:
        names = [one.key for one in world.provider.settings(world.asked)]
        assert FLAG in names
        assert names == sorted(names)

    def test_where_nobody_answers_there_is_no_value(self, world: World) -> None:
        world.down()
        readings = world.provider.read(FLAG, Context(), world.asked)
        assert [one.value for one in readings] == [None] * world.endpoints
        assert all(one.why for one in readings)
        with pytest.raises(DeployctlError):
            world.provider.setting(FLAG, world.asked)

    def test_it_says_how_long_a_write_takes_to_spread(self, world: World) -> None:
        assert world.provider.spread_seconds >= 0
