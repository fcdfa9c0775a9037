"""A command in flight beside a test, read as it tells its story, and the load that it must not lose."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster import figures
from tests.cluster.platform import App


class Running:
    """A command in flight, and its story as far as it was read."""

    def __init__(self, app: App, *args: str) -> None:
        self.app, self.process, self.story = app, app.start(*args), ""
        self._read = 0
        self._reader = threading.Thread(target=self._follow, daemon=True)
        self._reader.start()

    def _follow(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.story += line

    def told(self, text: str, timeout: float = 40.0) -> None:
        """Wait until the story goes on to tell it."""
        until = time.monotonic() + timeout
        while (found := self.story.find(text, self._read)) < 0:
            if time.monotonic() > until:
                self.dies()
                raise AssertionError(f"never told: {text!r}\n{self.story}")
            time.sleep(0.02)
        self._read = found + len(text)

    def ends(self, timeout: float = 120.0) -> int:
        code = self.process.wait(timeout)
        self._reader.join()
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe
            pipe.close()
        return code

    def goes_on(self, verb: str) -> int:
        """Let a person's word end the wait, and give the exit code."""
        left = self.app.run(verb, self.app.name)
        assert left.returncode == 0, left.stderr
        return self.ends()

    def dies(self) -> None:
        self.process.kill()
        self.ends()


@contextmanager
def under_load(
    app: App, *, keepalive: bool = False, named: str = "a service that others interfere with"
) -> Iterator[None]:
    """Hold an app under load; afterwards not one request may have failed."""
    with app.load(keepalive=keepalive) as load:
        yield
    print(f"\n{app.name}: {load.report}")
    figures.noted(named, load.report)
    assert load.report.failed == 0, [str(one) for one in load.report.failures[:20]]


def begun(app: App, *args: str, says: str, revision: str = "r2") -> Running:
    """Release a new revision up to what its story says."""
    app.env(REVISION=revision)
    running = Running(app, "release", str(app.spec), *args)
    running.told(says)
    return running


def as_before(app: App) -> bool:
    left = app.leftovers()
    assert left == [], f"something of ours is left on {left}"
    return app.settings() == app.before
