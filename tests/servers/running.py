"""One process of a server: started unprivileged, waited for, and ended by its own pid whatever happens."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.servers import packages

NOBODY = 65534
READY_SECONDS, END_SECONDS = 90.0, 15.0
_PR_SET_PDEATHSIG = 1


class NotReady(Exception):
    """A server that did not come up, with the end of its log."""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def scratch(name: str) -> Iterator[Path]:
    """Give a folder that the servers own; it goes with everything in it."""
    made = Path(tempfile.mkdtemp(prefix=f"deployctl-{name}-", dir="/tmp"))
    own(made)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def own(path: Path) -> Path:
    """Give a path to the user that the servers run as."""
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)
    return path


def folder(at: Path) -> Path:
    """Make a folder that the servers own."""
    at.mkdir(mode=0o700)
    return own(at)


def _die_with_the_test(by: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, by)


def _as_nobody() -> dict[str, object]:
    if os.geteuid() != 0:
        return {}
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []}


def once(words: Sequence[str], at: Path, environment: Mapping[str, str] = {}, seconds: float = 120.0) -> str:
    """Run a command of a server's to its end, such as making its data folder."""
    done = subprocess.run(
        words, cwd=at, env={**packages.environment(), "HOME": str(at), **environment}, timeout=seconds,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        check=False, **_as_nobody(),
    )  # fmt: skip
    if done.returncode:
        raise NotReady(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return done.stdout


@dataclass
class Server:
    """One server. `ready` raises or gives False until it answers."""

    name: str
    words: Sequence[str]
    at: Path
    ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    ready_seconds: float = READY_SECONDS
    end_signal: int = signal.SIGTERM
    orphaned: int = signal.SIGKILL  # what it gets when the test dies without a word
    failures: tuple[type[Exception], ...] = (OSError,)
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.at / f"{self.name}.log"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> Server:
        """Start it and wait until it answers; raise NotReady with its log where it does not."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.words,
                cwd=self.at,
                env={**packages.environment(), "HOME": str(self.at), **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=partial(_die_with_the_test, self.orphaned),  # noqa: PLW1509 - it only calls prctl
                **_as_nobody(),
            )
        try:
            self._wait()
        except BaseException:
            self.kill()
            raise
        return self

    def _wait(self) -> None:
        deadline, last = time.monotonic() + self.ready_seconds, "it did not say why"
        while time.monotonic() < deadline:
            if self.process is not None and self.process.poll() is not None:
                raise NotReady(f"{self.name} ended with {self.process.returncode}:\n{self.last_words()}")
            try:
                if self.ready():
                    return
            except self.failures as error:
                last = str(error)
            time.sleep(0.05)
        raise NotReady(f"{self.name} is not ready after {self.ready_seconds:g}s: {last}\n{self.last_words()}")

    def last_words(self, lines: int = 40) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def stop(self) -> None:
        """End it in good order, or at once where it does not listen."""
        if self.process is None or self.process.poll() is not None:
            return
        self.thaw()
        self.process.send_signal(self.end_signal)
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            self.process.wait(END_SECONDS)

    def freeze(self) -> None:
        """Let it hold its connections and answer nothing more: half open."""
        os.killpg(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.killpg(self.pid, signal.SIGCONT)


@contextmanager
def running(*servers: Server) -> Iterator[None]:
    """Start servers one after the other, and end them in the opposite order."""
    try:
        for one in servers:
            one.start()
        yield
    finally:
        for one in reversed(servers):
            one.stop()


def eventually(claim: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until a claim is true."""
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, f"not true after {seconds:g}s: {claim}"
        time.sleep(0.05)
