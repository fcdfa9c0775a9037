"""Writes container images as a `docker save` archive, which `ctr images import` reads."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Image:
    """Its names, its layers (uncompressed tars, lowest first) and the `config` of the OCI image specification."""

    tags: tuple[str, ...]
    layers: tuple[bytes, ...]
    config: Mapping[str, Any]


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))


def layer(files: Mapping[str, tuple[bytes, int]]) -> bytes:
    """Make a layer of files, each with its mode; the same files give the same bytes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, (content, mode) in files.items():
            _add(tar, name, content, mode)
    return packed.getvalue()


def _timeless(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.mtime = entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def layer_of(folder: Path, without: Collection[str] = ()) -> bytes:
    """Make a layer of all that is in a folder, `without` the files of the layers below."""
    packed = io.BytesIO()

    def wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if entry.name in without and not entry.isdir() else _timeless(entry)

    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, path.name, filter=wanted)
    return packed.getvalue()


def _config(image: Image) -> bytes:
    layers = [f"sha256:{digest(content)}" for content in image.layers]
    rootfs = {"type": "layers", "diff_ids": layers}
    described = {
        "architecture": _architecture(),
        "os": "linux",
        "config": dict(image.config),
        "rootfs": rootfs,
    }
    return json.dumps(described).encode()


def _architecture() -> str:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}
    return machine[os.uname().machine]


def write(images: Iterable[Image], path: Path) -> None:
    """Write images that share layers: each layer is in the archive once."""
    files: dict[str, bytes] = {}
    manifest = []
    for image in images:
        config = _config(image)
        layers = {f"{digest(content)}.tar": content for content in image.layers}
        files |= {f"{digest(config)}.json": config, **layers}
        manifest.append({"Config": f"{digest(config)}.json", "RepoTags": image.tags, "Layers": list(layers)})
    files["manifest.json"] = json.dumps(manifest).encode()
    path.write_bytes(layer({name: (content, 0o644) for name, content in files.items()}))
