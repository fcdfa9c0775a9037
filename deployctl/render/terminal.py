"""Is there a person at a terminal? Decided here: rich would take FORCE_COLOR or CI variables for one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO


def colors(choice: str, stream: TextIO, env: Mapping[str, str] = os.environ) -> bool:
    """Say whether to colour: --color decides, then NO_COLOR, then whether it is a terminal that can."""
    if choice != "auto":
        return choice == "always"
    return not env.get("NO_COLOR") and env.get("TERM") != "dumb" and stream.isatty()


def interactive(stream: TextIO, env: Mapping[str, str] = os.environ) -> bool:
    """Say whether a view may redraw itself: never in CI, not even where it lends a terminal."""
    return stream.isatty() and env.get("TERM", "dumb") != "dumb" and not env.get("CI")
