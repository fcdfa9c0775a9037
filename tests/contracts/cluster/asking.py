"""Asks probes of a backend, each in a namespace of its own."""

from __future__ import annotations

import difflib
import secrets
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from tests.contracts.cluster.probe import Backend, Probe
from tests.contracts.cluster.probes import Named
from tests.contracts.cluster.seen import told


class Place(Backend, Protocol):
    """A backend that can make namespaces."""

    def namespace(self, name: str) -> None: ...

    def close(self, name: str) -> None: ...


def ask(named: Named, place: Place) -> str:
    """Give what a probe saw; where it could not go on, what it had seen by then and why."""
    name = f"probe-{secrets.token_hex(4)}-ns"
    place.namespace(name)
    probe = Probe(place, name)
    try:
        named.ask(probe)
    except Exception as error:  # whatever stops a probe is what is to be told
        where = traceback.extract_tb(error.__traceback__)
        line = next(
            (one.line for one in reversed(where) if named.ask.__module__.replace(".", "/") in one.filename),
            "",
        )
        probe.seen.append(f"!! {type(error).__name__}: {str(error)[:500]} at {line}")
    finally:
        for stream in probe.streams:
            stream.close()
        place.close(name)
    return told(named, probe.seen)


class Asked:
    """The answers to several probes that are asked at once."""

    def __init__(self, probes: list[Named], at_once: int, answer: Callable[[Named], str]) -> None:
        self._pool = ThreadPoolExecutor(at_once)
        self._told: dict[Named, Future[str]] = {one: self._pool.submit(answer, one) for one in probes}

    def __getitem__(self, named: Named) -> str:
        return self._told[named].result()

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


def difference(real: str, other: str) -> str:
    """Show two texts line by line."""
    lines = difflib.unified_diff(real.splitlines(), other.splitlines(), "real", "here", lineterm="", n=3)
    return "\n".join(lines)
