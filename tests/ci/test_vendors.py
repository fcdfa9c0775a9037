"""What each CI vendor is told, within its limits, and with foreign text fenced."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest

from deployctl.ci import End, chosen
from deployctl.ci.circleci import CircleCi
from deployctl.ci.files import dotenv, junit
from deployctl.ci.github import CUT, GitHub, annotated, fitted, summary
from deployctl.ci.gitlab import GitLab
from deployctl.errors import UsageError
from deployctl.render.timeline import Span

EVIL = "no\n::error::x\r\n##[add-path]/evil\x1b]0;x\x07 <b> | `c` 100%"
NO = Span("before", "smoke", 1.0, 3.5, passed=False, evidence="500, expected 200")
YES = Span("after", "errors", 4.0, 5.0, passed=True, evidence="0.001 of 0.01")
OPEN = Span("during", "latency", 3.5, 3.6)


def end(**fields: Any) -> End:
    whole = {"app": "wallet", "namespace": "igaming", "release": "r1", "code": 3, "outcome": "aborted"}
    return End(**{**whole, "reason": "gate smoke said no", "gates": (YES, NO, OPEN), **fields})


def github(folder: Path, **env: str) -> GitHub:
    files = {"GITHUB_STEP_SUMMARY": str(folder / "summary.md"), "GITHUB_OUTPUT": str(folder / "output")}
    tokens = count(1)
    return GitHub({**files, **env}, lambda: f"token{next(tokens)}")


@pytest.mark.parametrize(
    ("choice", "env", "kind"),
    [
        ("", {}, "NoneType"),
        ("", {"CI": "true"}, "NoneType"),
        ("", {"GITHUB_ACTIONS": "true"}, "GitHub"),
        ("", {"GITLAB_CI": "true"}, "GitLab"),
        ("", {"CIRCLECI": "true"}, "CircleCi"),
        ("gitlab", {"GITHUB_ACTIONS": "true"}, "GitLab"),
        ("none", {"GITHUB_ACTIONS": "true"}, "NoneType"),
    ],
)
def test_the_vendor_is_known_by_its_environment_unless_one_is_named(
    choice: str, env: dict[str, str], kind: str
) -> None:
    assert type(chosen(choice, env)).__name__ == kind


def test_an_unknown_vendor_is_refused() -> None:
    with pytest.raises(UsageError, match="--ci jenkins: unknown; expected one of none, github"):
        chosen("jenkins", {})


def test_on_github_no_command_is_heard_while_foreign_text_may_come(tmp_path: Path) -> None:
    one = github(tmp_path)
    assert [*one.opens("wallet"), "STORY", *one.closes(), "VERDICT", *one.ends(end(gates=()))] == [
        "::group::wallet", "::stop-commands::token1", "STORY", "::token1::", "::endgroup::",
        "::stop-commands::token2", "VERDICT", "::token2::", "::error title=wallet aborted::gate smoke said no",
    ]  # fmt: skip


def test_an_annotation_is_one_line_whatever_it_says() -> None:
    lines = list(
        annotated(end(reason=EVIL, gates=(Span("before", EVIL, 0, 1, passed=False, evidence=EVIL),)))
    )
    assert len(lines) == 2
    assert not [one for one in lines if "\n" in one or "\r" in one or "\x1b" in one]
    assert all(one.startswith("::error title=") and "100%25" in one for one in lines)


def test_of_many_gates_that_said_no_as_many_are_shown_as_github_shows() -> None:
    lines = list(annotated(end(gates=(NO,) * 30)))
    assert len(lines) == 10
    assert lines[-1].startswith("::error title=22 more gates said no::")


def test_waiting_for_a_person_is_no_error() -> None:
    [line] = annotated(end(code=4, outcome="waiting", reason="promote"))
    assert line == "::notice title=wallet waiting::promote"


def test_the_outputs_are_values_of_one_line_between_marks_of_their_own(tmp_path: Path) -> None:
    one = github(tmp_path)
    assert [*one.opens(""), *one.closes(), *one.ends(end(reason=EVIL))]
    lines = (tmp_path / "output").read_text().splitlines()
    marks = [line.partition("<<")[2] for line in lines[::3]]
    assert lines[2::3] == marks
    assert len(set(marks)) == len(marks) == 6


def test_the_summary_says_what_each_gate_said() -> None:
    text = summary(end(next=("deployctl status wallet",)))
    assert "| smoke | before | said no | 500, expected 200 |" in text
    assert "- next: `deployctl status wallet`" in text


def test_a_summary_that_is_too_long_is_cut_at_a_line_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "summary.md").write_text("x" * 500_000)
    many = tuple(Span("before", f"gate-{n}", 0, 1, passed=True, evidence="é" * 400) for n in range(2000))
    one = github(tmp_path)
    assert [*one.opens(""), *one.closes(), *one.ends(end(gates=many))]
    text = (tmp_path / "summary.md").read_text()
    assert len(text.encode()) <= 1024 * 1024
    assert text.endswith(f"|\n{CUT}")


def test_where_a_summary_has_no_room_at_all_nothing_is_added() -> None:
    assert fitted("word\n" * 100, 20) == ""


def test_on_gitlab_the_story_can_be_folded() -> None:
    one = GitLab(lambda: 1795597953.4)
    assert [*one.opens("wallet\x1b[2J"), *one.closes(), *one.ends(end())] == [
        "\x1b[0Ksection_start:1795597953:deployctl[collapsed=false]\r\x1b[0Kwallet [2J",
        "\x1b[0Ksection_end:1795597953:deployctl\r\x1b[0K",
    ]


def test_on_circleci_a_later_step_has_the_result(tmp_path: Path) -> None:
    file = tmp_path / "env"
    assert list(CircleCi({"BASH_ENV": str(file)}).ends(end(reason="it's $(evil)\n'; evil"))) == []
    assert "export DEPLOYCTL_LAST_OUTCOME=aborted\n" in file.read_text()
    assert """export DEPLOYCTL_LAST_REASON='it'"'"'s $(evil) '"'"'; evil'\n""" in file.read_text()


def test_junit_has_a_case_for_each_gate_and_one_for_the_release() -> None:
    root = fromstring(junit(end()))
    told = [(suite.get("name"), suite.get("failures"), suite.get("skipped")) for suite in root]
    assert told == [
        ("wallet release", "1", "0"), ("wallet before", "1", "0"), ("wallet during", "0", "1"),
        ("wallet after", "0", "0"),
    ]  # fmt: skip
    [case] = root.findall("./testsuite[@name='wallet before']/testcase")
    assert (case.get("classname"), case.get("name"), case.get("time")) == ("igaming.wallet", "smoke", "2.500")
    assert case.find("failure").get("message") == "500, expected 200"  # type: ignore[union-attr]


def test_junit_reads_whatever_a_pod_says() -> None:
    fromstring(
        junit(
            end(
                reason=EVIL + "\x00\ufffe\ud800",
                gates=(Span("before", EVIL, 0, 1, passed=False, evidence=EVIL),),
            )
        )
    )


def test_dotenv_has_one_line_a_value() -> None:
    lines = dotenv(end(reason=EVIL + "x" * 10_000)).decode().splitlines()
    assert [one.partition("=")[0] for one in lines] == [
        f"DEPLOYCTL_LAST_{one}" for one in ("OUTCOME", "REASON", "RELEASE", "STABLE", "PREVIEW", "EXIT_CODE")
    ]
    assert len("".join(lines)) < 5 * 1024
