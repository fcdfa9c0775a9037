"""The bodies of `autoscale`."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import typer

from deployctl.autoscaling import held, obligations
from deployctl.autoscaling.applying import Change, changes, removals, scaler
from deployctl.autoscaling.calendar import Reading, extended, over_https
from deployctl.autoscaling.due import carry_out, every, request_of
from deployctl.autoscaling.held import Hold
from deployctl.autoscaling.native import scaler_spec
from deployctl.autoscaling.outlook import checked, outlook, pods, tried
from deployctl.autoscaling.outlook import short as short_of_quota
from deployctl.autoscaling.peak import until
from deployctl.autoscaling.policy import Policy
from deployctl.autoscaling.through import called, targets
from deployctl.autoscaling.watching import watched
from deployctl.cli.flags import Flags
from deployctl.cli.session import Interrupted, connect, folder_of, is_file, subject, tell, terminated
from deployctl.cli.session import show as printed
from deployctl.cluster.api import Api, Request, Stale
from deployctl.cluster.paths import path
from deployctl.cluster.view import Names
from deployctl.errors import Conflict, UsageError
from deployctl.prepare import guess, names_of
from deployctl.releases import holder
from deployctl.render import autoscaling as render
from deployctl.render.cells import ASCII, UNICODE
from deployctl.render.trace import Sample, kept, rows
from deployctl.room import room, short
from deployctl.room import told as unsaid
from strategies.peaks import over_time, together
from strategies.room import Room

Json = dict[str, Any]
VERSION = "deployctl.dev/v1alpha1"


@dataclass(frozen=True, slots=True)
class Meant:
    """The app that is meant, its workload, and its policy where it has one."""

    api: Api
    names: Names
    workload: Json
    policy: Policy | None
    app: str
    warnings: tuple[str, ...] = ()


def _meant(flags: Flags, name: str, *, policy: bool) -> Meant:
    """Find the app by its file or its record, or where no policy is needed by its workload's name."""
    if policy or is_file(name):
        api, found = subject(flags, name)
        names, said = names_of(found.app, api.namespace), found.app.spec.autoscaling
        if policy and said is None:
            raise UsageError(f"{name} says no spec.autoscaling", advice="docs/autoscaling.md begins with one")
    else:
        api, said = connect(flags), None
        names = guess(api, name)
    workload = api.get(path(names.namespace, names.resource, names.deployment))
    warnings: tuple[str, ...] = ()
    if policy and said is not None:
        said, warnings = extended(said, Reading(names.app, folder_of(name), api.now(), over_https))
    return Meant(api, names, workload, said, names.app, warnings)


def _written(flags: Flags, name: str, *, policy: bool = False, dry: bool = False) -> Meant:
    """Find the app for a command that writes: what is due of it is carried out first."""
    meant = _meant(flags, name, policy=policy)
    for one in carry_out(meant.api, meant.names) if not dry else ():
        tell(one)
    return meant


def _planned(meant: Meant) -> tuple[Json, tuple[Change, ...]]:
    """Give the whole document of a plan, and the changes in it."""
    assert meant.policy is not None  # noqa: S101 - asked for in _meant
    warnings = (*meant.warnings, *checked(meant.api, meant.names, meant.policy, meant.workload))
    told = changes(meant.api, meant.names, meant.policy, meant.workload)
    there = scaler(meant.api, meant.names)
    spec = scaler_spec(meant.policy, {})
    size = meant.workload["spec"].get("replicas", 1)
    peaks = _peaks(meant.policy, size, meant.api.now())
    found = room(meant.api, meant.names, meant.workload["spec"]["template"])
    warnings += tuple(_without_room(peaks, found, size))
    whole: Json = {
        "apiVersion": VERSION,
        "kind": "AutoscalePlan",
        "app": meant.app,
        "namespace": meant.names.namespace,
        "changes": [one.plain() for one in told],
        "now": list(outlook(there, spec, size)),
        "room": unsaid(found),
        "peaks": peaks,
        "overlaps": _overlaps(meant.policy, size, meant.api.now()),
        "warnings": list(warnings),
    }
    return whole, told


def _without_room(peaks: list[Json], found: Room, running: int) -> Iterator[str]:
    """Name each event for which there is too little room as the cluster is now."""
    for one in peaks:
        for lacking in short(found, one["floor"] - running):
            yield f"{one['name']} needs {pods(one['floor'])}, {one['floor'] - running} more than run: {lacking}"


def _peaks(policy: Policy, running: int, now: dt.datetime) -> list[Json]:
    """List the events to come with their floors, as they would be now."""
    events = sorted(policy.peaks, key=lambda one: one.begins)
    whole = ((one, obligations.floor_of(one, running)) for one in events)
    return [
        {
            "name": one.name,
            "at": render.stamp(one.begins),
            "from": _told_at(one.course.begins),
            "floor": min(floor, policy.max),
            "whole": _told_at(one.course.comes_down),
            "until": _told_at(one.course.ends(floor)),
        }
        for one, floor in whole
        if one.course.ends(floor) > now.timestamp()
    ]


