"""The processors are shared out by session where the kernel groups by it, by nice value where it does not (sched(7))."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_FIRST = -10
_AUTOGROUP = Path("/proc/self/autogroup")


def ahead() -> None:
    """Put this process, and what it starts, ahead of the pods; where that is not allowed, leave it as it is.

    On a node of its own the tests are not there, which beside the controllers on two cores make them seconds late.
    A process whose session has no group of its own, as one that init started, may not name the group's value
    (EINVAL): there its own nice value is what counts.
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _FIRST)
    with contextlib.suppress(OSError):
        _AUTOGROUP.write_text(str(_FIRST))
