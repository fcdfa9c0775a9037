"""Build the wheel, install it with the locked run-time requirements into a new environment, and run it there."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
CARRIED = (
    "deployctl/__main__.py",
    "strategies/rolling.py",
    "deployctl/manifests/igaming/app.py",
    "deployctl/manifests/igaming/consuming.py",
    "deployctl/manifests/igaming/payments.py",
    "deployctl/manifests/igaming/rounds.py",
    "deployctl/manifests/igaming/balances/deployctl.yaml",
    "deployctl/manifests/rbac/role.yaml",
    "deployctl/sandbox/objects/fields.json",
    "deployctl/sandbox/api/numbers.json",
    "deployctl/sandbox/pods/nursery.py",
    "deployctl/sandbox/load/client.py",
)


def run(*command: str | Path) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, cwd="/")
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        run(sys.executable, "-m", "hatchling", "--help")
        built = Path(scratch, "dist")
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", built], cwd=ROOT, check=True
        )
        wheel = next(built.glob("*.whl"))
        names = set(zipfile.ZipFile(wheel).namelist())
        missing = [one for one in CARRIED if one not in names]
        assert not missing, f"the wheel lacks {missing}"
        alone = Path(scratch, "alone")
        run(sys.executable, "-m", "venv", alone)
        pip = [alone / "bin" / "pip", "install", "-q", "--disable-pip-version-check"]
        run(*pip, "--require-hashes", "--no-deps", "-r", ROOT / "requirements" / "run.txt")
        run(*pip, "--no-deps", wheel)
        spec = next(alone.glob("lib/python3*/site-packages/deployctl/manifests/igaming/balances"))
        print(run(alone / "bin" / "deployctl", "--version"), end="")
        print(run(alone / "bin" / "python", "-m", "deployctl", "validate", spec), end="")
        print(run(alone / "bin" / "kubectl-deployctl", "version", "--client"), end="")
        print(run(alone / "bin" / "kubectl_complete-deployctl", "version", "--cl"), end="")
        story = ("--scenario", "bad-build", "--out", scratch + "/picture.html")
        print(run(alone / "bin" / "deployctl", "sandbox", "demo", *story).splitlines()[-1])


if __name__ == "__main__":
    main()