def _overlaps(policy: Policy, running: int, now: dt.datetime) -> list[Json]:
    """Show of events that overlap how the floor goes: at each moment the higher one wins."""
    events = [one for one in policy.peaks if one.course.ends(one.count or 1) > now.timestamp()]
    courses = [(one.course, min(obligations.floor_of(one, running), policy.max)) for one in events]
    return [
        {
            "events": [events[number].name for number in group],
            "floor": [
                {"from": _told_at(at), "floor": floor}
                for at, floor in over_time(courses[number] for number in group)
            ],
        }
        for group in together(courses)
        if len(group) > 1
    ]


def plan(flags: Flags, name: str, *, detailed: bool) -> int:
    whole, told = _planned(_meant(flags, name, policy=True))
    printed(flags, whole, render.plan(whole, told), _names(told))
    return 2 if detailed and any(one.request for one in told) else 0


def diff(flags: Flags, name: str) -> int:
    whole, told = _planned(_meant(flags, name, policy=True))
    changed = tuple(one for one in told if one.request)
    text = "\n".join(line for one in changed for line in one.lines)
    printed(flags, {**whole, "changes": [one.plain() for one in changed]}, text, _names(changed))
    return 2 if changed else 0


def apply(flags: Flags, name: str, *, dry: bool) -> None:
    meant = _written(flags, name, policy=True, dry=dry)
    whole, told = _planned(meant)
    if not flags.quiet:
        tell(render.plan(whole, told))
    if not dry:
        for one in told:
            _send(meant.api, one.request)
        _remember(meant)
    printed(flags, {**whole, "dryRun": dry}, render.applied(meant.app, told, dry=dry), _names(told))


def _remember(meant: Meant) -> None:
    """Write the events of the policy on the autoscaler, and carry out what is due of them now."""
    found = scaler(meant.api, meant.names)
    if found is None or meant.policy is None:
        return
    events = obligations.remembered(meant.policy.peaks, meant.api.now())
    answer = _send(meant.api, held.write(found, held.holds(found), events)) or found
    size = meant.workload["spec"].get("replicas", 1)
    _send(meant.api, obligations.carried_out(answer, size, meant.api.now()))


def remove(flags: Flags, name: str, *, dry: bool) -> None:
    meant = _written(flags, name, dry=dry)
    told = removals(meant.api, meant.names, meant.workload)
    for one in told if not dry else ():
        _send(meant.api, one.request)
    whole: Json = {"apiVersion": VERSION, "kind": "AutoscaleRemoval", "app": meant.app, "dryRun": dry}
    text = render.applied(meant.app, told, dry=dry) if told else f"{meant.app}: no policy of ours is there"
    printed(flags, {**whole, "changes": [one.plain() for one in told]}, text, _names(told))


def _names(told: tuple[Change, ...]) -> str:
    return "\n".join(render.name(one.kind, one.name) for one in told)


def _send(api: Api, request: Request | None) -> Json | None:
    """Send a write; one that lost a race says what to run again."""
    if request is None:
        return None
    try:
        return api.send(request)
    except Stale as error:
        raise Conflict(
            f"{request.resource} {request.name} changed meanwhile; nothing of this write is there",
            advice="run the same command again",
        ) from error


def surge(flags: Flags, name: str, to: int, until: str, reason: str, *, fit: bool) -> None:  # noqa: PLR0913 - the flags
    meant = _written(flags, name)
    found = _scaler(meant)
    end = _until(until, meant.api.now())
    most = held.ceiling(found)
    if to > most:
        raise UsageError(
            f"--to {to} is over the maximum {most} of {called(found)}",
            advice=f"raise spec.autoscaling.max and apply it, or surge to {most}",
        )
    to = _fitting(meant, to, fit=fit)
    _warn_of_nodes(meant, to)
    hold = Hold(
        obligations.SURGE,
        to,
        by=holder(),
        since=render.stamp(meant.api.now()),
        until=render.stamp(end),
        why=reason,
    )
    after = _send(meant.api, held.take(found, hold)) or found
    _told(flags, meant, after)


def _warn_of_nodes(meant: Meant, to: int) -> None:
    """Say where the nodes have no room now: it is no refusal, for nodes may be added."""
    more = to - meant.workload["spec"].get("replicas", 1)
    if more > 0:
        found = room(meant.api, meant.names, meant.workload["spec"]["template"])
        for one in short(replace(found, quotas=()), more):
            tell(f"warning: {one}; a pod without a place waits for a node")
        if unknown := unsaid(found):
            tell(f"room on the nodes: {unknown}")


