"""Brings the programs that tests start: Debian's packages, unpacked, and what Maven, npm, pip and Go fetch."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import venv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

DEBIAN = (
    "postgresql", "pgbouncer", "mariadb-server", "galera-4", "redis-server", "memcached", "rabbitmq-server",
    "lsof", "rsync", "iproute2", "socat",
)  # fmt: skip
KAFKA = "3.9.1"
LIBRARIES = ("usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu")
POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>test</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"""


class NotToBeHad(Exception):
    """A program that this machine cannot get."""


def folder() -> Path:
    """Name where everything is kept; a place that the unprivileged servers can read."""
    home = Path("/var/cache") if os.geteuid() == 0 else Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    return Path(os.environ.get("SERVERS_CACHE") or home / "deployctl-servers").expanduser()


@cache
def root() -> Path:
    """Give the folder that Debian's packages are unpacked in."""
    at = folder() / "debian"
    with _alone("debian", at) as missing:
        if missing:
            _unpack(at)
    return at


@cache
def debian(name: str, *wanted: str) -> Path:
    """Give the folder that some packages, and what they need, are unpacked in."""
    at = folder() / name
    with _alone(name, at) as missing:
        if missing:
            _extracted(at, wanted).rename(at)
    return at


def to_be_had(name: str) -> bool:
    """Say whether a program is on this machine, or Debian's packages are."""
    return any(map(shutil.which, (name, "apt-get")))


def command(folder: Path, name: str) -> Path:
    """Give a program of this machine, else make one in a folder that starts Debian's, of the package of that name."""
    if found := shutil.which(name):
        return Path(found)
    at = debian(name, name)
    libraries = ":".join(str(at / one) for one in LIBRARIES)
    program = folder / name
    program.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH={libraries} exec {at}/usr/bin/{name} "$@"\n')
    program.chmod(0o755)
    return program


@cache
def jars() -> Path:
    """Give the folder of Kafka's jars."""
    at = folder() / f"kafka-{KAFKA}"
    with _alone("kafka", at) as missing:
        if missing:
            _resolve(at)
    return at


@cache
def npm(name: str, version: str) -> Path:
    """Give the folder that a package of npm is installed in; none of its scripts is run."""
    at = folder() / f"{name}-{version}"
    with _alone(name, at) as missing:
        if missing:
            half = _emptied(at.with_suffix(".half"))
            _run("npm", "install", "--prefix", str(half), "--ignore-scripts", "--no-audit", "--no-fund", "--silent", f"{name}@{version}")  # fmt: skip
            half.rename(at)
    return at


@cache
def go(package: str, version: str) -> Path:
    """Give the program of a package of Go, built once; Go checks every module against its public database."""
    at = folder() / f"{package.rpartition('/')[2]}-{version}"
    with _alone(at.name, at) as missing:
        if missing:
            half = _emptied(at.with_suffix(".half"))
            _run("go", "install", f"{package}@{version}", GOBIN=str(half), GOFLAGS="-mod=mod")
            half.rename(at)
    return at / package.rpartition("/")[2]


@cache
def python(requirement: str) -> Path:
    """Give an environment of Python that has one package of PyPI and what that needs."""
    name = re.sub(r"[^a-z0-9.]+", "-", requirement)
    at = folder() / name
    with _alone(name, at) as missing:
        if missing:
            shutil.rmtree(at, ignore_errors=True)
            try:
                venv.create(at, with_pip=True)
                _run(str(at / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", requirement)
            except BaseException:
                shutil.rmtree(at, ignore_errors=True)
                raise
    return at


def _emptied(at: Path) -> Path:
    shutil.rmtree(at, ignore_errors=True)
    at.mkdir()
    return at


def program(name: str) -> str:
    """Find a program: among what was unpacked, else on the machine, which may have it installed."""
    places = (*(root() / one for one in ("usr/sbin", "usr/bin")), Path("/usr/sbin"), Path("/usr/bin"))
    places += tuple(
        sorted((*root().glob("usr/lib/postgresql/*/bin"), *Path("/").glob("usr/lib/postgresql/*/bin")))
    )
    found = next((one / name for one in places if (one / name).is_file()), None)
    if found is None:
        raise NotToBeHad(f"{name} is in none of the packages {' '.join(DEBIAN)}")
    return str(found)


def environment() -> dict[str, str]:
    """Give what the unpacked programs need to find each other and their libraries."""
    libraries = ":".join(str(root() / one) for one in LIBRARIES)
    paths = ":".join((f"{root()}/usr/sbin", f"{root()}/usr/bin", "/usr/sbin:/usr/bin:/sbin:/bin"))
    return {"PATH": paths, "LD_LIBRARY_PATH": libraries, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}


@contextmanager
def _alone(name: str, at: Path) -> Iterator[bool]:
    """Let one process of several bring a folder, and say whether it is still missing."""
    folder().mkdir(parents=True, exist_ok=True)
    with (folder() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not at.is_dir()


def _unpack(at: Path) -> None:
    half = _extracted(at, DEBIAN)
    _tell_erlang(half, at)
    half.rename(at)


def _extracted(at: Path, wanted: Iterable[str]) -> Path:
    """Unpack beside, for the caller to move into place at the end: what is there is whole."""
    downloads, half = at.with_suffix(".debs"), at.with_suffix(".half")
    for one in (downloads, half):
        shutil.rmtree(one, ignore_errors=True)
    (downloads / "partial").mkdir(parents=True)
    half.mkdir()
    _download(downloads, wanted)
    for one in sorted(downloads.glob("*.deb")):
        _run("dpkg-deb", "--extract", str(one), str(half))
    shutil.rmtree(downloads)
    return half


def _tell_erlang(half: Path, at: Path) -> None:
    """Write into Erlang's launcher where it will be; it has its usual place written in, and takes no other word."""
    launcher = half / "usr/lib/erlang/bin/erl"
    launcher.write_text(
        launcher.read_text().replace("ROOTDIR=/usr/lib/erlang", f"ROOTDIR={at}/usr/lib/erlang")
    )


def _download(into: Path, wanted: Iterable[str]) -> None:
    """Download what the machine lacks; nothing is installed."""
    options = (
        "-qq",
        "-o",
        f"Dir::Cache::archives={into}",
        "-o",
        "APT::Sandbox::User=root",
        "-o",
        "Debug::NoLocking=1",
    )
    words = ("apt-get", "install", "--download-only", "--yes", "--no-install-recommends", *options, *wanted)
    try:
        _run(*words)
    except NotToBeHad:  # no package lists yet, or lists older than the archive
        _run("apt-get", "-qq", "update")
        _run(*words)


def _resolve(at: Path) -> None:
    half = at.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    (half / "pom.xml").write_text(POM)
    _run("mvn", "-q", "-B", "-f", str(half / "pom.xml"), "dependency:copy-dependencies", f"-DoutputDirectory={half}/libs", "-DincludeScope=runtime")  # fmt: skip
    half.rename(at)


def _run(*words: str, **env: str) -> None:
    if not shutil.which(words[0]):
        raise NotToBeHad(f"{words[0]} is not on this machine")
    done = subprocess.run(words, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotToBeHad(f"{' '.join(words)}: {(done.stderr or done.stdout).strip()[-2000:]}")
