"""Forks the example app for each pod that its parent asks for; they all end when the parent does.

A fork shares the interpreter and the modules that are there already: a pod starts in 2 ms, not in 30.
Its orders come as lines of JSON on standard input, what becomes of the pods goes as lines to standard output.
"""

import json
import os
import selectors
import signal
import socket
import sys
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import Any

CHUNK_BYTES = 64 * 1024
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)
FIRST_FREE_FD, LAST_FD = 3, 4096


def load(path: str) -> ModuleType:
    """Import a file as the module `app`; it finds what lies beside it."""
    sys.path.insert(0, os.path.dirname(path))  # noqa: PTH120 - pathlib takes longer than all of the rest
    module = ModuleType("app")
    sys.modules["app"] = module
    SourceFileLoader("app", path).exec_module(module)
    return module


class Nursery:
    """The pods by the parent's number for them, in one thread: what a fork leaves behind is only this."""

    def __init__(self, path: str) -> None:
        self.app = load(path)
        self.libc = libc()
        self.pids: dict[int, int] = {}
        self.mouths: dict[int, int] = {}  # where a pod's output is read
        self.orders = b""
        self.poll = selectors.DefaultSelector()
        self.bell, self.rope = socket.socketpair()
        for end in (self.bell, self.rope):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.rope.fileno(), warn_on_full_buffer=False)
        self.poll.register(0, selectors.EVENT_READ, self.listen)
        self.poll.register(self.bell, selectors.EVENT_READ, self.reap)

    def serve(self) -> None:
        """Until standard input ends."""
        while True:
            for key, _ in self.poll.select():
                key.data()

    def listen(self) -> None:
        chunk = os.read(0, CHUNK_BYTES)
        if not chunk:
            self.end()
        *lines, self.orders = (self.orders + chunk).split(b"\n")
        for line in lines:
            self.obey(json.loads(line))

    def obey(self, order: dict[str, Any]) -> None:
        number = order["pod"]
        if "env" in order:
            self.bear(number, order["env"])
        elif number in self.pids:
            os.kill(self.pids[number], order["signal"])

    def bear(self, number: int, env: dict[str, str]) -> None:
        """Fork a pod whose output comes back through a pipe of its own."""
        parent = os.getpid()
        mouth, tongue = os.pipe()
        pid = os.fork()
        if not pid:
            self.live(parent, tongue, env)
        os.close(tongue)
        os.set_blocking(mouth, False)
        self.pids[number], self.mouths[number] = pid, mouth
        self.poll.register(mouth, selectors.EVENT_READ, lambda: self.hear(number))

    def live(self, parent: int, tongue: int, env: dict[str, str]) -> None:
        """Be the pod: nothing of the nursery is left but what it imported."""
        try:
            if self.libc:
                self.libc.prctl(DIE_WITH_PARENT, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            own_descriptors(tongue)
            os.environ.clear()
            os.environ.update(env)
            self.app.main()
        finally:  # a fork must never run on in its parent's code
            os._exit(confess())

    def hear(self, number: int) -> None:
        """Pass on what a pod says; it may have been buried in this very turn."""
        if number not in self.mouths:
            return
        try:
            chunk = os.read(self.mouths[number], CHUNK_BYTES)
        except BlockingIOError:
            return
        if chunk:
            tell({"pod": number, "said": chunk.decode(errors="replace")})
        else:
            self.poll.unregister(self.mouths[number])

    def reap(self) -> None:
        self.bell.recv(CHUNK_BYTES)
        for number, pid in list(self.pids.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self.bury(number, os.waitstatus_to_exitcode(status))

    def bury(self, number: int, code: int) -> None:
        """Tell a pod's last words and how it ended; a signal n is 128 + n, as container runtimes have it."""
        mouth = self.mouths[number]
        if mouth in self.poll.get_map():
            self.hear(number)
        if mouth in self.poll.get_map():
            self.poll.unregister(mouth)
        os.close(mouth)
        del self.pids[number], self.mouths[number]
        tell({"pod": number, "code": code if code >= 0 else 128 - code})

    def end(self) -> None:
        for pid in self.pids.values():
            os.kill(pid, signal.SIGKILL)
        os._exit(0)


def libc() -> Any:
    """Give the C library where it can tie a child to its parent; None elsewhere."""
    if sys.platform != "linux":
        return None
    import ctypes

    return ctypes.CDLL(None)


def own_descriptors(tongue: int) -> None:
    """Read nothing, say everything through the pipe, and hold no descriptor of anybody else."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(tongue, 1)
    os.dup2(tongue, 2)
    os.closerange(FIRST_FREE_FD, LAST_FD)


def confess() -> int:
    """Write what went wrong, if anything did; give the exit code."""
    problem = sys.exc_info()
    if problem[0] is None:
        return 0
    sys.excepthook(*problem)
    sys.stderr.flush()
    return 1


def tell(what: dict[str, Any]) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    import gc

    nursery = Nursery(sys.argv[1])
    gc.freeze()
    nursery.serve()
