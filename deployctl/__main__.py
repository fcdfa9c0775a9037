"""The entry point. `--version` is answered before anything is imported."""

from __future__ import annotations

import sys


def main() -> None:
    if sys.argv[1:] == ["--version"]:
        from deployctl._version import __version__

        print(f"deployctl {__version__}")
        return
    from deployctl.cli import run

    sys.exit(run())


if __name__ == "__main__":
    main()
