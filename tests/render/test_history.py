"""What `history` says: one line a release, or everything about one."""

from __future__ import annotations

import msgspec
import pytest

from deployctl.published import FlagMoved, Histories, History, Released, Target, Word
from deployctl.render.history import listing, text, whole

NOW = "2026-11-23T13:00:00Z"
SMOKE = "gate smoke said no: wallet-b4b488b44-2gfgc/healthz: 500, expected 200"


def release(name: str, **more: object) -> Released:
    one = Released(
        app="wallet",
        namespace="igaming",
        id=name,
        outcome="promoted",
        started="2026-11-23T12:00:00Z",
        ended="2026-11-23T12:05:30Z",
        duration_seconds=330.0,
        by="ann@laptop/7722",
        strategy="blueGreen",
        revision="66b86c86cd",
        before="6668b48bc4",
        images={"app": "localhost/wallet:2"},
        digests={"app": ("sha256:1f2e",)},
        reason="",
        words=(Word("release", "ann@laptop/7722", "2026-11-23T12:00:00Z", "JIRA-12"),),
        gates=("before smoke passed: /healthz: 200 from 5 of 5 pods",),
    )
    return msgspec.structs.replace(one, **more)


PROMOTED = release("afc4b887f473", live=True)
REFUSED = release(
    "0b1c22d3e4f5", outcome="aborted", revision="b4b488b44", duration_seconds=4.0, reason=SMOKE, words=()
)
FIRST = release(
    "9d8e7f6a5b4c", outcome="endedByHand", ended="", duration_seconds=None, way_back=True, words=()
)
LIVE = Target(4, "66b86c86cd", {"app": "localhost/wallet:2"})
BACK = Target(1, "6668b48bc4", {"app": "localhost/wallet:1"})


def of(*releases: Released, live: Target | None = LIVE, back: Target | None = BACK) -> History:
    return History("wallet", "igaming", releases, NOW, live, back)


def test_one_line_a_release_with_what_is_live_and_where_a_rollback_goes() -> None:
    assert (
        text(of(REFUSED, PROMOTED, FIRST))
        == f"""\
RELEASE        AGE   OUTCOME         TOOK    BY           STRATEGY    REVISION     IMAGES               NOW        WHY
0b1c22d3e4f5   60m   aborted         4s      ann@laptop   blueGreen   b4b488b44    localhost/wallet:2   -          {SMOKE}
afc4b887f473   60m   promoted        5m30s   ann@laptop   blueGreen   66b86c86cd   localhost/wallet:2   live       "JIRA-12"
9d8e7f6a5b4c   60m   ended by hand   -       ann@laptop   blueGreen   66b86c86cd   localhost/wallet:2   way back

live is revision 4 (66b86c86cd), localhost/wallet:2
`deployctl rollback wallet` goes to revision 1 (6668b48bc4), localhost/wallet:1"""
    )


def test_a_narrow_terminal_has_less_columns_and_shorter_reasons() -> None:
    assert text(of(REFUSED, PROMOTED), 80).partition("\n\n")[0] == (
        "RELEASE        AGE   OUTCOME    BY           REVISION     NOW    WHY\n"
        "0b1c22d3e4f5   60m   aborted    ann@laptop   b4b488b44    -      gate smoke sai…\n"
        'afc4b887f473   60m   promoted   ann@laptop   66b86c86cd   live   "JIRA-12"'
    )


@pytest.mark.parametrize("width", [10, 20, 40, 60, 80, 100, 120, 200])
def test_no_line_of_the_table_is_wider_than_the_terminal(width: int) -> None:
    table = text(of(REFUSED, PROMOTED, FIRST), width).partition("\n\n")[0]
    assert [line for line in table.splitlines() if len(line) > width] == []
    assert "0b1c22d3e"[: width - 1] in table


def test_a_wide_terminal_has_it_all() -> None:
    assert text(of(REFUSED, PROMOTED), 250) == text(of(REFUSED, PROMOTED))


def test_everything_about_one_release() -> None:
    moved = msgspec.structs.replace(PROMOTED, digests={"app": ("sha256:1f2e", "sha256:3d4c")})
    assert (
        whole(of(moved))
        == """\
release afc4b887f473 of wallet in igaming: promoted
  began 2026-11-23T12:00:00Z, 60m ago, by ann@laptop/7722
  ended 2026-11-23T12:05:30Z, after 5m30s
  strategy blueGreen
  revision 66b86c86cd (live), in place of 6668b48bc4
  app is localhost/wallet:2, which was sha256:1f2e and sha256:3d4c: the tag moved

said
  release by ann@laptop/7722 at 2026-11-23T12:00:00Z: "JIRA-12"

gates
  before smoke passed: /healthz: 200 from 5 of 5 pods

live is revision 4 (66b86c86cd), localhost/wallet:2
`deployctl rollback wallet` goes to revision 1 (6668b48bc4), localhost/wallet:1"""
    )


FLAG = FlagMoved("new-wallet", "false", "true", "2026-11-23T12:03:00Z", "ann@laptop/7722", done=True)


def test_the_flags_that_a_release_moved_are_told_with_who_and_when() -> None:
    one = msgspec.structs.replace(PROMOTED, flags=(FLAG,))
    told = "flags\n  new-wallet is set to true, and was false (at 2026-11-23T12:03:00Z, by ann@laptop/7722)\n"
    assert told in whole(of(one))


def test_why_it_ended_so_is_said_and_why_it_stands() -> None:
    stands = msgspec.structs.replace(REFUSED, outcome="running", ended="", reason="paused by bob: lunch")
    assert f"  it ended so because: {SMOKE}" in whole(of(REFUSED))
    assert "  it stands: paused by bob: lunch" in whole(of(stands))


def test_nothing_of_the_record_can_steer_the_terminal() -> None:
    evil = {"reason": "a\x1b[2Jb\nc", "by": "\x1b]0;x\x07eve", "gates": ("\x1b[31mred",)}
    one = of(msgspec.structs.replace(PROMOTED, **evil, images={"app": "wallet\u202e:2"}))
    for said in (text(one), text(one, 60), whole(one)):
        assert [letter for letter in said if not letter.isprintable() and letter != "\n"] == []
    assert len(text(one).splitlines()) == 5


def test_an_app_without_releases_says_so() -> None:
    assert text(of()) == whole(of()) == "wallet in igaming: no release on record"


def test_where_no_rollback_leads_is_said() -> None:
    said = text(of(PROMOTED, live=None, back=None))
    assert "live is a template that no revision keeps" in said
    assert "`deployctl rollback wallet` has no earlier revision to go to by itself" in said


def test_several_apps_have_their_names_in_front() -> None:
    found = Histories((PROMOTED,), NOW)
    assert listing(found, everywhere=True).startswith("NAMESPACE   APP      RELEASE        AGE")
    assert listing(found, everywhere=False).splitlines()[1].startswith("wallet   afc4b887f473   60m")
