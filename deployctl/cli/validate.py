"""`validate`, `schema` and `version`: what needs no release."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path
from typing import Annotated

import typer

from deployctl._version import __version__
from deployctl.cli.flags import Flags, shared

Files = Annotated[
    list[str], typer.Argument(metavar="FILE...", help="Spec files or their folders; - is stdin.")
]
Document = Annotated[str, typer.Argument(metavar="[spec|plan]", help="Of the spec file, or of a plan file.")]
Client = Annotated[bool, typer.Option("--client", help="Do not ask the server.")]


@shared
def validate(flags: Flags, files: Files) -> None:
    """Check spec files and their manifests, without a cluster; every problem at once, each at its line.

    Example: deployctl validate deployctl.yaml
    """
    from deployctl.autoscaling.calendar import checked
    from deployctl.cli.session import folder_of, show
    from deployctl.errors import Problem, SpecError
    from deployctl.spec import read

    problems: list[Problem] = []
    warnings: list[Problem] = []
    apps: list[str] = []
    for file in files:
        try:
            loaded = read(file)
            for app in loaded.apps:
                checked(app.spec.autoscaling, app.name, folder_of(file) or Path())
        except SpecError as error:
            problems += error.problems
            continue
        warnings += loaded.warnings
        apps += [app.name for app in loaded.apps]
    for one in warnings:
        print(f"warning: {one}", file=sys.stderr)
    if problems and not flags.machine:
        raise SpecError(problems)
    whole = {"valid": not problems, "apps": apps, "problems": [str(one) for one in problems]}
    show(flags, whole, "\n".join(f"{name}: valid" for name in apps))
    raise typer.Exit(2 if problems else 0)


@shared
def schema(flags: Flags, document: Document = "spec") -> None:
    """Print the JSON Schema of the spec file, for editors, or of the file that `plan --out` writes.

    Example: deployctl schema > deployctl.schema.json
    """
    from deployctl.errors import UsageError
    from deployctl.schema import of_plan_file
    from deployctl.schema import schema as of_spec

    del flags
    made = {"spec": of_spec, "plan": of_plan_file}.get(document)
    if made is None:
        raise UsageError(f"no schema of {document}; expected spec or plan")
    print(json.dumps(made(), indent=2))


@shared
def version(flags: Flags, *, client: Client = False) -> None:
    """Print the versions of the client and, where one answers, of the server.

    Example: deployctl version
    """
    from deployctl.cli.session import show

    whole = {
        "client": __version__,
        "python": platform.python_version(),
        "server": "" if client else _server(flags),
    }
    server = f", Kubernetes {whole['server']}" if whole["server"] else ""
    show(flags, whole, f"deployctl {__version__} (Python {whole['python']}{server})")


def _server(flags: Flags) -> str:
    from deployctl.cli.session import connect
    from deployctl.errors import DeployctlError

    try:
        found: str = connect(flags).get("/version")["gitVersion"]
    except DeployctlError as error:
        print(f"warning: no server: {error}", file=sys.stderr)
        return ""
    return found
