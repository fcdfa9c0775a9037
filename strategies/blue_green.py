"""Blue-green: the whole preview beside the whole stable side, then one shift of the Services."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from strategies.quantities import WHOLE, Amount


@dataclass(frozen=True, slots=True)
class BlueGreen:
    """Options of `strategy.blueGreen`; durations in seconds."""

    promote: Literal["auto", "manual"] = "auto"
    promote_after_seconds: float = 0.0
    preview_replicas: Amount = WHOLE
    keep_old_seconds: float = 300.0
