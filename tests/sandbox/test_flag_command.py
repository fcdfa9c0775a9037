"""`flag list`, `flag snapshot` and `flag restore` of an app in a sandbox, with its flags in a file."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.practice import Practice, PracticeApp, copied
from tests.sandbox.test_flags_in_a_release import HEALTHY, flagged

FLAGS = """\
flags:
  new-wallet: {state: ENABLED, variants: {on: true, off: false}, defaultVariant: off}  # payments
  safe-mode: {state: ENABLED, variants: {on: true, off: false}, defaultVariant: on}
  tone: {state: ENABLED, variants: {a: loud, b: quiet}, defaultVariant: a}
"""


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    practice = Practice(tmp_path_factory.mktemp("sandbox"))
    yield practice
    practice.close()


@pytest.fixture
def app(sandbox: Practice, tmp_path: Path, request: pytest.FixtureRequest) -> PracticeApp:
    found = copied(sandbox, f"flag-{abs(hash(request.node.name)) % 10**6}", tmp_path)
    found.strategy(keepOld="2s")
    flagged(found, {"file": {"path": str(kept(found))}}, after={"new-wallet": True})
    return found


def kept(app: PracticeApp) -> Path:
    file = app.folder / "flags.yaml"
    if not file.exists():
        file.write_text(FLAGS)
    return file


def flag(app: PracticeApp, verb: str, *rest: str):
    return app.run("flag", verb, str(app.spec), *rest)


@pytest.fixture
def before(app: PracticeApp) -> str:
    """A snapshot, after which two flags were set."""
    file = str(app.folder / "before.json")
    done = flag(app, "snapshot", "--out", file, "--reason", "before the odds migration")
    assert (done.returncode, done.stdout) == (0, f"3 flags of balances kept in {file}\n"), done.stderr
    assert flag(app, "set", "new-wallet", "true").returncode == 0
    assert flag(app, "set", "safe-mode", "false").returncode == 0
    return file


def test_every_flag_is_listed(app):
    assert [line.split(maxsplit=1) for line in flag(app, "list").stdout.splitlines()] == [
        ["FLAG", "SET TO"],
        ["new-wallet", "false"],
        ["safe-mode", "true"],
        ["tone", "loud"],
    ]
    assert flag(app, "list", "-o", "name").stdout.split() == [
        "flag/new-wallet",
        "flag/safe-mode",
        "flag/tone",
    ]
    whole = json.loads(flag(app, "list", "-o", "json").stdout)
    assert (whole["kind"], whole["items"][0]) == (
        "FlagList",
        {"key": "new-wallet", "value": False, "share": False, "locked": ""},
    )


def test_a_snapshot_says_who_took_it_and_why_and_is_its_owners_alone(app, before):
    whole = json.loads(Path(before).read_text())
    assert (whole["kind"], whole["provider"], whole["reason"]) == (
        "FlagSnapshot",
        "file",
        "before the odds migration",
    )
    assert stat.S_IMODE(Path(before).stat().st_mode) == 0o600
    assert json.loads(flag(app, "snapshot").stdout)["flags"] != whole["flags"]


def test_what_differs_is_shown_and_nothing_is_put_back_unasked(app, before):
    text = kept(app).read_text()
    done = flag(app, "restore", before)
    assert done.stdout.splitlines() == [
        "new-wallet is true and was false; left: not asked for",
        "safe-mode is false and was true; left: not asked for",
    ]
    assert (done.returncode, kept(app).read_text()) == (0, text)
    assert "nothing was put back; name flags with --flag KEY, or all with --all" in done.stderr


def test_one_flag_is_put_back_and_the_others_are_named(app, before):
    done = flag(app, "restore", before, "--flag", "new-wallet", "--reason", "errors", "-o", "json")
    assert done.returncode == 0, done.stderr
    items = json.loads(done.stdout)["items"]
    assert [(one["key"], one["did"]) for one in items] == [("new-wallet", "restored"), ("safe-mode", "left")]
    assert "balances: flag new-wallet is true and was false" in done.stderr
    assert FLAGS.splitlines()[1] in kept(app).read_text()
    assert FLAGS.splitlines()[2] not in kept(app).read_text()


def test_all_flags_are_put_back_to_the_letter_and_again_is_nothing_to_do(app, before):
    done = flag(app, "restore", before, "--all", "-o", "name")
    assert (done.returncode, done.stdout.split()) == (0, ["flag/new-wallet", "flag/safe-mode"]), done.stderr
    assert kept(app).read_text() == FLAGS
    assert flag(app, "restore", before, "--all").stdout == "every flag is as it was\n"


def test_a_flag_that_is_gone_keeps_none_of_the_others_and_one_that_is_new_is_named(app, before):
    text = kept(app).read_text().replace("tone:", "mood:")
    kept(app).write_text(text)
    done = flag(app, "restore", before, "--all")
    assert done.returncode == 2
    assert "tone is gone and was loud; it could not be put back" in done.stdout
    assert "new-wallet is false again, at every endpoint" in done.stdout
    assert "balances: new since the snapshot, and left: mood" in done.stderr


def test_what_is_wrong_is_said_and_nothing_is_touched(app, before, tmp_path):
    text = kept(app).read_text()
    other = tmp_path / "other.json"
    other.write_text(Path(before).read_text().replace('"balances"', '"payments"'))
    for rest, told in (
        ((before, "--flag", "no-such"), "no flag no-such was kept; there are new-wallet, safe-mode, tone"),
        ((), "give either FILE, of `flag snapshot`, or --release"),
        ((before, "--release"), "give either FILE"),
        (("--release",), "no release on record of balances moved a flag"),
        ((str(other), "--all"), "the app of this snapshot is payments, and is balances here"),
        ((str(kept(app)), "--all"), "no snapshot of flags"),
    ):
        done = flag(app, "restore", *rest)
        assert (done.returncode, told in done.stderr) == (2, True), done.stderr
    assert kept(app).read_text() == text


def test_flags_go_back_to_what_the_last_release_found(app):
    app.install()
    assert app.run("release", str(app.spec), "--image", HEALTHY).returncode == 0
    shown = app.run("flag", "restore", "balances", "--release")
    assert shown.stdout == "new-wallet is true and was false; left: not asked for\n", shown.stderr
    flag(app, "set", "new-wallet", "40%")
    left = app.run("flag", "restore", "balances", "--release", "--all")
    assert left.stdout == (
        "new-wallet is on for 40% and was false; left: somebody else has set it since the release\n"
    )
    done = app.run("flag", "restore", "balances", "--release", "--flag", "new-wallet")
    assert (done.returncode, kept(app).read_text()) == (0, FLAGS), done.stderr


def test_what_a_provider_cannot_do_it_says(app):
    flagged(app, {"ofrep": {"endpoints": ["http://127.0.0.1:1"]}})
    for done in (flag(app, "list"), flag(app, "snapshot")):
        assert (done.returncode, "these endpoints only evaluate flags" in done.stderr) == (2, True)
    flagged(app, {"env": {"prefix": "HO"}})
    assert "cannot be set: environment variables are read and never written" in flag(app, "list").stdout
