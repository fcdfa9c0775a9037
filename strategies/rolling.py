"""Rolling: batch by batch, each brought up dark, gated, and only then let in."""

from __future__ import annotations

from dataclasses import dataclass

from strategies.quantities import Amount


@dataclass(frozen=True, slots=True)
class Rolling:
    """Options of `strategy.rolling`; durations in seconds. No `surge` means as many as the batch."""

    batch: Amount = Amount(25, percent=True)
    surge: Amount | None = None
    bake_seconds: float = 30.0
