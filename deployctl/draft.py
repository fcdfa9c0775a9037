"""Drafts the spec file of an app that runs: its Services, a strategy, and a gate that its pods really pass."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployctl.errors import UsageError
from deployctl.spec import read
from deployctl.workload import STATEFUL_SET

Json = dict[str, Any]
STRATEGIES = {"blueGreen": "{promote: auto, keepOld: 5m}", "rolling": "{batch: 25%, bake: 30s}"}
USUAL = ("/healthz", "/health", "/livez", "/readyz", "/ready", "/")
SCHEMA = "deployctl.schema.json"
NO_GATE = """  # No page of a pod answered 200, so there is no gate yet. `deployctl gate list` has the kinds there are, for example
  # gates: {before: [{name: smoke, http: {path: /healthz, expect: 200}}]}
"""


@dataclass(frozen=True, slots=True)
class Draft:
    """What goes into the file; `gate` is the page that the gate before the shift asks for, where there is one."""

    name: str
    namespace: str
    kind: str
    services: tuple[str, ...]
    strategy: str
    gate: str

    @property
    def text(self) -> str:
        """Write the file as a person would."""
        workload = "statefulSet" if self.kind == STATEFUL_SET else "deployment"
        ask = f"http: {{path: {_written(self.gate)}, expect: 200}}"
        gates = f"  gates:\n    before:\n      - {{name: smoke, {ask}}}\n" if self.gate else NO_GATE
        return (
            f"# yaml-language-server: $schema={SCHEMA}\n"
            "apiVersion: deployctl.dev/v1alpha1\n"
            "kind: App\n"
            f"metadata: {{name: {self.name.replace('.', '-')}, namespace: {self.namespace}}}\n"
            "spec:\n"
            f"  workload: {{{workload}: {self.name}, services: [{', '.join(self.services)}]}}\n"
            "  strategy:\n"
            f"    {self.strategy}: {STRATEGIES[self.strategy]}\n"
            "  drain: {preStop: 5s}\n"
            f"{gates}"
        )


def _written(page: str) -> str:
    return page if re.fullmatch(r"[\w./-]+", page) else json.dumps(page)


def pages(template: Json) -> Iterator[str]:
    """Give the pages that may say whether a pod is well: those that its probes ask for, then the usual ones."""
    containers: list[Json] = template["spec"]["containers"]
    asked = (
        ((one.get(probe) or {}).get("httpGet") or {}).get("path")
        for probe in ("livenessProbe", "readinessProbe")
        for one in containers
    )
    yield from dict.fromkeys((*filter(None, asked), *USUAL))


def answering(template: Json, passes: Callable[[str], bool]) -> str:
    """Give the first page that a gate passes on, or nothing."""
    return next((page for page in pages(template) if passes(page)), "")


def checked(draft: Draft) -> str:
    """Give the text, once it has been read as a spec file is."""
    read("-", stdin=io.BytesIO(draft.text.encode()))
    return draft.text


def write(text: str, name: str, *, force: bool) -> None:
    """Write the file; one that is there only by force."""
    try:
        with Path(name).open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise there_already(name) from error
    except OSError as error:
        raise UsageError(
            f"--out {name}: {error.strerror}", advice="name a file that can be written"
        ) from error


def there_already(name: str) -> UsageError:
    return UsageError(f"--out {name}: it is there already", advice="choose another --out, or pass --force")
