"""Writes go.mod for main.go: k8s.io/kubernetes leaves its own modules at v0.0.0, so each needs a replace line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path


def own_modules(version: str) -> list[str]:
    """Name the modules that live inside the Kubernetes repository, such as k8s.io/api."""
    found = json.loads(
        subprocess.check_output(["go", "mod", "download", "-json", f"k8s.io/kubernetes@v{version}"])
    )
    text = Path(found["GoMod"]).read_text()
    return sorted(set(re.findall(r"^\s*(k8s\.io/\S+) v0\.0\.0$", text, re.MULTILINE)))


def gomod(version: str, modules: list[str]) -> str:
    """Every version in it follows from Kubernetes' own go.mod: `go mod tidy` has nothing left to choose."""
    theirs = "v0." + version.split(".", 1)[1]
    replaces = [f"\t{module} => {module} {theirs}" for module in modules]
    head = ["module cluster", "", "go 1.25.0", "", f"require k8s.io/kubernetes v{version}", "", "replace ("]
    return "\n".join([*head, *replaces, ")", ""])


if __name__ == "__main__":
    Path("go.mod").write_text(gomod(sys.argv[1], own_modules(sys.argv[1])))
