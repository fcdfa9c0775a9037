"""Makes the root folder of a small Python image from Debian's own packages, with no Docker."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster.bed.layout import BedError
from tests.cluster.bed.packages import apt

_STDLIB = "usr/lib/python3.11"
PACKAGES_FOLDER = "usr/lib/python3/dist-packages"
# What `http.server`, `asyncio`, `json`, `ctypes` and threads load. No OpenSSL: half of the size and of the start-up.
_PACKAGES = (
    "python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib",
    "libc6", "libgcc-s1", "libexpat1", "zlib1g", "libbz2-1.0", "liblzma5", "libffi8", "libuuid1",
)  # fmt: skip
# What `grpc` loads beside those.
GRPC = ("python3-grpcio", "libabsl20220623", "libc-ares2", "libre2-9", "libssl3", "libstdc++6")
# What `psycopg2` does: the client of PostgreSQL, which speaks Kerberos and LDAP.
PSYCOPG = (
    "python3-psycopg2", "libpq5", "libssl3", "libgssapi-krb5-2", "libkrb5-3", "libk5crypto3", "libkrb5support0",
    "libcom-err2", "libkeyutils1", "libldap-2.5-0", "libsasl2-2", "libgnutls30", "libp11-kit0", "libidn2-0",
    "libunistring2", "libtasn1-6", "libnettle8", "libhogweed6", "libgmp10",
)  # fmt: skip
_DROPPED = (
    "usr/share", "usr/lib/*/gconv", "usr/lib/*/perl*", "etc/ld.so.conf.d", "var", "sbin", "usr/lib/*/audit",
    *(f"{_STDLIB}/{name}" for name in ("test", "idlelib", "lib2to3", "pydoc_data", "ensurepip", "distutils")),
    *(f"{_STDLIB}/lib-dynload/{name}.*" for name in ("_ssl", "_hashlib", "_sqlite3", "readline", "_curses*")),
)  # fmt: skip
_ETC = {
    "passwd": "root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n",
    "group": "root:x:0:\nnogroup:x:65534:\n",
    "nsswitch.conf": "hosts: files dns\n",
}


def _download(packages: Sequence[str], folder: Path) -> None:
    as_root = ("-o", "APT::Sandbox::User=root", "download", *packages)
    try:
        apt(*as_root, cwd=folder)
    except BedError:  # no package lists yet, or lists older than the archive
        apt("update")
        apt(*as_root, cwd=folder)


def _drop(root: Path) -> None:
    for pattern in _DROPPED:
        for path in root.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _compile(root: Path, folder: str, *options: str) -> None:
    """Compile with the image's own Python; unchecked, so that a pod's start looks at no source file."""
    python = ["chroot", str(root), "/usr/bin/python3.11", "-S", "-m", "compileall", "-q", *options]
    subprocess.run([*python, "--invalidation-mode", "unchecked-hash", f"/{folder}"], check=True)


def compiled(root: Path, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Compile an application's files with the Python of a root: it starts a sixth sooner from `app.pyc`."""
    (root / "app").mkdir()
    for name, content in files.items():
        (root / "app" / name).write_bytes(content)
    _compile(root, "app", "-b")
    return {f"{name}c": (root / "app" / f"{name}c").read_bytes() for name in files}


def _extract(packages: Sequence[str], root: Path, downloads: Path) -> None:
    _download(packages, downloads)
    for package in sorted(downloads.glob("*.deb")):
        subprocess.run(["dpkg-deb", "--extract", str(package), str(root)], check=True)
    _drop(root)


def onto(root: Path, packages: Sequence[str], downloads: Path) -> None:
    """Add packages of Python to a root of `python_root`."""
    _extract(packages, root, downloads)
    _compile(root, PACKAGES_FOLDER)


def python_root(root: Path, downloads: Path) -> None:
    _extract(_PACKAGES, root, downloads)
    for name, content in _ETC.items():
        (root / "etc" / name).write_text(content)
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    (root / "usr/bin/python3").symlink_to("python3.11")
    _compile(root, _STDLIB)
