"""What `init` does: look at what runs, ask what is open, write the file."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from deployctl.cli.flags import Flags
from deployctl.cli.looking import reaching
from deployctl.cli.releasing import one_of
from deployctl.cli.session import connect, show, tell
from deployctl.cluster.api import Api
from deployctl.cluster.paths import path
from deployctl.cluster.proxy import through
from deployctl.cluster.view import Names
from deployctl.draft import SCHEMA, STRATEGIES, Draft, answering, checked, there_already, write
from deployctl.errors import UsageError
from deployctl.gates import Asked as Question
from deployctl.gates.http import Http
from deployctl.observe import live, ready
from deployctl.prepare import Found, find, guess, selector_of
from deployctl.workload import STATEFUL_SET
from strategies.analysis import Answer

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """The flags of `init` as they were given."""

    strategy: str
    services: tuple[str, ...]
    out: str
    force: bool


def init(flags: Flags, name: str, ask: Asked) -> None:
    """Write the file, and say what to run next."""
    if ask.out != "-" and Path(ask.out).exists() and not ask.force:
        raise there_already(ask.out)
    api = connect(flags)
    names = guess(api, name or _chosen(flags, api))
    names = Names(names.namespace, names.app, names.deployment, ask.services or names.services, names.kind)
    if not names.services:
        raise UsageError(
            f"no Service selects the pods of {names.deployment}: there is no traffic to move",
            advice="name one with --service, or apply the Service first",
        )
    there = find(api, names)
    draft = Draft(
        names.deployment,
        names.namespace,
        names.kind,
        names.services,
        _strategy(flags, names.kind, ask.strategy),
        _gate(api, there),
    )
    _written(flags, draft, ask)


def _written(flags: Flags, draft: Draft, ask: Asked) -> None:
    text = checked(draft)
    if ask.out == "-":
        print(text, end="")
        return
    write(text, ask.out, force=ask.force)
    schema = _schema(Path(ask.out).parent / SCHEMA)
    tell(
        f"gate smoke: {draft.gate} answered 200"
        if draft.gate
        else "no page answered 200: there is no gate yet"
    )
    command = reaching(flags, "deployctl", "plan", ask.out)
    whole = {
        "file": ask.out,
        "schema": schema,
        "app": draft.name,
        "services": draft.services,
        "next": command,
    }
    show(flags, whole, f"{ask.out} written\nnext\n  {command}", ask.out)


def _schema(file: Path) -> str:
    """Write the schema for editors beside the spec, unless there is one; give where it is."""
    if not file.exists():
        from deployctl.schema import schema

        write(json.dumps(schema(), indent=2) + "\n", str(file), force=False)
    return str(file)


def _chosen(flags: Flags, api: Api) -> str:
    """Ask which Deployment is meant, unless there is one alone."""
    every = api.get(path(api.namespace, "deployments"))["items"]
    names = [str(one["metadata"]["name"]) for one in every]
    if len(names) == 1:
        return names[0]
    if not names:
        raise UsageError(
            f"no Deployment in namespace {api.namespace}", advice="give --namespace, or apply it first"
        )
    if not _asks(flags):
        raise UsageError(
            f"init of which Deployment? There are {', '.join(names)}", advice=f"deployctl init {names[0]}"
        )
    return _answer("Deployment", names, names[0])


def _strategy(flags: Flags, kind: str, given: str) -> str:
    if kind == STATEFUL_SET:
        one_of("--strategy", given or "rolling", ("rolling",))
        return "rolling"
    one_of("--strategy", given or "blueGreen", tuple(STRATEGIES))
    return given or (_answer("strategy", list(STRATEGIES), "blueGreen") if _asks(flags) else "blueGreen")


def _asks(flags: Flags) -> bool:
    return not flags.no_input and sys.stdin.isatty()


def _answer(what: str, choices: list[str], usual: str) -> str:
    """Ask until the answer is one of the choices."""
    while True:
        answer = str(typer.prompt(f"{what} ({', '.join(choices)})", default=usual, err=True)).strip()
        if answer in choices:
            return answer
        tell(f"{answer}: expected one of {', '.join(choices)}")


def _gate(api: Api, there: Found) -> str:
    """Find a page that a ready pod answers with 200, by the very gate that will ask for it."""
    listed = api.get(path(api.namespace, "pods"), labelSelector=selector_of(there.deployment))["items"]
    pods = tuple(one for one in listed if live(one) and ready(one))[:1]
    ask = Question(pods, there.services[0], through(api, api.namespace))
    template = there.deployment["spec"]["template"]
    return (
        answering(template, lambda page: Http(path=page).measure(ask).answer is Answer.PASS) if pods else ""
    )
