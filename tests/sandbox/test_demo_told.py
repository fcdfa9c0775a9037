"""A story told to its end: a real sandbox, real pods, real requests, the real command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

COMMAND = [sys.executable, "-m", "deployctl", "sandbox", "demo", "--scenario", "bad-build"]


def start(folder: Path, *more: str) -> subprocess.Popen[str]:
    scratch = folder / "scratch"
    scratch.mkdir()
    return subprocess.Popen(
        [*COMMAND, *more],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def left(folder: Path) -> list[Path]:
    return list((folder / "scratch").iterdir())


def test_a_broken_build_is_refused_and_no_request_fails(tmp_path: Path):
    with start(tmp_path, "-o", "json") as demo:
        out, told = demo.communicate(timeout=90)
    document = json.loads(out)
    assert (demo.returncode, document["wrong"], document["failed"]) == (0, [], 0), told
    assert document["requests"] > 100
    assert [one["exit"] for one in document["steps"]] == [3]
    assert "gate smoke said no" in told
    assert "gate smoke said no" in (tmp_path / "deployctl-demo.html").read_text()
    assert left(tmp_path) == []


def test_an_interrupted_story_takes_everything_down(tmp_path: Path):
    with start(tmp_path) as demo:
        for line in demo.stdout:
            if "pause the Deployment" in line:
                break
        demo.send_signal(signal.SIGINT)
        rest = demo.stdout.read()
        assert demo.wait(timeout=30) == 130
    assert "interrupted; the sandbox, its pods and the load are gone" in rest
    assert left(tmp_path) == []
