"""A file of events as a picture, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

from deployctl.render.picture import main
from tests.render.told import PROMOTED


def written(folder: Path) -> Path:
    file = folder / "release.jsonl"
    file.write_text("".join(f"{json.dumps(one)}\n" for one in PROMOTED) + '{"v": 1, "half')
    return file


def test_a_file_is_drawn_in_the_terminal(tmp_path: Path, capsys):
    assert main([str(written(tmp_path))]) == 0
    assert "shift 100% of wallet to 7f9c4d6b88" in capsys.readouterr().out


def test_a_page_is_written_instead(tmp_path: Path, capsys):
    page = tmp_path / "page.html"
    assert main(["--html", str(page), str(written(tmp_path))]) == 0
    assert page.read_text().startswith("<!doctype html>")
    assert capsys.readouterr().out == ""


def test_a_file_that_is_not_there_is_said(tmp_path: Path, capsys):
    assert main([str(tmp_path / "none.jsonl")]) == 2
    assert "No such file" in capsys.readouterr().err


def test_a_file_of_something_else_is_said(tmp_path: Path, capsys):
    file = tmp_path / "other"
    file.write_text("hello\n")
    assert main([str(file)]) == 2
    assert capsys.readouterr().err.startswith("error: ")
