"""The flags that every command shares, as kubectl users know them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any

import typer

from deployctl.cli import completing
from deployctl.errors import UsageError
from strategies.quantities import seconds

Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        "-n",
        envvar="DEPLOYCTL_NAMESPACE",
        help="Instead of the context's.",
        autocompletion=completing.namespaces,
    ),
]
Context = Annotated[
    str | None,
    typer.Option(envvar="DEPLOYCTL_CONTEXT", help="Of the kubeconfig.", autocompletion=completing.contexts),
]
Kubeconfig = Annotated[
    str | None, typer.Option(envvar="DEPLOYCTL_KUBECONFIG", help="Instead of $KUBECONFIG.")
]
As = Annotated[str | None, typer.Option("--as", envvar="DEPLOYCTL_AS", help="User to impersonate.")]
RequestTimeout = Annotated[
    str, typer.Option(envvar="DEPLOYCTL_REQUEST_TIMEOUT", help="For one call of the API, such as 15s.")
]
Output = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        envvar="DEPLOYCTL_OUTPUT",
        help="table, json, yaml, jsonl or name.",
        autocompletion=completing.outputs,
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", envvar="DEPLOYCTL_QUIET", help="Only results and errors.")
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", envvar="DEPLOYCTL_VERBOSE", help="Tell each write.")
]
Color = Annotated[str, typer.Option(envvar="DEPLOYCTL_COLOR", help="auto, always or never.")]
NoInput = Annotated[
    bool,
    typer.Option("--no-input", envvar="DEPLOYCTL_NO_INPUT", help="Never ask: a question becomes exit 2."),
]

Ci = Annotated[
    str,
    typer.Option(envvar="DEPLOYCTL_CI", help="none, github, gitlab or circleci; else by the environment."),
]
Junit = Annotated[
    str, typer.Option(metavar="FILE", envvar="DEPLOYCTL_JUNIT", help="Write the gates as JUnit XML.")
]
Dotenv = Annotated[
    str, typer.Option(metavar="FILE", envvar="DEPLOYCTL_DOTENV", help="Write the result as NAME=value lines.")
]

SHARED: dict[str, tuple[Any, Any]] = {
    "namespace": (Namespace, None),
    "context": (Context, None),
    "kubeconfig": (Kubeconfig, None),
    "as_": (As, None),
    "request_timeout": (RequestTimeout, "15s"),
    "output": (Output, "table"),
    "quiet": (Quiet, False),
    "verbose": (Verbose, False),
    "color": (Color, "auto"),
    "no_input": (NoInput, False),
}
IN_CI: dict[str, tuple[Any, Any]] = {"ci": (Ci, ""), "junit": (Junit, ""), "dotenv": (Dotenv, "")}
OUTPUTS = ("table", "json", "yaml", "jsonl", "name")


@dataclass(frozen=True, slots=True)
class Flags:
    """The shared flags as they were given."""

    namespace: str | None
    context: str | None
    kubeconfig: str | None
    as_: str | None
    request_timeout: str
    output: str
    quiet: bool
    verbose: bool
    color: str
    no_input: bool
    ci: str = ""
    junit: str = ""
    dotenv: str = ""

    def __post_init__(self) -> None:
        if self.output not in OUTPUTS:
            raise UsageError(f"--output {self.output}: unknown; expected one of {', '.join(OUTPUTS)}")
        if self.color not in {"auto", "always", "never"}:
            raise UsageError(f"--color {self.color}: unknown; expected one of auto, always, never")

    @property
    def machine(self) -> bool:
        """Whether standard output is for a program."""
        return self.output in {"json", "yaml", "jsonl"}


def running(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command that runs a release the shared flags, and those for what a CI job leaves."""
    return shared(command, IN_CI)


def shared(
    command: Callable[..., None], more: Mapping[str, tuple[Any, Any]] = MappingProxyType({})
) -> Callable[..., None]:
    """Give a command the shared flags, and `more`: its first parameter receives them as one `Flags`."""
    known = {**SHARED, **more}
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    keyword = inspect.Parameter.KEYWORD_ONLY
    ours = [
        inspect.Parameter(name, keyword, default=default, annotation=kind)
        for name, (kind, default) in known.items()
    ]

    def wired(**given: Any) -> None:
        flags = Flags(**{name: given.pop(name) for name in known})
        command(flags, **given)

    wired.__name__, wired.__doc__ = command.__name__, command.__doc__
    parameters = [*(one.replace(kind=keyword) for one in own), *ours]
    wired.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wired.__annotations__ = {one.name: one.annotation for one in parameters}
    return wired


def span(flag: str, text: str) -> float:
    """Read a duration given to a flag."""
    try:
        return seconds(text)
    except ValueError as error:
        raise UsageError(f"{flag} {text}: expected a duration with a unit such as 30s") from error
