"""The smaller release that too little room is enough for: a smaller batch, or a smaller preview while it waits."""

from __future__ import annotations

from dataclasses import replace

from strategies.blue_green import BlueGreen
from strategies.model import Strategy
from strategies.quantities import Amount
from strategies.rolling import Rolling


def smaller(strategy: Strategy, size: int, fits: int) -> Strategy | None:
    """Give the strategy with at most so many pods more while it can choose; None where it has nothing smaller.

    Rolling of 6 in batches of 3 where 2 fit: batches of 2, and a surge of 2 where one was stated.
    Blue-green of 6 where 2 fit: a preview of 2 that waits. Its shift needs all 6 all the same.
    """
    if fits < 1:
        return None
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
