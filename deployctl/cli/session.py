"""What the commands share: the cluster, the app that is meant, the story on standard error, the end."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from deployctl.aloud import aloud, deafen
from deployctl.ci.job import job, silent
from deployctl.cli.flags import Flags, span
from deployctl.cluster.api import Api
from deployctl.cluster.login import Target
from deployctl.consumes import Consumes
from deployctl.errors import Conflict, DeployctlError, SpecError, UsageError
from deployctl.notifying import Job, notifying
from deployctl.prepare import ELSEWHERE
from deployctl.record import Kept, Record, Word, now
from deployctl.releases import Run, holder
from deployctl.render import words
from deployctl.render.jsonl import Jsonl, Together
from deployctl.render.lines import Lines
from deployctl.render.terminal import colors, interactive
from deployctl.rollout import Result, Story
from deployctl.spec import App, Drain, from_canonical, read
from deployctl.spec import Flags as FlagsOfApp
from deployctl.spoken import heard
from strategies.model import Outcome

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Subject:
    """The app that a command is about, with its manifests' objects and its record."""

    app: App
    objects: tuple[Json, ...]
    kept: Kept


class Interrupted(BaseException):
    """SIGTERM; like KeyboardInterrupt it is no error."""


def connect(flags: Flags, namespace: str | None = None) -> Api:
    """Reach the cluster that the flags mean, in the namespace that they or else the file name."""
    if flags.namespace and namespace and flags.namespace != namespace:
        raise UsageError(
            f"metadata.namespace is {namespace}, which is not --namespace {flags.namespace}",
            advice=f"pass --namespace {namespace}, or leave one of the two out",
        )
    timeout = span("--request-timeout", flags.request_timeout)
    where = flags.namespace or namespace
    return Api(Target(flags.kubeconfig, flags.context, where, flags.as_, timeout))


def is_file(subject: str) -> bool:
    """Tell FILE from APP: a path, an existing file, or - for standard input."""
    return subject == "-" or "/" in subject or subject.endswith((".yaml", ".yml")) or Path(subject).exists()


def folder_of(name: str) -> Path | None:
    """Give the folder that a spec file's own files are relative to; None for an app's name."""
    if name == "-" or not is_file(name):
        return Path() if name == "-" else None
    return Path(name) if Path(name).is_dir() else Path(name).parent


def subject(
    flags: Flags, name: str, first: Callable[[Api, str], None] = lambda *_: None
) -> tuple[Api, Subject]:
    """Find the app by its file or, once it was released, by its name; `first` sees the cluster before its objects.

    It is told the kind of the workload, where that is known: only the record knows an app's by its name.
    """
    if not is_file(name):
        api = connect(flags)
        found = recorded(api, name)
        first(api, found.app.spec.workload.kind)
        return api, found
    loaded = read(name)
    for warning in loaded.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if len(loaded.apps) != 1:
        names = ", ".join(app.name for app in loaded.apps)
        raise UsageError(f"{name} holds several apps: {names}", advice="one file an app, for now")
    app = loaded.apps[0]
    api = connect(flags, app.namespace)
    first(api, app.spec.workload.kind)
    return api, Subject(app, loaded.objects[0], Record(api, api.namespace, app.name).writable())


def recorded(api: Api, name: str) -> Subject:
    """Find an app by the spec that its record keeps."""
    kept = Record(api, api.namespace, name).writable()
    if kept.spec is None:
        raise UsageError(
            f"no app {name} was released in namespace {api.namespace} (context {api.context})",
            advice=f"give its spec file; or {ELSEWHERE}",
        )
    return Subject(from_canonical(kept.spec), (), kept)


def drain_of(kept: Kept) -> Drain:
    """Tell how the app's pods end their rounds; without a readable record they are not asked."""
    try:
        return from_canonical(kept.spec or {}).spec.drain
    except SpecError:
        return Drain()


def flags_of(kept: Kept) -> FlagsOfApp | None:
    """Tell which flags the app's releases move; without a readable record none are known."""
    try:
        return from_canonical(kept.spec or {}).spec.flags
    except SpecError:
        return None


def consumes_of(kept: Kept) -> Consumes | None:
    """Tell how the app's consumers go over; without a readable record no pod is told anything."""
    try:
        return from_canonical(kept.spec or {}).spec.consumes
    except SpecError:
        return None


def word(verb: str, reason: str) -> Word:
    """Write down who ran which command, when and why."""
    return Word(verb, holder(), now(), heard(reason))


def tell(text: str) -> None:
    aloud(text, sys.stderr)


def story(flags: Flags, app: str) -> Story:
    """Choose how the story is told: a live view for a person at a terminal, else lines; events to a program."""
    if flags.output == "jsonl":
        silent = flags.quiet or sys.stdout.isatty()
        return Together(Jsonl(app, events), _lines(app, quiet=silent))
    if flags.quiet or flags.verbose or not interactive(sys.stderr):
        return _lines(app, quiet=flags.quiet, verbose=flags.verbose)
    from deployctl.render.live import Live

    return Live(app, sys.stderr, color=colors(flags.color, sys.stderr))


def _lines(app: str, *, quiet: bool, verbose: bool = False) -> Story:
    return Lines(app, (lambda _: None) if quiet else tell, verbose=verbose)


def events(line: str) -> None:
    aloud(line, sys.stdout)


def outliving(name: str) -> Callable[[str, float], None]:
    """Tell once that a dead holder's lease is waited for."""
    told: list[str] = []

    def tell_once(other: str, left: float) -> None:
        if not told:
            told.append(other)
            tell(f"{name}: waiting up to {left:.0f}s for the lock of {other} to end")

    return tell_once


