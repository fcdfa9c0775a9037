"""Which hosts a gate may ask: those that are listed, and loopback; never what gives out a machine's credentials.

A spec file names addresses, and whoever may edit it could otherwise read, with the rights and from the place of
deployctl, what was never meant for him.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase

from deployctl.errors import DeployctlError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

LOOPBACK = frozenset({"localhost", "localhost.localdomain"})
METADATA = frozenset({"metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal"})
CLOUDS = frozenset(  # where clouds give out credentials besides link-local
    map(
        ipaddress.ip_address,
        ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    )
)
NAT64 = ipaddress.ip_network("64:ff9b::/96")


def allowed(host: str, names: Collection[str]) -> bool:
    """Say whether a gate may ask this host."""
    return not refusal(host, names)


def refusal(host: str, names: Collection[str]) -> str:
    """Tell why a gate may not ask this host; nothing where it may.

    `names` are hosts (`db.example`), patterns of them (`*.example`, `*`), addresses and networks (`10.0.0.0/8`).
    """
    plain = _plain(host)
    address = _literal(plain)
    if reason := _never(plain, address):
        return f"{host} {reason}; no gate may ask it"
    if plain in LOOPBACK or (address and address.is_loopback):
        return ""
    if any(_covers(name, plain, address) for name in names):
        return ""
    return f"{host} is not among the hosts that gates may ask ({', '.join(names) or 'only loopback'})"


def resolved(host: str, port: int, names: Collection[str]) -> tuple[str, ...]:
    """Give the addresses to connect to, each checked; raise DeployctlError where the host may not be asked.

    Connect to one of these, and not to the name again: the second answer of a name server may be another.
    """
    if reason := refusal(host, names):
        raise DeployctlError(reason)
    try:
        found = socket.getaddrinfo(_plain(host), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise DeployctlError(f"{host} has no address: {getattr(error, 'strerror', None) or error}") from error
    every = tuple(dict.fromkeys(str(one[4][0]) for one in found))
    for one in every:
        if reason := _never(one, _literal(one)):
            raise DeployctlError(f"{host} is {one}, which {reason}; no gate may ask it")
    return every


def _plain(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()


def _literal(host: str) -> Address | None:
    """Read an address as the resolver does, which takes 2852039166 and 0xa9.0xfe.43518, too."""
    try:
        found = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None
    return _bare(ipaddress.ip_address(str(found[0][4][0]).partition("%")[0]))


def _bare(address: Address) -> Address:
    """Take an IPv4 address out of the IPv6 one that leads to it."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _never(host: str, address: Address | None) -> str:
    if host in METADATA or address in CLOUDS:
        return "gives out a machine's credentials"
    return next(_strange(address), "") if address else ""


def _strange(address: Address) -> Iterator[str]:
    if address.is_link_local:
        yield "is link-local, where a cloud gives out a machine's credentials"
    if address.is_unspecified or address.is_multicast:
        yield "is no address of one host"


def _covers(name: str, host: str, address: Address | None) -> bool:
    if address is None or name == "*":
        return fnmatchcase(host, name.lower())
    try:
        network = ipaddress.ip_network(name)
    except ValueError:
        return name.lower() == host
    return address in network
