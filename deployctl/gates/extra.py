"""The drivers that only some gates need, each brought by an extra."""

from __future__ import annotations

import importlib

from deployctl.errors import DeployctlError


def need(module: str, extra: str, called: str = "") -> None:
    """Raise DeployctlError, which says what to install, where a module is missing; `called` is how it is told."""
    try:
        importlib.import_module(module)
    except ImportError as error:
        what = f"{called or module} is not installed; install it with: pip install 'deployctl[{extra}]'"
        raise DeployctlError(what) from error
