"""A credential of a gate: where it is, never what it is, until the moment it is used.

The spec, the plan, the record and every message hold the reference only. What it refers to is read anew for each
measurement, as a `Revealed`, whose text is written nowhere and which takes itself out of the words of a driver.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, quote_plus

from msgspec import Meta

from deployctl.errors import DeployctlError
from deployctl.foreign import printable
from deployctl.gates import Asked
from deployctl.object_names import key_of, object_name
from deployctl.secrecy import HIDDEN

MOST_BYTES = 65536  # a token or a key, never a file that never ends
LOGIN = re.compile(r"(?<=://)[^/\s@]*:[^/\s]*@")

Variable = Annotated[
    str, Meta(pattern="^[A-Za-z_][A-Za-z0-9_]*$", extra={"expected": "the name of an environment variable"})
]
FilePath = Annotated[str, Meta(pattern=r"^[^\x00-\x1f]+$", extra={"expected": "the path of a file"})]
SecretName = Annotated[str, object_name("the name of a Kubernetes Secret")]
SecretField = Annotated[str, key_of("a key of the Secret")]


class Revealed:
    """What a credential refers to. Only `plain` gives it away."""

    __slots__ = ("plain",)

    def __init__(self, plain: str) -> None:
        self.plain = plain

    def __repr__(self) -> str:
        return HIDDEN

    def scrub(self, text: str) -> str:
        """Give somebody else's words without the credential, however they wrote it, and without any login of a URL."""
        for form in sorted({one for one in _forms(self.plain) if one}, key=len, reverse=True):
            text = text.replace(form, HIDDEN)
        return LOGIN.sub(f"{HIDDEN}@", printable(text))


NOTHING = Revealed("")  # where no credential is asked for


@dataclass(frozen=True)
class SecretKey:
    """One value of a Kubernetes Secret in the app's namespace.

    name: of the Secret
    key: of the value in it
    """

    name: SecretName
    key: SecretField


@dataclass(frozen=True)
class Credential:
    """Where a password or a token is; exactly one of the three. A newline at its end is not part of it.

    env: an environment variable of deployctl
    file: a file on the machine that deployctl runs on
    secret: a Kubernetes Secret in the app's namespace; needs `get` on it (docs/gates-data.md)
    """

    env: Variable | None = None
    file: FilePath | None = None
    secret: SecretKey | None = None

    def __post_init__(self) -> None:
        given = [one for one in (self.env, self.file, self.secret) if one is not None]
        if len(given) != 1:
            raise ValueError(f"{len(given)} places are given; expected exactly one of env, file, secret")

    def __str__(self) -> str:
        match self:
            case Credential(env=str(name)):
                return f"the environment variable {name}"
            case Credential(file=str(path)):
                return f"the file {path}"
            case Credential(secret=SecretKey(name, key)):
                return f"{key} of the Secret {name}"
        raise AssertionError(self)  # what __post_init__ refuses

    def reveal(self, asked: Asked) -> Revealed:
        """Read it; raise DeployctlError, which names the place, where there is nothing."""
        text = self._read(asked).removesuffix("\n").removesuffix("\r")
        if not text:
            raise DeployctlError(f"{self} is empty or not set")
        return Revealed(text)

    def _read(self, asked: Asked) -> str:
        match self:
            case Credential(env=str(name)):
                return os.environ.get(name, "")
            case Credential(file=str(path)):
                return self._text(_contents(path))
            case Credential(secret=SecretKey(name, key)):
                return self._text(asked.secret(name, key))
        raise AssertionError(self)

    def _text(self, raw: bytes) -> str:
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise DeployctlError(f"{self} is not text in UTF-8") from None  # the cause would quote it


def revealed(credential: Credential | None, asked: Asked) -> Revealed:
    """Read a credential where one is given."""
    return credential.reveal(asked) if credential else NOTHING


def _contents(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise DeployctlError(f"the file {path}: {error.strerror}") from error
    if len(raw) > MOST_BYTES:
        raise DeployctlError(f"the file {path} is longer than {MOST_BYTES} bytes, so it is no credential")
    return raw


def _forms(plain: str) -> Iterator[str]:
    """List how a message may write it: as it is, as a literal, as part of a URL."""
    yield plain
    yield from (repr(plain)[1:-1], quote(plain), quote(plain, safe=""), quote_plus(plain))
    yield printable(plain)
