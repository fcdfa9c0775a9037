"""What the shell offers at TAB: names of the cluster, in time or not at all, and never a word of complaint."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from deployctl.cluster.api import Api

MOST_SECONDS = 0.4  # for the cluster, unless DEPLOYCTL_COMPLETION_SECONDS says so; the start comes on top
SAFE = re.compile(r"[A-Za-z0-9][\w.@:/-]*")  # zsh evaluates what it is offered, and a record may say anything
UNSAFE = re.compile(r"[^\w .,:@/()+-]")
NO_FILES, FILES = 4, 0  # directives of cobra, as kubectl reads them
Offer = tuple[str, str]  # a word and what is said of it


class Late(BaseException):
    """The cluster has not answered in time; no library on the way may take it for an error of its own."""


def apps(ctx: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the apps that were released in the namespace."""
    return _offered(ctx, incomplete, _apps)


def workloads(ctx: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the Deployments and StatefulSets of the namespace."""
    return _offered(ctx, incomplete, _workloads)


def revisions(ctx: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the revisions of the app that was named, the newest first."""
    return _offered(ctx, incomplete, lambda api: _revisions(api, _app(ctx)))


def releases(ctx: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the releases on record of the app that was named, the newest first."""
    return _offered(ctx, incomplete, lambda api: _releases(api, _app(ctx)))


def namespaces(ctx: typer.Context, incomplete: str) -> list[Offer]:
    return _offered(ctx, incomplete, lambda api: _named(_items(api, "/api/v1/namespaces")))


def contexts(ctx: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the contexts of the kubeconfig, which needs no cluster."""
    from deployctl.cluster.login import contexts_of
    from deployctl.errors import DeployctlError

    try:
        return _matching(((name, "") for name in contexts_of(ctx.params.get("kubeconfig"))), incomplete)
    except DeployctlError:
        return []


def outputs(incomplete: str) -> list[Offer]:
    from deployctl.cli.flags import OUTPUTS

    return _matching(((one, "") for one in OUTPUTS), incomplete)


def gates(incomplete: str) -> list[Offer]:
    """Offer the kinds of gates that are installed."""
    from deployctl.plugins import GATES, names

    return _matching(((one, "") for one in names(GATES)), incomplete)


def _offered(ctx: typer.Context, incomplete: str, ask: Callable[[Api], Iterable[Offer]]) -> list[Offer]:
    """Ask the cluster that the flags typed so far mean; without an answer in time nothing is offered."""
    if "/" in incomplete:
        return []
    try:
        with _in_time(_most_seconds()):
            return _matching(ask(_api(ctx.params)), incomplete)
    except Late:
        return []


def _app(ctx: typer.Context) -> str:
    """Name the app of the command line; after a flag that has no value yet its arguments are only left over."""
    return str(ctx.params.get("app") or next(iter(ctx.args), ""))


def _most_seconds() -> float:
    try:
        return float(os.environ.get("DEPLOYCTL_COMPLETION_SECONDS", MOST_SECONDS))
    except ValueError:
        return MOST_SECONDS


def _api(given: dict[str, Any]) -> Api:
    from deployctl.cluster.api import Api
    from deployctl.cluster.login import Target

    kubeconfig, context, where, as_ = map(given.get, ("kubeconfig", "context", "namespace", "as_"))
    return Api(Target(kubeconfig, context, where, as_, _most_seconds()))


@contextmanager
def _in_time(seconds: float) -> Iterator[None]:
    """Raise Late when the time is over, also out of a call that blocks; whatever the cluster says wrong is Late, too."""
    from deployctl.errors import DeployctlError

    def over(*_: object) -> None:
        raise Late

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except DeployctlError as error:
        raise Late from error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _matching(offers: Iterable[Offer], incomplete: str) -> list[Offer]:
    found = ((word, UNSAFE.sub("", said)) for word, said in offers if SAFE.fullmatch(word))
    return [one for one in found if one[0].startswith(incomplete)]


def _items(api: Api, where: str, **query: str) -> list[dict[str, Any]]:
    from deployctl.cluster.api import Request

    found: list[dict[str, Any]] = api.send(Request("GET", where, query=query)).get("items", [])
    return found


def _named(items: Iterable[dict[str, Any]]) -> Iterator[Offer]:
    return ((one["metadata"]["name"], "") for one in items)


def _apps(api: Api) -> Iterator[Offer]:
    from deployctl.cluster.paths import path
    from deployctl.glance import LABELLED, PREFIX

    records = _items(api, path(api.namespace, "configmaps"), labelSelector=LABELLED)
    return ((name.removeprefix(PREFIX), "") for name, _ in _named(records) if name.startswith(PREFIX))


def _workloads(api: Api) -> Iterator[Offer]:
    from deployctl.cluster.paths import path
    from deployctl.errors import DeployctlError

    for kind in ("deployments", "statefulsets"):
        with suppress(DeployctlError):
            yield from _named(_items(api, path(api.namespace, kind)))


def _revisions(api: Api, app: str) -> Iterator[Offer]:
    from deployctl.observe import revision
    from deployctl.past import past
    from deployctl.revisions import newest_first
    from deployctl.workload import hash_of, template_in

    for one in newest_first(past(api, app).sets if app else ()):
        images = ", ".join(each["image"] for each in template_in(one)["spec"]["containers"])
        yield str(revision(one)), f"{hash_of(one)} {images}"


def _releases(api: Api, app: str) -> Iterator[Offer]:
    from deployctl.record import Record

    found = Record(api, api.namespace, app).read().releases
    return ((one.id, f"{one.outcome or 'no end known'} {one.started}") for one in found)


def silent() -> None:
    """Say nothing on standard error from here on: not we, not a credential plugin, not a traceback."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def kubectl() -> None:
    """Answer kubectl, which runs `kubectl_complete-deployctl` with the words typed so far, the last unfinished.

    It reads a word a line, after a TAB what is said of it, and last a directive of cobra.
    """
    silent()
    found = completed(sys.argv[1:-1], sys.argv[-1] if sys.argv[1:] else "")
    for word, said in found:
        print(f"{word}\t{said}" if said else word)
    print(f":{NO_FILES if found else FILES}")


def completed(before: list[str], incomplete: str) -> list[Offer]:
    """Offer what may stand for the last word of a command line, as typer does for a shell."""
    from typer._click import shell_completion

    from deployctl.cli import app

    root = typer.main.get_command(app)
    ctx = shell_completion._resolve_context(root, {}, "deployctl", before)  # noqa: SLF001 - typer carries click inside
    asked, left = shell_completion._resolve_incomplete(ctx, before, incomplete)  # noqa: SLF001
    return [(one.value, one.help or "") for one in asked.shell_complete(ctx, left)]
