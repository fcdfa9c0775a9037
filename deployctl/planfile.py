"""The file that a plan is kept in: written by `plan --out`, read by `release --plan`.

`digest` names the promise, `seal` covers the whole file, its times too: a file that was cut off or edited is
told. Neither is a signature. Whoever may write the file may seal it anew; keep it where only the pipeline writes.
"""

from __future__ import annotations

import datetime as dt
import sys
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from deployctl._version import __version__
from deployctl.errors import UsageError
from deployctl.foreign import printable
from deployctl.promise import Promise, sha256, short
from deployctl.published import Plan, Shown
from strategies.quantities import duration

API_VERSION = "deployctl.dev/v1alpha1"
KIND = "PlanFile"
AGAIN = "plan again: deployctl plan FILE --out PLAN.json"


class PlanFile(Shown, frozen=True, kw_only=True):
    """A plan that `deployctl release --plan` carries out. Times are UTC, by the API server's clock.

    `digest` is the promise's and a function of its inputs; `plan` is the document of `deployctl plan -o json`.
    `generation` is the Deployment's, for people: an annotation moves it, and that moves no plan.
    """

    api_version: str = API_VERSION
    kind: str = KIND
    digest: str
    created: str
    expires: str
    written_by: str = __version__
    generation: int = 0
    promise: Promise
    plan: Plan
    seal: str = ""


def made(
    promise: Promise, plan: Plan, now: dt.datetime, lives_seconds: float, generation: int = 0
) -> PlanFile:
    """Make the file of a promise, sealed."""
    expires = now + dt.timedelta(seconds=lives_seconds)
    one = PlanFile(
        digest=promise.digest,
        created=_written(now),
        expires=_written(expires),
        generation=generation,
        promise=promise,
        plan=plan,
    )
    return msgspec.structs.replace(one, seal=seal_of(msgspec.to_builtins(one)))


def seal_of(whole: dict[str, Any]) -> str:
    """Digest a whole file, less its seal."""
    return sha256({key: value for key, value in whole.items() if key != "seal"})


def write(one: PlanFile, name: str) -> None:
    """Write the file for its owner alone, whole or not at all."""
    keep(msgspec.json.format(msgspec.json.encode(one), indent=2) + b"\n", name)


def keep(text: bytes, name: str) -> None:
    """Write a text to the file that --out names, for its owner alone, whole or not at all."""
    try:
        target = Path(name).resolve()
        if target.exists() and not target.is_file():  # a pipe, say
            target.write_bytes(text)
        else:
            _replace(target, text)
    except OSError as error:
        raise UsageError(
            f"--out {name}: {error.strerror}", advice="name a file that can be written"
        ) from error


def _replace(target: Path, text: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
        fresh = Path(file.name)
        try:
            file.write(text)
            file.flush()
            fresh.replace(target)
        finally:
            fresh.unlink(missing_ok=True)


def read(name: str, stdin: BinaryIO | None = None) -> PlanFile:
    """Read a plan file, or with `-` the standard input; raise UsageError where it is none that may be believed."""
    whole = _whole(name, _raw(name, stdin))
    _of_this_version(name, whole)
    _unbroken(name, whole)
    try:
        one = msgspec.convert(whole, PlanFile)
        times = (_moment(one.created), _moment(one.expires))
    except (msgspec.ValidationError, ValueError) as error:
        raise _broken(name, printable(str(error))) from error
    if one.digest != one.promise.digest or times[0] >= times[1]:
        raise _broken(name, "its parts do not belong together")
    return one


def in_time(one: PlanFile, now: dt.datetime) -> None:
    """Raise where a plan has expired, by the API server's clock."""
    late = (now - _moment(one.expires)).total_seconds()
    if late >= 0:
        raise UsageError(
            f"this plan of {one.promise.app} ({short(one.digest)}) expired at {one.expires}, {duration(round(late))} ago",
            advice=f"{AGAIN}; `deployctl resume {one.promise.app}` goes on with a release that it has begun",
        )


def _written(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _moment(text: str) -> dt.datetime:
    """Read a time; one without a zone is none."""
    at = dt.datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return at


def _raw(name: str, stdin: BinaryIO | None) -> bytes:
    try:
        return (stdin or sys.stdin.buffer).read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"--plan {name}: {error.strerror}", advice=AGAIN) from error


def _whole(name: str, raw: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _broken(name, printable(str(error))) from error
    if not isinstance(found, dict):
        raise _broken(name, "it is no object")
    return found


def _of_this_version(name: str, whole: dict[str, Any]) -> None:
    found, kind = (printable(str(whole.get(key, "nothing"))) for key in ("apiVersion", "kind"))
    if (found, kind) == (API_VERSION, KIND):
        return
    advice = AGAIN
    if kind == "Plan":
        advice = f"`plan -o json` is for reading, and holds no template; {AGAIN}"
    raise UsageError(
        f"--plan {name}: its kind is {kind} of {found}; this deployctl reads {KIND} of {API_VERSION}",
        advice=advice,
    )


def _unbroken(name: str, whole: dict[str, Any]) -> None:
    sealed, found = printable(str(whole.get("seal", ""))), seal_of(whole)
    if sealed != found:
        raise UsageError(
            f"--plan {name}: it was changed after it was written: its seal is {short(sealed) or 'missing'},"
            f" its content has {short(found)}",
            advice=AGAIN,
        )


def _broken(name: str, why: str) -> UsageError:
    return UsageError(f"--plan {name}: no plan file: {why}", advice=AGAIN)
