"""`sandbox`: a practice cluster of local processes, from its start to its end."""

from __future__ import annotations

from typing import Annotated

import typer

sandbox = typer.Typer(
    name="sandbox",
    help=(
        "Practise without a cluster: the Kubernetes API, its controllers and real local pods on this machine.\n\n"
        "Try it: deployctl sandbox up, then what it prints. It has a kubeconfig of its own, and no command of"
        " it touches another cluster; the other commands reach it only through --kubeconfig or KUBECONFIG."
    ),
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Output = Annotated[
    str, typer.Option("--output", "-o", envvar="DEPLOYCTL_OUTPUT", help="table or json.", metavar="FORMAT")
]
Port = Annotated[int, typer.Option(help="Of the API; a free one by default.", min=0, max=65535)]
Pods = Annotated[
    int | None, typer.Option(help="Of each example service, instead of 6; 0 installs none.", min=0, max=50)
]
Files = Annotated[list[str], typer.Argument(metavar="FILE|DIR...", help="Manifests; - is stdin.")]
Namespace = Annotated[str, typer.Option("--namespace", "-n", help="Of objects that name none.")]
Scenario = Annotated[str, typer.Option(metavar="NAME", help="The story to tell; see --list.")]
Out = Annotated[str, typer.Option(metavar="PATH", help="Where the page with the picture goes.")]
Color = Annotated[str, typer.Option(envvar="DEPLOYCTL_COLOR", help="auto, always or never.")]
List = Annotated[bool, typer.Option("--list", help="List the stories.")]


@sandbox.command()
def up(*, port: Port = 0, pods: Pods = None, output: Output = "table") -> None:
    """Start the sandbox, with the example platform in it.

    It outlives its terminal; where it runs already, that is said (exit 0). Exit codes: 0 it runs, 2 the port is taken.

    Example: deployctl sandbox up && export KUBECONFIG="$(deployctl sandbox kubeconfig --path)"
    """
    from deployctl.cli import practising

    practising.up(port, pods, practising.form(output))


@sandbox.command()
def down(*, output: Output = "table") -> None:
    """End the sandbox and all its pods.

    Its state is gone. Where none runs there is nothing to do (exit 0).
    """
    from deployctl.cli import practising

    practising.down(practising.form(output))


@sandbox.command()
def status(*, output: Output = "table") -> None:
    """Show its Services, pods and age.

    Each Service with its address on this machine and the revisions that answer there.

    Exit codes: 0 it runs, 1 it does not.
    """
    from deployctl.cli import practising

    raise typer.Exit(practising.status(practising.form(output)))


@sandbox.command()
def kubeconfig(
    *, path: Annotated[bool, typer.Option("--path", help="Print where the file is instead.")] = False
) -> None:
    """Print its kubeconfig.

    The content, for a file of your own; --path says where the sandbox keeps it.

    Example: export KUBECONFIG="$(deployctl sandbox kubeconfig --path)"
    """
    from deployctl.cli import practising

    practising.kubeconfig(path=path)


@sandbox.command()
def apply(files: Files, *, namespace: Namespace = "igaming") -> None:
    """Apply manifests, without kubectl.

    What is new is created, else what the files say is merged in, as kubectl apply does.
    All of them are read and checked first: a kind that the sandbox does not serve is named, and nothing is done.

    Example: deployctl sandbox apply manifests/igaming/balances
    """
    from deployctl.cli import practising

    practising.apply(files, namespace)


@sandbox.command()
def demo(
    *,
    scenario: Scenario = "",
    list_: List = False,
    out: Out = "deployctl-demo.html",
    output: Output = "table",
    color: Color = "auto",
) -> None:
    """Tell a story: real releases under load.

    In a sandbox of its own, which ends with the story.

    Example: deployctl sandbox demo --scenario happy
    """
    from deployctl.cli import practising

    if list_:
        practising.stories(practising.form(output))
    else:
        raise typer.Exit(practising.demo(scenario, practising.form(output), out, color))
