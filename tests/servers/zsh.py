"""Zsh: that of this machine, else Debian's, unpacked once."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.servers import packages

ZSHRC = """\
module_path=(AT/usr/lib/*-linux-gnu/zsh/*(/N) $module_path)
fpath=(AT/usr/share/zsh/functions/**/*(/N) $fpath)
PS1='ready> '
"""


def zsh() -> tuple[Path, str]:
    """Give the program, and what its start file has to begin with, so that it finds its parts."""
    found = shutil.which("zsh")
    at = Path("/") if found else packages.debian("zsh", "zsh")
    return Path(found or at / "bin/zsh"), ZSHRC.replace("AT", "" if found else str(at))
