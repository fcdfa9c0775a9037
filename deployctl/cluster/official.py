"""The official client's configuration, credentials and transport, without the 1 100 modules that it also imports.

`import kubernetes` runs two packages' `__init__` that import every model and every API: half a second of CPU
before a rollback's first call. The modules that we use need none of them, so they are imported beneath empty
packages of the same names, which are taken away again: whoever imports `kubernetes` later gets the whole of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from types import ModuleType
from typing import Any

PACKAGES = ("kubernetes", "kubernetes.client")


@contextmanager
def _hollow() -> Iterator[dict[str, ModuleType]]:
    """Stand empty packages in for the client's, for as long as its modules are imported."""
    made: dict[str, ModuleType] = {}
    where = None
    for name in PACKAGES:
        spec = PathFinder.find_spec(name, where)
        if spec is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        sys.modules[name] = made[name] = module_from_spec(spec)
        where = spec.submodule_search_locations
    try:
        yield made
    finally:
        for name in PACKAGES:
            del sys.modules[name]


def _import() -> tuple[Any, Any]:
    """Give the client's `client` package with what we use of it, and its `config` package."""
    if "kubernetes" in sys.modules:
        return import_module("kubernetes.client"), import_module("kubernetes.config")
    with _hollow() as made:
        from kubernetes.client import rest
        from kubernetes.client.configuration import Configuration

        client: Any = made["kubernetes.client"]
        client.Configuration, client.rest = Configuration, rest
        client.ApiClient = None  # `config` names it, for functions that we do not call
        from kubernetes import config

        return client, config


client, config = _import()
