"""`python -m tests.cluster.bed up|down|status|restart PART|metrics on|kubectl ARGS|run COMMAND`: the test bed's one command."""

from __future__ import annotations

import sys

from tests.cluster.bed import lifecycle, metrics, packages
from tests.cluster.bed.cluster import Cluster
from tests.cluster.bed.layout import BedError, layout

_USAGE = (
    "usage: python -m tests.cluster.bed up|down|status|restart PART [SECONDS]|metrics on|metrics off"
    "|kubectl ARGS...|run COMMAND..."
)


def _inside(*command: str) -> int:
    packages.require_root()
    return Cluster().run(command, stdout=None, stderr=None, check=False).returncode


def main(words: list[str]) -> int:
    packages.widen_path()
    match words:
        case ["up"]:
            lifecycle.up(layout())
        case ["down"]:
            lifecycle.down(layout())
        case ["status"]:
            lifecycle.status(layout())
        case ["restart", part, *seconds]:
            lifecycle.restart(layout(), part, float(*seconds))
        case ["metrics", "on"]:
            metrics.start(layout())
        case ["metrics", "off"]:
            metrics.stop(layout())
        case ["kubectl", *args]:
            return _inside("kubectl", *args)
        case ["run", program, *args]:
            return _inside(program, *args)
        case _:
            raise BedError(_USAGE)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BedError as error:
        sys.exit(f"bed: {error}")
