"""Events of a calendar become peaks of an app: by its name and jurisdictions, at their hour, or refused at their line."""

from __future__ import annotations

import datetime as dt
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme
import yaml

from deployctl.autoscaling.calendar import Reading, checked, extended, over_https
from deployctl.autoscaling.policy import Calendar, Policy
from deployctl.document import Place
from deployctl.errors import DeployctlError, SpecError, UsageError
from deployctl.reading import Reader, node
from deployctl.shapes import shape

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
YAML = """
apiVersion: deployctl.dev/v1alpha1
kind: Calendar
events:
  - {name: derby, at: 2026-03-07 16:00 Europe/London, floor: 3x, jurisdictions: [uk, ireland]}
  - {name: cup, at: 2026-03-08T19:00Z, floor: 30, before: 30m, apps: [balances, odds]}
  - {name: malta, at: 2026-03-14 21:00 Europe/Malta, jurisdictions: [malta]}
  - {name: far, at: 2027-03-14T21:00Z, floor: 2x}
"""
ICS = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//league//EN
BEGIN:VEVENT
UID:1
SUMMARY:Saturday
CATEGORIES:uk
X-DEPLOYCTL-FLOOR:3x
X-DEPLOYCTL-APPS:balances,payments
DTSTART;TZID=Europe/London:20260314T160000
RRULE:FREQ=WEEKLY;COUNT=4
EXDATE;TZID=Europe/London:20260321T160000
END:VEVENT
BEGIN:VEVENT
UID:2
SUMMARY:Final
DTSTART:20260320T190000Z
END:VEVENT
BEGIN:VEVENT
UID:3
SUMMARY:Called off
STATUS:CANCELLED
DTSTART:20260320T190000Z
END:VEVENT
END:VCALENDAR
"""


def taken(folder: Path, *calendars: Calendar, app: str = "balances", most: int = 40) -> dict[str, str]:
    """Give the events that an app takes: by name, when each begins."""
    policy = Policy(min=6, max=most, cpu="60%", calendars=calendars)
    found, _ = extended(policy, Reading(app, folder, NOW, over_https))
    return {one.name: f"{one.begins:%m-%dT%H:%M}" for one in found.peaks}


def refused(folder: Path, calendar: Calendar, **more: int) -> list[str]:
    with pytest.raises(SpecError) as caught:
        taken(folder, calendar, **more)  # type: ignore[arg-type]
    return [str(one).removeprefix(f"{folder}/") for one in caught.value.problems]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "matches.yaml").write_text(YAML)
    (tmp_path / "league.ics").write_text(ICS)
    return tmp_path


def test_an_app_takes_the_events_of_its_name_its_jurisdictions_and_the_time_ahead(folder: Path) -> None:
    file = Calendar(file="matches.yaml", jurisdictions=("uk",))
    assert taken(folder, file) == {"derby": "03-07T16:00", "cup": "03-08T19:00"}
    assert taken(folder, file, app="payments") == {"derby": "03-07T16:00"}
    malta = Calendar(file="matches.yaml", jurisdictions=("malta",), floor="2x")
    assert taken(folder, malta, app="payments") == {"malta": "03-14T20:00"}
    near = Calendar(file="matches.yaml", floor="2x", ahead_seconds=7 * 86400)
    assert list(taken(folder, near)) == ["derby"]


def test_an_event_says_what_the_calendar_says_for_all(folder: Path) -> None:
    calendar = Calendar(file="matches.yaml", floor="2x", before_seconds=60.0)
    policy = Policy(min=6, max=40, cpu="60%", calendars=(calendar,))
    found, _ = extended(policy, Reading("balances", folder, NOW, over_https))
    assert [(one.name, one.floor, one.before_seconds, one.after_seconds) for one in found.peaks] == [
        ("derby", "3x", 60.0, 7200.0),
        ("cup", "30", 1800.0, 7200.0),
        ("malta", "2x", 60.0, 7200.0),
    ]


def test_an_event_that_repeats_keeps_its_hour_when_summer_time_begins(folder: Path) -> None:
    calendar = Calendar(file="league.ics", floor="2x", ahead_seconds=60 * 86400)
    assert taken(folder, calendar) == {
        "Saturday 2026-03-14T16:00Z": "03-14T16:00",
        "Final": "03-20T19:00",
        "Saturday 2026-03-28T16:00Z": "03-28T16:00",
        "Saturday 2026-04-04T15:00Z": "04-04T15:00",
    }
    assert list(taken(folder, calendar, app="odds")) == ["Final"]


def test_what_an_event_takes_from_a_category_is_its_jurisdiction(folder: Path) -> None:
    assert list(taken(folder, Calendar(file="league.ics", floor="2x", jurisdictions=("malta",)))) == ["Final"]


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        ("{name: x, at: 2026-03-07 16:00, floor: 3x}", "events[0].at: 2026-03-07 16:00 says no zone"),
        ("{name: x, at: 2026-03-29 01:30 Europe/London, floor: 3x}", "no clock of Europe/London shows it"),
        ("{name: x, at: 2026-03-07T16:00Z, floor: 41}", "floor: 41 of x is over max 40"),
        ("{name: x, at: 2026-03-07T16:00Z}", "floor: x says none; expected one here"),
        ("{name: x, at: 2026-03-07T16:00Z, floor: 3x, step: 0}", "0 never comes down"),
        ("{name: x, at: 2026-03-07T16:00Z, flor: 3x}", "flor: unknown"),
    ],
)
def test_an_event_that_is_wrong_is_refused_at_its_line(tmp_path: Path, event: str, problem: str) -> None:
    head = "apiVersion: deployctl.dev/v1alpha1\nkind: Calendar\nevents:\n"
    (tmp_path / "matches.yaml").write_text(f"{head}  - {event}\n")
    [told] = refused(tmp_path, Calendar(file="matches.yaml"))
    assert told.startswith("matches.yaml:4:")
    assert problem in told


@pytest.mark.parametrize(
    ("start", "problem"),
    [
        ("DTSTART:20260320T190000", "DTSTART: 2026-03-20T19:00 says no zone"),
        ("DTSTART;TZID=Mars/Olympus:20260320T190000", "DTSTART: Mars/Olympus is no zone that is known"),
        ("DTSTART;VALUE=DATE:20260320", "DTSTART: Final: a whole day has no hour"),
        ("DTSTART:2026", "DTSTART: Expected datetime"),
        ("DTSTART:20260320T190000Z\nRRULE:FREQ=SOMETIMES", "RRULE: Expected frequency, got: SOMETIMES"),
    ],
)
def test_an_event_of_an_icalendar_that_is_wrong_is_refused_at_its_line(
    folder: Path, start: str, problem: str
) -> None:
    text = ICS.replace("DTSTART:20260320T190000Z", start, 1)
    (folder / "league.ics").write_text(text)
    [told] = refused(folder, Calendar(file="league.ics", floor="2x"))
    assert told.startswith(f"league.ics:17:1: {problem}")


def test_a_line_that_only_looks_like_an_event_counts_for_none(folder: Path) -> None:
    folded = "SUMMARY:Final\nDESCRIPTION:a\n BEGIN:VEVENT\n DTSTART:no"
    broken = ICS.replace("SUMMARY:Final", folded).replace("0320T190000Z", "0320T190000", 1)
    (folder / "league.ics").write_text(broken)
    [told] = refused(folder, Calendar(file="league.ics", floor="2x"))
    assert told.startswith("league.ics:20:1: DTSTART: 2026-03-20T19:00 says no zone")


def test_what_is_no_calendar_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.ics").write_text("hello\n")
    (tmp_path / "b.yaml").write_text("kind: Calendar\n---\nkind: Calendar\n")
    assert "expected an iCalendar" in refused(tmp_path, Calendar(file="a.ics"))[0]
    assert "2 documents; expected one Calendar" in refused(tmp_path, Calendar(file="b.yaml"))[0]
    assert "No such file" in refused(tmp_path, Calendar(file="c.yaml"))[0]


def test_a_name_that_two_calendars_have_is_refused(folder: Path) -> None:
    (folder / "more.yaml").write_text(YAML)
    same = (Calendar(file="matches.yaml", floor="2x"), Calendar(file="more.yaml", floor="2x"))
    with pytest.raises(SpecError, match=r"derby again, first in .*matches\.yaml"):
        taken(folder, *same)


def test_all_that_is_wrong_is_told_at_once(folder: Path) -> None:
    (folder / "league.ics").write_text(ICS.replace("Z\n", "\n"))
    policy = Policy(
        min=6, max=20, cpu="60%", calendars=(Calendar(file="league.ics"), Calendar(file="matches.yaml"))
    )
    with pytest.raises(SpecError) as caught:
        checked(policy, "balances", folder)
    assert {Path(one.file).name for one in caught.value.problems} >= {"league.ics"}


def test_a_calendar_without_an_event_for_the_app_is_told(folder: Path) -> None:
    policy = Policy(
        min=6,
        max=40,
        cpu="60%",
        calendars=(Calendar(file="matches.yaml", ahead_seconds=60.0),),
    )
    _, warnings = extended(policy, Reading("balances", folder, NOW, over_https))
    assert warnings == ("matches.yaml has no event for balances within its `ahead`",)


def test_a_file_is_not_looked_for_where_only_the_record_of_an_app_is(folder: Path) -> None:
    policy = Policy(min=6, max=40, cpu="60%", calendars=(Calendar(file="matches.yaml"),))
    with pytest.raises(UsageError, match="a file beside the spec of balances"):
        extended(policy, Reading("balances", None, NOW, over_https))


def test_without_the_libraries_it_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "recurring_ical_events", None)
    with pytest.raises(DeployctlError, match=r"pip install 'deployctl\[calendar\]'"):
        taken(folder, Calendar(file="league.ics", floor="2x"))


@contextmanager
def serving(body: bytes, status: int, authority: trustme.CA) -> Iterator[str]:
    """Serve one answer over TLS on the loopback; give its URL."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{server.server_port}/league.ics?token=hunter2"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def test_an_icalendar_is_read_over_https(tmp_path: Path, authority: trustme.CA) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with serving(ICS.encode(), 200, authority) as url:
        calendar = Calendar(url=url, ca=str(tmp_path / "ca.pem"), floor="2x")
        assert taken(tmp_path, calendar)["Final"] == "03-20T19:00"


def test_a_server_without_it_is_told_without_what_may_be_secret(
    tmp_path: Path, authority: trustme.CA
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with serving(b"", 404, authority) as url:
        calendar = Calendar(url=url, ca=str(tmp_path / "ca.pem"), floor="2x")
        with pytest.raises(DeployctlError, match="404, expected 200") as caught:
            taken(tmp_path, calendar)
    assert "hunter2" not in str(caught.value)


def test_a_calendar_in_a_spec_is_a_file_or_an_address_that_is_safe() -> None:
    def problems(said: str) -> list[str]:
        reader = Reader([])
        reader.read(node(yaml.safe_load(said), Place("x")), shape(Calendar), "")
        return [one.message for one in reader.problems]

    assert problems("{url: https://league.example/a.ics, floor: 2x, ahead: 48h}") == []
    assert "https://" in problems("{url: http://league.example/a.ics}")[0]
    assert "exactly one of file, url" in problems("{floor: 2x}")[0]
    assert "at most 8784h" in problems("{file: a.yaml, ahead: 9000h}")[0]
    assert "never comes down" in problems("{file: a.yaml, step: 0}")[0]