@contextmanager
def terminated() -> Iterator[None]:
    """Let SIGTERM unwind as Ctrl-C does."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def carry_out(flags: Flags, run: Run, *, back: bool = False, last: bool = True) -> int:
    """Run to the end and say how it ended; interrupted, say what stands and what to run next.

    One command has one result: a run that is not the `last` prints its own only where it is the end all the same.
    """
    app = run.plan.names.app
    told: Job = job(run, flags.ci, flags.junit, flags.dotenv) if last else silent(run)
    told = notifying(run, told, tell)
    from deployctl.cli.keyed import Asked, aborted, keyed

    try:
        with terminated(), keyed(flags, run, back=back), told, closing(run.story):
            result = run.run()
    except Asked as asked:
        if asked.verb == "abort":
            return aborted(flags, run)
        return told.ends(_left(run, app), "left")
    except KeyboardInterrupt:
        return told.ends(_interrupted(run, app, 130), "interrupted")
    except Interrupted:
        return told.ends(_interrupted(run, app, 143), "interrupted")
    except DeployctlError as error:
        _tell_stopped(run, app, error)
        told.ends(error.exit_code, "stopped", str(error))
        raise
    code = exit_code(run, result, back=back)
    _tell_end(run, result)
    _tell_flags(app, result.flags)
    if last or code:
        _printed(flags, run, result)
    return told.ends(code, run.plan.ended(result), result.reason)


def _interrupted(run: Run, app: str, code: int) -> int:
    tell(f"{app}: interrupted; {words.stands(run.last) if run.last else 'nothing was begun'}")
    _tell_next(words.next_commands(app, run.last))
    return code


def _left(run: Run, app: str) -> int:
    """Say what stands of a release that its person left, which waits for one now."""
    tell(f"{app}: left; {words.stands(run.last) if run.last else 'nothing was begun'}")
    _tell_next(words.next_commands(app, run.last))
    return 4


def _tell_stopped(run: Run, app: str, error: DeployctlError) -> None:
    """Say what stands, unless nothing does or somebody else goes on with it."""
    if run.last and run.last.phase and not isinstance(error, Conflict):
        tell(f"{app}: stopped; {words.stands(run.last)}")
        _tell_next(words.next_commands(app, run.last))


def _tell_next(commands: tuple[str, ...]) -> None:
    for one in commands:
        tell(f"  next: {one}")


def _tell_end(run: Run, result: Result) -> None:
    app, seen = run.plan.names.app, run.last
    if result.stands:
        tell(f"{app}: {result.reason}; {words.stands(seen) if seen else ''}")
        _tell_next(words.next_commands(app, seen, stands_at_gate="promote" in result.reason))
    elif result.outcome and seen:
        side = seen.preview if result.outcome is Outcome.PROMOTED else seen.stable
        tell(words.ended(run.plan.ended(result), app, side.revision, result.reason))
        if result.armed:
            tell(f"{app}: the old side stands until keepOld has passed; then: deployctl finish {app}")
    _tell_offers(app, result.offers)


def _tell_offers(app: str, offers: tuple[str, ...]) -> None:
    """Tell what somebody else wrote in mid-release, and last the command that would release it."""
    for text in offers[:-1]:
        tell(f"{app}: warning: {text}")
    _tell_next(offers[-1:])


def _tell_flags(app: str, left: tuple[str, ...]) -> None:
    """Tell last what could not be done to the flags, each with the command that does it."""
    for text in left:
        what, _, command = text.partition("; ")
        tell(f"{app}: warning: {what}")
        _tell_next((command,))


def _printed(flags: Flags, run: Run, result: Result) -> None:
    """Print the result; that it cannot be is told, and does not change how the release ended."""
    try:
        _print(flags, run, result)
        sys.stdout.flush()
    except OSError as error:
        deafen(sys.stdout)
        tell(f"warning: the result was not printed: {error.strerror}")


def _print(flags: Flags, run: Run, result: Result) -> None:
    seen = run.last
    outcome = run.plan.ended(result)
    summary = {
        "apiVersion": "deployctl.dev/v1alpha1",
        "kind": "ReleaseResult",
        "app": run.plan.names.app,
        "namespace": run.plan.names.namespace,
        "outcome": outcome,
        "reason": result.reason,
        "stable": seen.stable.revision if seen else "",
        "preview": seen.preview.revision if seen else "",
        "writes": run.writes,
    } | ({"flags": list(result.flags)} if result.flags else {})
    if isinstance(run.story, Together):
        return run.story.ended(summary)
    return show(
        flags,
        summary,
        f"{run.plan.names.app} {outcome}",
        f"{run.plan.names.kind.lower()}.apps/{run.plan.names.deployment}",
    )


def show(flags: Flags, whole: Any, text: str, name: str = "") -> None:
    """Print a result as the flags ask for it; without a line where there is nothing to say."""
    if flags.output in {"json", "jsonl"}:
        print(json.dumps(whole, indent=2 if flags.output == "json" else None))
    elif flags.output == "yaml":
        import yaml

        print(yaml.safe_dump(whole, sort_keys=False), end="")
    elif said := name if flags.output == "name" else text:
        print(said)


def exit_code(run: Run, result: Result, *, back: bool) -> int:
    """Give the exit code: a rollback that did not get back by itself is degraded, whatever else it is."""
    if result.stands:
        return 4
    if result.outcome is run.plan.toward:
        return 0
    if result.outcome is Outcome.DEGRADED or run.plan.rollback:
        return 8
    return 0 if back else 5 if result.timed_out else 3
