"""Names the tests on real servers that a change calls for: `python -m tests.gates.changed`, one file a line.

A test file is called for where a module that it imports, or that one imports, has changed, or a file of those that it
says its processes run (`RUNS`); so a file that all of them share calls for all. All is also the answer where nothing says what there was before.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

MARKED = re.compile(r"^(pytestmark = |@)\[?pytest\.mark\.gates", re.MULTILINE)
ROOT = Path(__file__).resolve().parents[2]
ALL = frozenset({
    "Makefile", "pyproject.toml", "requirements/lock.txt", "tests/conftest.py", "tests/gates/changed.py",
    "deployctl/gates/stage.py", "deployctl/gates/fetch.py", "deployctl/gates/hosts.py", "deployctl/gates/deadline.py",
    "deployctl/gates/credential.py", "deployctl/gates/peers.py", "deployctl/gates/reach.py",
})  # fmt: skip


def on_servers() -> tuple[str, ...]:
    """List the test files that start real servers."""
    files = [
        one for one in sorted((ROOT / "tests/gates").glob("test_*.py")) if MARKED.search(one.read_text())
    ]
    return tuple(str(one.relative_to(ROOT)) for one in files)


def called_for(changed: Iterable[str]) -> tuple[str, ...]:
    """Choose the test files that these changed files call for."""
    changes = set(changed)
    if changes & ALL:
        return on_servers()
    return tuple(one for one in on_servers() if changes & behind(one))


@cache
def behind(test: str) -> frozenset[str]:
    """List every file of ours that a file imports, wherever in it, and what those import, and itself."""
    found, left = set(), [test]
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left += _imported(one)
    return frozenset(found)


def _imported(file: str) -> Iterator[str]:
    whole = ast.parse((ROOT / file).read_text())
    yield from _run(whole)
    for node in ast.walk(whole):
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{one.name}" for one in node.names]
        else:
            continue
        for name in names:
            yield from _files(name)


def _run(whole: ast.Module) -> Iterator[str]:
    """List what a test says that its processes run: `RUNS = ("deployctl/consumers.py",)`."""
    for node in whole.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == "RUNS"
        ):
            yield from ast.literal_eval(node.value)


def _files(name: str) -> Iterator[str]:
    """Give the file of a module, and of each package on the way to it."""
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        path = "/".join(parts[:count])
        yield from (one for one in (f"{path}.py", f"{path}/__init__.py") if (ROOT / one).is_file())


def changed(at: Path = ROOT) -> list[str] | None:
    """List what differs from the last landed state, committed or not; None where nothing says what that was."""
    base = _base(at)
    if base is None:
        return None
    new = _git(at, "ls-files", "--others", "--exclude-standard") or ""
    return [*(_git(at, "diff", "--name-only", base) or "").split("\n"), *new.split("\n")]


def _base(at: Path) -> str | None:
    """Find the landed commit: BASE in the environment, else where this branch left main.

    On main itself there is none: how many commits landed together nobody can tell.
    """
    if wanted := os.environ.get("BASE"):
        return _git(at, "rev-parse", "--verify", "--quiet", f"{wanted}^{{commit}}")
    head = _git(at, "rev-parse", "HEAD")
    for main in ("origin/main", "main"):
        fork = _git(at, "merge-base", "HEAD", main)
        if fork and fork != head:
            return fork
    return None


def _git(at: Path, *words: str) -> str | None:
    """Ask git; None where it does not know."""
    try:
        done = subprocess.run(["git", *words], cwd=at, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def main() -> None:
    differing = changed()
    if differing is None:
        print("nothing says what landed before (BASE=COMMIT does): all of them", file=sys.stderr)
    print("\n".join(on_servers() if differing is None else called_for(differing)))


if __name__ == "__main__":
    main()
