"""One value of a Secret, read when a gate needs it and kept nowhere."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable

from deployctl.cluster.api import Api, NotFound
from deployctl.cluster.paths import path
from deployctl.errors import DeployctlError

Reader = Callable[[str, str], bytes]


def through(api: Api, namespace: str) -> Reader:
    """Give what reads one value of a Secret of the namespace: (name, key) -> its bytes."""

    def read(name: str, key: str) -> bytes:
        try:
            data = api.get(path(namespace, "secrets", name)).get("data") or {}
        except NotFound as error:
            raise DeployctlError(f"there is no Secret {name} in {namespace}") from error
        if key not in data:
            raise DeployctlError(f"the Secret {name} has no key {key}")
        try:
            return base64.b64decode(data[key], validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise DeployctlError(f"{key} of the Secret {name} is not base64") from None

    return read
