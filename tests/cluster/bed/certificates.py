"""Makes the cluster's certificates with openssl: one authority, the server's own, the aggregator's."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.cluster.bed.layout import HERE, BedError, Layout

_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650"]


def _openssl(*args: str, cwd: Path) -> None:
    done = subprocess.run(["openssl", *args], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BedError(f"openssl {' '.join(args)}: {done.stderr.strip()}")


def _certificate(name: str, extensions: str, *signer: str, cwd: Path) -> None:
    files = ["-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}"]
    config = ["-config", str(HERE / "etc" / "openssl.cnf"), "-extensions", extensions]
    _openssl("req", "-x509", *_KEY, *files, *config, *signer, cwd=cwd)


def make(at: Layout) -> None:
    """Put them under `pki` of the state; the clients check the server's, as anywhere."""
    pki = at.state / "pki"
    pki.mkdir(parents=True)
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "sa.key", cwd=pki)
    for authority in ("ca", "aggregator-ca"):
        _certificate(authority, "authority", cwd=pki)
    _certificate("server", "server", "-CA", "ca.crt", "-CAkey", "ca.key", cwd=pki)
    signer = ("-CA", "aggregator-ca.crt", "-CAkey", "aggregator-ca.key")
    _certificate("aggregator", "client", *signer, cwd=pki)
