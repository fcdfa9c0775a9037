"""The images that the node has: `pause`, and the example platform's three, each under two tags."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.bed import archive, binary, debian
from tests.cluster.bed.layout import HERE, REPOSITORY, BedError, Layout
from tests.cluster.bed.say import say

EXAMPLE = REPOSITORY / "manifests" / "igaming"
_PYTHON = ["python3", "-B", "-S", "-u"]
Files = dict[str, bytes]


def _pause(at: Layout) -> Path:
    program, image = at.images / "pause", at.images / "pause.tar"
    if not image.exists():
        binary.require_go()
        with tempfile.TemporaryDirectory(dir=at.cache) as folder:
            (Path(folder) / "main.go").write_bytes((HERE / "pause" / "main.go").read_bytes())
            (Path(folder) / "go.mod").write_text("module pause\n")
            binary.go_build(Path(folder), program)
        files = archive.layer({"pause": (program.read_bytes(), 0o755)})
        archive.write([archive.Image(("localhost/pause:1",), (files,), {"Entrypoint": ["/pause"]})], image)
    return image


def _python(at: Layout) -> Path:
    """Make the layer below the application, once: only what is above it changes."""
    cached = at.images / "python3.11.tar"
    if not cached.exists():
        say("making the Python image from Debian packages (once)")
        with tempfile.TemporaryDirectory(dir=at.cache) as root, tempfile.TemporaryDirectory() as downloads:
            Path(root).chmod(0o755)
            debian.python_root(Path(root), Path(downloads))
            cached.with_suffix(".building").write_bytes(archive.layer_of(Path(root)))
        cached.with_suffix(".building").rename(cached)
    return cached


@contextmanager
def _root(at: Layout) -> Iterator[Path]:
    """Unpack that layer for a while."""
    with tempfile.TemporaryDirectory(dir=at.cache) as root:
        subprocess.run(["tar", "--extract", "--file", _python(at), "--directory", root], check=True)
        yield Path(root)


def _grpc(at: Layout) -> Path:
    """Make the layer that odds has above Python: an image of its own, for gRPC is half as large again."""
    return _above(at, "grpc", debian.GRPC)


def _psycopg(at: Layout) -> Path:
    """Make the layer of those that keep their books in PostgreSQL."""
    return _above(at, "psycopg", debian.PSYCOPG)


def _above(at: Layout, name: str, packages: Sequence[str]) -> Path:
    """Make a layer above Python, once."""
    cached = at.images / f"{name}.tar"
    if not cached.exists():
        say(f"making the layer {name} from Debian packages (once)")
        with _root(at) as root, tempfile.TemporaryDirectory() as downloads:
            below = {str(path.relative_to(root)) for path in root.rglob("*")}
            debian.onto(root, packages, Path(downloads))
            cached.with_suffix(".building").write_bytes(archive.layer_of(root, without=below))
        cached.with_suffix(".building").rename(cached)
    return cached


def prepare(at: Layout) -> None:
    """Make what takes long and does not change."""
    at.images.mkdir(parents=True, exist_ok=True)
    _pause(at)
    _python(at)
    _grpc(at)
    _psycopg(at)


def _ctr(at: Layout, *args: str) -> str:
    done = subprocess.run(
        ["ctr", "--address", str(at.containerd), "--namespace", "k8s.io", *args],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BedError(f"ctr {' '.join(args)}: {done.stderr.strip()}")
    return done.stdout


def answers(at: Layout) -> bool:
    """Tell whether containerd answers."""
    try:
        return bool(_ctr(at, "version"))
    except BedError:
        return False


def _image(name: str, tag: str, files: Files, below: Sequence[bytes], *more: str) -> archive.Image:
    """Make an image that runs the first of its files."""
    above = archive.layer({file: (content, 0o644) for file, content in files.items()})
    packages = [f"PYTHONPATH=/{debian.PACKAGES_FOLDER}"] if len(below) > 1 else []
    environment = ["PATH=/usr/bin", f"IMAGE={name}:{tag}", *packages]
    config = {
        "Entrypoint": [*_PYTHON, f"/{next(iter(files))}"],
        "Env": environment,
        "ExposedPorts": {"8080/tcp": {}},
    }
    return archive.Image((f"{name}:{tag}", *more), (*below, above), config)


def _loaded(at: Layout) -> dict[str, str]:
    """Give the digest of each image by name."""
    rows = [row.split() for row in _ctr(at, "images", "list").splitlines()[1:]]
    return {row[0]: row[2] for row in rows}


def load(at: Layout) -> None:
    """Import what the node lacks; the application again when its source has changed: a tag tells by its hash."""
    here = _loaded(at)
    if "localhost/pause:1" not in here:
        _ctr(at, "images", "import", str(_pause(at)))
    for name, (_, below) in _IMAGES.items():
        if (now := current(name)) not in here or here[now] != here.get(f"{name}:1"):
            _import(at, name, [layer(at).read_bytes() for layer in below], now)


def current(name: str) -> str:
    """Name an image by what its files are in this tree: `:1` and `:2` are those of whoever said `up` last."""
    return f"{name}:sha256-{archive.digest(b''.join(_files(name).values()))[:16]}"


def _files(name: str) -> Files:
    return {file: (EXAMPLE / file).read_bytes() for file in _IMAGES[name][0]}


def _import(at: Layout, name: str, below: Sequence[bytes], now: str) -> None:
    with _root(at) as root:
        files = debian.compiled(root, _files(name))
    file = at.state / "image.tar"
    archive.write([_image(name, "1", files, below, now), _image(name, "2", files, below)], file)
    _ctr(at, "images", "import", str(file))
    file.unlink()
    say(f"imported {name}:1 and :2")


_IMAGES = {
    "localhost/igaming": (("app.py", "consuming.py", "payments.py", "rounds.py"), (_python,)),
    "localhost/igaming-odds": (("odds.py", "app.py"), (_python, _grpc)),
    "localhost/igaming-ledger": (("app.py", "ledger.py", "payments.py", "rounds.py"), (_python, _psycopg)),
}
