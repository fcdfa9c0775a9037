"""What a test holds: the running cluster, its users, and commands run inside its network."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tests.cluster.bed.layout import REPOSITORY, BedError, Layout, layout
from tests.cluster.bed.network import PATH
from tests.cluster.bed.users import USERS

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Cluster:
    """Everything that talks to pods, Services or the API server runs inside: nothing of it is reachable outside."""

    at: Layout = field(default_factory=layout)

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.kubeconfig_for("admin")

    def kubeconfig_for(self, user: str) -> Path:
        """`releaser`, `viewer` and `user1` to `user5` have no rights until a test binds them."""
        if user not in USERS:
            raise BedError(f"{user}: unknown; expected one of {', '.join(USERS)}")
        return self.at.kubeconfig(user)

    def _inside(self, command: Sequence[str | Path]) -> list[str]:
        return ["nsenter", f"--net={PATH}", "--", *map(str, command)]

    def _environment(self, user: str, env: Mapping[str, str] | None) -> dict[str, str]:
        path = f"{self.at.state / 'bin'}:{os.environ.get('PATH', '')}"
        source = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
        ours = {"KUBECONFIG": str(self.kubeconfig_for(user)), "PATH": path, "PYTHONPATH": source}
        return {**os.environ, **ours, **(env or {})}

    def run(
        self,
        command: Sequence[str | Path],
        *,
        user: str = "admin",
        env: Mapping[str, str] | None = None,
        **kw: Any,
    ) -> subprocess.CompletedProcess[str]:
        """Run to its end as `user`, `env` added to ours; text and captured output unless `kw` says otherwise."""
        options = {"text": True, "check": False, "capture_output": not kw.keys() & {"stdout", "stderr"}, **kw}
        return subprocess.run(self._inside(command), env=self._environment(user, env), **options)  # noqa: PLW1510

    def popen(
        self,
        command: Sequence[str | Path],
        *,
        user: str = "admin",
        env: Mapping[str, str] | None = None,
        **kw: Any,
    ) -> subprocess.Popen[str]:
        """Start and return: the pid is the command's own, so a signal reaches it."""
        environment = self._environment(user, env)
        return subprocess.Popen(self._inside(command), env=environment, **{"text": True, **kw})

    def kubectl(self, *args: str, user: str = "admin", input: str | None = None, check: bool = True) -> str:  # noqa: A002
        """Give what kubectl prints; with `check`, its complaint is the error."""
        done = self.run([self.at.state / "bin" / "kubectl", *args], user=user, input=input)
        if check and done.returncode:
            raise BedError(f"kubectl {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout if check else done.stdout + done.stderr

    def json(self, *args: str) -> Any:
        """`cluster.json("get", "pods", "-n", namespace)`."""
        return json.loads(self.kubectl(*args, "-o", "json"))

    def apply(self, manifest: str | Path, namespace: str) -> str:
        """Apply a file or folder (a Path) or YAML (a str)."""
        if isinstance(manifest, Path):
            return self.kubectl("apply", "-n", namespace, "-f", str(manifest))
        return self.kubectl("apply", "-n", namespace, "-f", "-", input=manifest)

    def wait(self, predicate: Callable[[], Found], timeout: float = 60.0, what: str = "") -> Found:
        """Ask every 0.1 s until the answer is true, and give it; `what` names it in the error."""
        deadline = time.monotonic() + timeout
        while not (found := predicate()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {timeout:g} s for {what or predicate}")
            time.sleep(0.1)
        return found
