"""`plan` in words: a document of `deployctl.planning` in, text out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from deployctl.published import Change, Plan, PlannedStep, Safety, Span
from deployctl.render.status import COLUMN_GAP
from deployctl.render.words import counted, who
from strategies.quantities import duration

MOST_STEPS = 48  # of a longer plan the middle is left out; -o json has all of it
RED, GREEN, BOLD, PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[1m", "\x1b[0m"

Paint = Callable[[str, str], str]


def colored(color: str, text: str) -> str:
    return f"{color}{text}{PLAIN}"


def uncolored(color: str, text: str) -> str:
    del color
    return text


def text(one: Plan, paint: Paint = uncolored) -> str:
    """Write the whole plan: what changes, the steps, how long, and what could go wrong."""
    return "\n".join(_lines(one, paint))


def _lines(one: Plan, paint: Paint) -> Iterator[str]:
    where = f"{one.namespace} (context {one.context})"
    title = f"plan of {one.app} in {where}: {one.strategy}, {counted(one.replicas)}"
    yield paint(BOLD, title)
    if not one.changes and not one.in_flight:
        yield "  nothing to do: this template is live"
    for part in (
        _template,
        _elsewhere,
        _flying,
        _steps,
        _flags_back,
        _consumers,
        _gates,
        _measures,
        _dangers,
        _problems,
        _saved,
    ):
        lines = list(part(one, paint))
        yield from ("", *lines) if lines else ()


def _template(one: Plan, paint: Paint) -> Iterator[str]:
    if one.changes:
        yield paint(BOLD, "pod template")
    for change in one.changes:
        yield from changed(change, paint)


def changed(one: Change, paint: Paint) -> Iterator[str]:
    """Write one path: what goes in red, what comes in green, in a line where it fits."""
    note = f"  ({one.note})" if one.note else ""
    old, new = paint(RED, one.old), paint(GREEN, one.new)
    if not one.old:
        yield f"  {paint(GREEN, '+')} {one.path}: {new}{note}"
    elif not one.new:
        yield f"  {paint(RED, '-')} {one.path}: {old}{note}"
    elif len(one.old) + len(one.new) < 60:
        yield f"  ~ {one.path}: {old} -> {new}{note}"
    else:
        yield from (
            f"  ~ {one.path}:{note}",
            f"      {paint(RED, '-')} {old}",
            f"      {paint(GREEN, '+')} {new}",
        )


def _elsewhere(one: Plan, paint: Paint) -> Iterator[str]:
    if one.not_released:
        yield paint(BOLD, "not released: kubectl apply")
    yield from (f"  {each}" for each in one.not_released)


def _flying(one: Plan, paint: Paint) -> Iterator[str]:
    held = one.in_flight
    if held is None:
        return
    yield paint(BOLD, "a release is in flight")
    yield f"  {held.id}, {held.phase}, begun by {who(held.by)} at {held.begun}"
    same = (
        f"this template is the one on trial: `deployctl release` goes on with it; deployctl status {one.app}"
    )
    other = f"another template is on trial: a release would be refused until `deployctl abort {one.app}`"
    yield f"  {same if held.same_template else other}"


def _steps(one: Plan, paint: Paint) -> Iterator[str]:
    if not one.steps:
        return
    rows = [_row(at, step) for at, step in enumerate(one.steps, 1)]
    rows.append(("", "in all", _time(one.total.expected_seconds), _time(one.total.worst_seconds), ""))
    head = ("", "step", "expected", "at worst", "extra pods")
    lines = _columns([head, *rows])
    yield paint(BOLD, lines[0])
    yield from _shortened(lines[1:])


def _flags_back(one: Plan, paint: Paint) -> Iterator[str]:
    """Write what the way back does to the flags, in its order."""
    if one.flags_back:
        yield paint(BOLD, "the way back begins with the flags")
    yield from (f"  {at}  {each}" for at, each in enumerate(one.flags_back, 1))


def _consumers(one: Plan, paint: Paint) -> Iterator[str]:
    if one.consumers:
        yield paint(BOLD, "who consumes events")
    yield from (f"  {each}" for each in one.consumers)


def _gates(one: Plan, paint: Paint) -> Iterator[str]:
    """Print the gates of a profile in full: what is not in the file must be seen here."""
    if not one.profile:
        return
    yield paint(BOLD, f"gates, with those of the profile {one.profile}")
    for each in one.gates:
        yield f"  {each.stage} {each.name}: {each.says}"
        yield f"      answers in {_time(each.expected_seconds)}, at worst {_time(each.worst_seconds)}"


def _row(at: int, one: PlannedStep) -> tuple[str, str, str, str, str]:
    timed = one.worst_seconds or one.expected_seconds
    spans = (_time(one.expected_seconds), _time(one.worst_seconds)) if timed else ("", "")
    return str(at), one.does, *spans, f"+{one.extra_pods}" if one.extra_pods else ""


def _columns(rows: list[tuple[str, str, str, str, str]]) -> list[str]:
    """Set numbers and times to the right, words to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [_set(row, widths) for row in rows]


