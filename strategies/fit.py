"""The smaller release that too little room is enough for: a smaller batch, or a smaller preview while it waits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from strategies.blue_green import BlueGreen
from strategies.model import Hold, Strategy
from strategies.quantities import NONE, Amount
from strategies.rolling import Rolling
from strategies.room import Need, Room
from strategies.walk import Planned


def need(taken: Iterable[Planned], size: int) -> Need:
    """Give what a walk needs: 6 pods in batches of 2 are 8 at once, and 10 while 2 old ones end and 2 new ones come."""
    stable, places, counted = size, 0, 0
    for one in taken:
        places = max(places, one.extra_pods)
        if isinstance(one.step, Hold):
            counted = max(counted, stable + one.step.preview - size)
            stable = one.step.stable
    return Need(places, max(places, counted))


def smaller(strategy: Strategy, size: int, room: Room) -> Strategy | None:
    """Give the strategy with as few pods more as there is room for, while it can choose; None where nothing is so small.

    Rolling of 6 in batches of 3 where 2 fit on nodes: batches of 2, and a surge of 2 where one was stated.
    Blue-green of 6 where 2 fit: a preview of 2 that waits. Its shift needs all 6 all the same.
    """
    fits = _places(strategy, size, room)
    return None if fits is None or fits < 1 else _of(strategy, size, fits)


def _places(strategy: Strategy, size: int, room: Room) -> int | None:
    """Give the pods more that fit at a time; where a batch makes its own room only a quota counts them."""
    if not isinstance(strategy, Rolling):
        return room.more
    return room.allowed if strategy.surge == NONE and size > 1 else room.batch


def _of(strategy: Strategy, size: int, fits: int) -> Strategy | None:
    match strategy:
        case Rolling():
            surge = strategy.surge and Amount(min(fits, strategy.surge.of(size)))
            return replace(strategy, batch=Amount(min(fits, strategy.batch.of(size))), surge=surge)
        case BlueGreen() if strategy.waiting_size(size) <= fits:
            return strategy
        case BlueGreen():
            one = replace(strategy, preview_replicas=Amount(fits))
            return one if one.waiting_size(size) <= fits else None
        case _:
            return None
