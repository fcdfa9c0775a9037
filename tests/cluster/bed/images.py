"""The images that the node has: `pause`, and the example application under two tags."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from tests.cluster.bed import archive, binary, debian
from tests.cluster.bed.layout import HERE, REPOSITORY, BedError, Layout
from tests.cluster.bed.say import say

APP = REPOSITORY / "manifests" / "igaming" / "app.py"
_PYTHON = ["python3", "-B", "-S", "-u", "/app.py"]


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


def _python(at: Layout) -> bytes:
    """Make the layer below the application, once: only what is above it changes."""
    cached = at.images / "python3.11.tar"
    if not cached.exists():
        say("making the Python image from Debian packages (once)")
        with tempfile.TemporaryDirectory(dir=at.cache) as root, tempfile.TemporaryDirectory() as downloads:
            Path(root).chmod(0o755)
            debian.python_root(Path(root), Path(downloads))
            cached.with_suffix(".building").write_bytes(archive.layer_of(Path(root)))
        cached.with_suffix(".building").rename(cached)
    return cached.read_bytes()


def prepare(at: Layout) -> None:
    """Make what takes long and does not change."""
    at.images.mkdir(parents=True, exist_ok=True)
    _pause(at)
    _python(at)


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


def _igaming(tag: str, app: bytes, python: bytes, *more: str) -> archive.Image:
    above = archive.layer({"app.py": (app, 0o644)})
    environment = ["PATH=/usr/bin", f"IMAGE=localhost/igaming:{tag}"]
    config = {"Entrypoint": _PYTHON, "Env": environment, "ExposedPorts": {"8080/tcp": {}}}
    return archive.Image((f"localhost/igaming:{tag}", *more), (python, above), config)


def _loaded(at: Layout) -> dict[str, str]:
    """Give the digest of each image by name."""
    rows = [row.split() for row in _ctr(at, "images", "list").splitlines()[1:]]
    return {row[0]: row[2] for row in rows}


def load(at: Layout) -> None:
    """Import what the node lacks; the application again when its source has changed: a tag tells by its hash."""
    here = _loaded(at)
    if "localhost/pause:1" not in here:
        _ctr(at, "images", "import", str(_pause(at)))
    if not APP.exists():
        return say(f"no {APP.relative_to(REPOSITORY)} yet: the node has no localhost/igaming")
    app = APP.read_bytes()
    current = f"localhost/igaming:sha256-{archive.digest(app)[:16]}"
    if current not in here or here[current] != here.get("localhost/igaming:1"):
        _import_igaming(at, app, current)
    return None


def _import_igaming(at: Layout, app: bytes, current: str) -> None:
    python, file = _python(at), at.state / "igaming.tar"
    archive.write([_igaming("1", app, python, current), _igaming("2", app, python)], file)
    _ctr(at, "images", "import", str(file))
    file.unlink()
    say(f"imported {APP.name} as localhost/igaming:1 and :2")
