"""A sandbox's folder: its kubeconfig, how to find it, and whether it lives."""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from deployctl.sandbox.store import stamp

CONTEXT = "deployctl-sandbox"
KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: {name}
contexts:
- name: {name}
  context: {{cluster: {name}, user: {name}, namespace: igaming}}
clusters:
- name: {name}
  cluster: {{server: "{url}"}}
users:
- name: {name}
  user: {{token: {token}}}
"""


@dataclass(frozen=True, slots=True)
class State:
    """One running sandbox; `services` says where `namespace/name:port` is found."""

    pid: int
    started: float
    port: int
    token: str
    version: str
    installed: bool = False  # whether the example platform is there
    services: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where clients find it. Go's send no token without TLS, so that it is the head of the path, too."""
        return f"http://127.0.0.1:{self.port}/{self.token}"

    @property
    def since(self) -> str:
        return stamp(self.started)


def usual_folder() -> Path:
    """Give the folder where nobody names another: $DEPLOYCTL_SANDBOX, or one of the user's state."""
    if named := os.environ.get("DEPLOYCTL_SANDBOX"):
        return Path(named).absolute()
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state, "deployctl", "sandbox")


class Home:
    """The folder. A sandbox holds its lock for as long as it lives, so a dead one is known whatever killed it."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or usual_folder()
        self.kubeconfig = self.folder / "kubeconfig"
        self.log = self.folder / "log"
        self._state, self._lock = self.folder / "state.json", self.folder / "lock"
        self._held: int | None = None

    def take(self) -> bool:
        """Make this the folder of the present process; False where another one holds it."""
        self.make()
        held = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        if not any(_locked(held, wait) for wait in (0.0, 0.02, 0.1)):  # somebody may only be looking
            os.close(held)
            return False
        self._held = held
        self._state.unlink(missing_ok=True)
        return True

    def make(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def is_held(self) -> bool:
        """Say whether a sandbox lives here."""
        try:
            held = os.open(self._lock, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(held)
        return False

    def state(self) -> State | None:
        """Read what the sandbox, or the last one that died, wrote; None where none did."""
        try:
            return State(**json.loads(self._state.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write(self, state: State) -> None:
        """Say how the sandbox is reached: the kubeconfig first, for the state says that it is up."""
        self._replace(self.kubeconfig, KUBECONFIG.format(name=CONTEXT, url=state.url, token=state.token))
        self._replace(self._state, json.dumps(asdict(state), indent=1) + "\n")

    def clear(self) -> None:
        """Take away what a sandbox that has ended said of itself."""
        for file in (self._state, self.kubeconfig):
            file.unlink(missing_ok=True)

    def _replace(self, file: Path, text: str) -> None:
        partial = file.with_name(f".{file.name}.{os.getpid()}")
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            out.write(text)
        partial.replace(file)


def _locked(file: int, wait_seconds: float) -> bool:
    time.sleep(wait_seconds)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def described(state: State, home: Home) -> dict[str, Any]:
    """Give what a program may want to know."""
    return {
        "pid": state.pid,
        "started": state.since,
        "server": f"http://127.0.0.1:{state.port}",
        "context": CONTEXT,
        "kubeconfig": str(home.kubeconfig),
        "version": state.version,
        "services": {name: f"http://{address}" for name, address in sorted(state.services.items())},
    }
