"""The names of Kubernetes objects, and of the keys in them, as a spec file has them."""

from __future__ import annotations

from msgspec import Meta


def object_name(expected: str, most: int = 253) -> Meta:
    """Take what may be the name of an object: a DNS-1123 subdomain; `expected` says of what."""
    return Meta(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=most, extra={"expected": expected})


def key_of(expected: str) -> Meta:
    """Take what may be a key of a ConfigMap's or a Secret's data."""
    return Meta(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253, extra={"expected": expected})
