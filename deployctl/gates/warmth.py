"""How warm a cache is: which share of what was asked for in a window was there.

A cold cache sends its misses to the database, all at once: a new revision that names its keys otherwise starts cold.
"""

from __future__ import annotations

from dataclasses import dataclass

from deployctl.gates.findings import Finding, judged, unknown
from deployctl.gates.peers import Positive, Share


@dataclass(frozen=True)
class Warmth:
    """The share of look-ups that must hit over the window.

    least: the share; ten points under what it is on other days
    lookups: fewer look-ups than these say nothing
    """

    least: Share = 0.8
    lookups: Positive = 100


def warmth(wanted: Warmth, hits: int, misses: int, window_seconds: float) -> Finding:
    """Judge the hits and misses of a window."""
    total = hits + misses
    text = f"{hits} of {total} look-ups hit in {window_seconds:g}s"
    if total < wanted.lookups:
        return unknown("hits", f"{text}, too few to tell, expected {wanted.lookups}")
    return judged("hits", text, fine=hits / total >= wanted.least, expected=f"at least {wanted.least:.0%}")