def _set(row: tuple[str, ...], widths: list[int]) -> str:
    at, does, *rest = zip(row, widths, strict=True)
    right = [cell.rjust(width) for cell, width in rest]
    return "  " + COLUMN_GAP.join([at[0].rjust(at[1]), does[0].ljust(does[1]), *right]).rstrip()


def _shortened(lines: list[str]) -> list[str]:
    if len(lines) <= MOST_STEPS:
        return lines
    half = MOST_STEPS // 2
    left_out = f"  ... {len(lines) - 2 * half} steps like these; all of them with -o json"
    return [*lines[:half], left_out, *lines[-half:]]


def _time(span_seconds: float) -> str:
    return duration(span_seconds)


def _measures(one: Plan, paint: Paint) -> Iterator[str]:
    if not one.steps:
        return
    yield paint(BOLD, "what it takes")
    yield f"  extra pods at the peak: {one.peak_extra_pods}"
    yield from (f"  room for them on the nodes: {one.room}",) if one.room else ()
    yield from (f"  made to fit: {one.fit}",) if one.fit else ()
    yield f"  writes: {', '.join(f'{count} {kind}' for kind, count in sorted(one.writes.items()))}"
    if one.waits_for_a_person:
        yield f"  it waits for a person, who may take any time: deployctl promote {one.app}"
    if one.safety:
        yield from _safe(one.safety)


def _safe(one: Safety) -> Iterator[str]:
    yield f"  a bad revision is found before it has traffic: {_span(one.detect_before)}"
    after = one.detect_after.worst_seconds
    yield f"  a bad revision with traffic is found: {_span(one.detect_after) if after else 'no gate asks'}"
    yield f"  the way back before it has traffic: {_span(one.back_before)}"
    yield f"  the way back after that: {_span(one.back_after)}"


def _span(one: Span) -> str:
    return f"usually {_time(one.expected_seconds)}, at worst {_time(one.worst_seconds)}"


def _dangers(one: Plan, paint: Paint) -> Iterator[str]:
    if one.ends_hold:
        yield paint(BOLD, "would end the hold in mid-release")
    yield from (f"  {each}" for each in one.ends_hold)
    if one.autoscaling:
        yield paint(BOLD, "the autoscaler, through the release")
    yield from (f"  {each}" for each in one.autoscaling)
    yield from (f"  warning: {each}" for each in one.warnings)


def _problems(one: Plan, paint: Paint) -> Iterator[str]:
    if one.problems:
        yield paint(RED, "a release would be refused")
    for each in one.problems:
        yield f"  {each.message} (exit {each.exit_code})"
        yield from (f"    next: {each.advice}",) if each.advice else ()


def _saved(one: Plan, paint: Paint) -> Iterator[str]:
    """Write where the plan is kept, and last the command that carries it out."""
    if one.saved:
        yield paint(
            BOLD, f"plan {one.saved.digest[:12]} in {one.saved.file}, to be released by {one.saved.expires}"
        )
        yield f"  next: {one.saved.next}"
