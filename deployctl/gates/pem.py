"""What a Secret of type kubernetes.io/tls holds: a chain and its key, neither of which is ever shown."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from deployctl.errors import DeployctlError

FORMAT = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True, repr=False)
class Held:
    """A chain, its leaf first, and the key that should be the leaf's."""

    chain: tuple[x509.Certificate, ...]
    key: Any

    @classmethod
    def of(cls, chain: bytes, key: bytes, whose: str) -> Held:
        """Read both; raise DeployctlError, which quotes nothing of them."""
        try:
            return cls(tuple(x509.load_pem_x509_certificates(chain)), load_pem_private_key(key, None))
        except (ValueError, TypeError):
            raise DeployctlError(f"{whose} holds no certificate with its key in PEM") from None

    @property
    def begins(self) -> dt.datetime:
        return max(one.not_valid_before_utc for one in self.chain)

    @property
    def ends(self) -> dt.datetime:
        return min(one.not_valid_after_utc for one in self.chain)

    def wrong(self, names: tuple[str, ...], authority: str | None) -> str:
        """Tell what is wrong; nothing where all is well. Its end is another matter."""
        if self.key.public_key().public_bytes(*FORMAT) != self.chain[0].public_key().public_bytes(*FORMAT):
            return "the key is not the certificate's"
        lacking = set(names) - self._names()
        covered = {name for name in lacking if f"*.{name.partition('.')[2]}" in self._names()}
        if lacking - covered:
            return f"the certificate is not good for {min(lacking - covered)}"
        return self._unchained(authority) if authority else ""

    def _names(self) -> set[str]:
        try:
            found = self.chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName)
        except x509.ExtensionNotFound:
            return set()
        return set(found.value.get_values_for_type(x509.DNSName))

    def _unchained(self, authority: str) -> str:
        """Follow the signatures to a certificate that is trusted; what a client checks besides, a handshake tells."""
        try:
            trusted = x509.load_pem_x509_certificates(Path(authority).read_bytes())
        except (OSError, ValueError) as error:
            raise DeployctlError(f"{authority} holds no certificates to trust") from error
        for child, parent in pairwise(self.chain):
            if not _signed(child, parent):
                return "its chain is broken: one certificate is not signed by the next"
        last = self.chain[-1]
        ends = any(last == one or _signed(last, one) for one in trusted)
        return "" if ends else f"its chain does not end in {authority}"


def _signed(child: x509.Certificate, parent: x509.Certificate) -> bool:
    try:
        child.verify_directly_issued_by(parent)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