def _fitting(meant: Meant, to: int, *, fit: bool) -> int:
    """Give the size that fits; raise where it is short and nobody said to fit it."""
    running: int = meant.workload["spec"].get("replicas", 1)
    if running >= to:
        return to
    pod = tried(meant.api, meant.names, meant.workload)
    for size in range(to, running, -1):
        lacking = tuple(short_of_quota(meant.api, meant.names, pod, size, running))
        if not lacking:
            return size
        if not fit:
            raise UsageError("; ".join(lacking), advice="raise the quota, or take what fits with --fit")
    return running


def _until(text: str, now: dt.datetime) -> dt.datetime:
    try:
        return until(text, now)
    except ValueError as error:
        raise UsageError(
            f"--until {text}: {error}",
            advice='write it as 3h, as "23:00 Europe/Malta", or as 2026-04-11T22:00Z',
        ) from error


def _scaler(meant: Meant) -> Json:
    found = scaler(meant.api, meant.names)
    if found is None:
        raise UsageError(
            f"nothing scales {meant.names.kind} {meant.names.deployment}",
            advice="deployctl autoscale apply FILE makes its autoscaler",
        )
    return found


def restore(flags: Flags, name: str, *, due: bool) -> None:
    """End a surge, or carry out what is due."""
    if not name and not due:
        raise UsageError("no app is named", advice="deployctl autoscale restore APP, or restore --due")
    if not name:
        return _every_due(flags)
    meant = _meant(flags, name, policy=False) if due else _written(flags, name)
    found = scaler(meant.api, meant.names)
    if found is None:
        return _listed(flags, [], f"{meant.app}: nothing scales it any more, so nothing is held")
    request = request_of(meant.api, found) if due else held.give_back(found, obligations.SURGE)
    _told(flags, meant, _send(meant.api, request) or found)
    return None


def _every_due(flags: Flags) -> None:
    """Carry out what is due in the whole namespace; one that somebody writes meanwhile is left to the next time."""
    api = connect(flags)
    done = []
    for one in every(api):
        try:
            after = api.send(request) if (request := request_of(api, one)) else None
        except Stale:
            tell(f"warning: {called(one)} changed meanwhile; it is left to the next time")
            continue
        done += [after] if after else []
    items = [render.described(one, api.now()) for one in done]
    _listed(flags, items, "nothing is due")


def show(flags: Flags, name: str) -> None:
    api = connect(flags) if not name else None
    if api is not None:
        found = list(every(api))
    else:
        meant = _meant(flags, name, policy=False)
        api, found = meant.api, [_scaler(meant)]
    items = [render.described(one, api.now()) for one in found]
    _listed(flags, items, f"no autoscaler in namespace {api.namespace}")


def watch(flags: Flags, name: str) -> None:
    """Print autoscalers as they are, and each again when something of it changes; Ctrl-C ends it."""
    meant = _meant(flags, name, policy=False) if name else None
    api = meant.api if meant else connect(flags)
    shown: dict[str, Json] = {}
    traces: dict[str, tuple[Sample, ...]] = {}
    try:
        with terminated(), watched(api) as changed:
            while True:
                mine = [one for one in changed() if meant is None or targets(one, meant.names)]
                now = {called(one): render.described(one, api.now()) for one in mine}
                traces = {
                    known: kept((*traces.get(known, ()), _sample(api, one))) for known, one in now.items()
                }
                _changes(flags, shown, now, traces)
                shown = now
    except Interrupted:
        raise typer.Exit(143) from None


def _sample(api: Api, one: Json) -> Sample:
    return api.now().timestamp(), one


def _changes(
    flags: Flags, before: dict[str, Json], now: dict[str, Json], traces: dict[str, tuple[Sample, ...]]
) -> None:
    """Print each that is not as it was shown, with its course so far, and say which is gone."""
    glyphs = UNICODE if "utf" in (sys.stdout.encoding or "").lower() else ASCII
    for known, one in now.items():
        if before.get(known) != one:
            text = "\n".join((render.described_text(one), *rows(traces[known], glyphs)))
            printed(flags, one, text, render.name(*known.split()))
            sys.stdout.flush()
    for gone in before.keys() - now.keys():
        tell(f"{gone} is gone")


def _told(flags: Flags, meant: Meant, after: Json) -> None:
    _listed(flags, [render.described(after, meant.api.now())])


def _listed(flags: Flags, items: list[Json], nothing: str = "") -> None:
    """Print autoscalers, or in words that there is none."""
    names = "\n".join(render.name(*one["scaler"].split()) for one in items)
    text = "\n\n".join(map(render.described_text, items)) or nothing
    printed(flags, {"apiVersion": VERSION, "kind": "Autoscalers", "items": items}, text, names)


def cron(flags: Flags, image: str, every: int, account: str) -> None:
    """Print a CronJob."""
    import yaml

    namespace = flags.namespace or connect(flags).namespace
    print(yaml.safe_dump(render.cron_job(namespace, image, every, account), sort_keys=False), end="")


def _told_at(seconds: float) -> str:
    return render.stamp(dt.datetime.fromtimestamp(seconds, dt.UTC))
