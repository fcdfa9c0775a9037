"""The file provider keeps flags in a file on the machine that deployctl runs on: flagd's, or plain `key: value`."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deployctl.errors import Conflict, DeployctlError, Forbidden
from deployctl.flags.keeping import Format, Keeping, Text
from deployctl.gates import Asked
from deployctl.gates.credential import FilePath

MOST_BYTES = 2**20


@dataclass(frozen=True)
class File(Keeping):
    """Flags in one file, YAML or JSON; it is replaced in one step, and every flag that is not set keeps each letter.

    path: of the file
    format: flagd's flag definitions, or plain `key: value`
    spread: how long those who read it may take to see a change
    """

    path: FilePath
    format: Format = "flagd"
    spread_seconds: float = 2.0

    def look(self, asked: Asked) -> Text:
        del asked
        try:
            with Path(self.path).open("rb") as file:
                raw = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise DeployctlError(
                f"{self.path}: {error.strerror}", advice="mend provider.file.path"
            ) from error
        if len(raw) > MOST_BYTES:
            raise DeployctlError(f"{self.path} is longer than {MOST_BYTES} bytes")
        return Text(self.path, self._decoded(raw), locked=self._locked())

    def _decoded(self, raw: bytes) -> str:
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise DeployctlError(f"{self.path} is not text in UTF-8") from error

    def _locked(self) -> str:
        there = Path(self.path).resolve().parent
        return "" if os.access(there, os.W_OK) else f"the folder {there} may not be written"

    def put(self, over: Text, text: str, asked: Asked) -> None:
        """Replace the file in one step, with its mode; one deployctl at a time."""
        at = Path(self.path).resolve()
        try:
            with self._alone(at.parent):
                if self.look(asked).text != over.text:
                    raise Conflict(f"{self.path} was changed meanwhile", advice="look again")
                self._swap(at, text)
        except PermissionError as error:
            raise Forbidden(f"{self.path}: {error.strerror}") from error
        except OSError as error:
            raise DeployctlError(f"{self.path}: {error.strerror}") from error

    def _swap(self, at: Path, text: str) -> None:
        handle, name = tempfile.mkstemp(prefix=f".{at.name}.", dir=at.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(at.stat().st_mode & 0o7777)
            Path(name).replace(at)
        finally:
            Path(name).unlink(missing_ok=True)

    @contextmanager
    def _alone(self, folder: Path) -> Iterator[None]:
        """Hold the folder: what is renamed over would leave a lock on the file behind."""
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
