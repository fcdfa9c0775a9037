"""Writes deployctl/sandbox/api/numbers.json: the numbers of every field in protobuf, from the sources of Kubernetes.

`python tests/sandbox/write_numbers.py ~/go/pkg/mod/k8s.io`; a name with a colon before it is a message whose
fields JSON shows as fields of the message around it (`Probe` has a `:ProbeHandler`).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

RELEASE = "v0.35.4"
FOLDER = Path(__file__).parents[2] / "deployctl/sandbox"
SOURCES = (
    f"apimachinery@{RELEASE}/pkg/apis/meta/v1",
    f"api@{RELEASE}/core/v1",
    f"api@{RELEASE}/apps/v1",
    f"api@{RELEASE}/autoscaling/v2",
    f"api@{RELEASE}/policy/v1",
    f"api@{RELEASE}/discovery/v1",
    f"api@{RELEASE}/coordination/v1",
    f"api@{RELEASE}/authorization/v1",
)
MESSAGE = re.compile(r"^message (\w+) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
FIELD = re.compile(
    r"^  (?:optional |repeated |required )?(?:map<\w+, *)?([\w.]+)>? (\w+) = (\d+);", re.MULTILINE
)


def messages(root: Path) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    for source in SOURCES:
        text = (root / source / "generated.proto").read_text()
        yield from ((name, FIELD.findall(body)) for name, body in MESSAGE.findall(text))


def main(root: Path) -> None:
    known = json.loads((FOLDER / "objects/fields.json").read_text())
    every: dict[str, list[tuple[str, str, str]]] = {}
    for name, fields in messages(root):
        every.setdefault(name, fields)
    numbers: dict[str, str] = {}

    def write(name: str, owner: str) -> None:
        rows = []
        for kind, field, number in every[name]:
            if field in known[owner]:
                rows.append(f"{number}={field}")
                continue
            inner = kind.rpartition(".")[2]
            if inner in every and inner not in numbers:
                write(inner, owner)
            rows.append(f"{number}=:{inner}")
        numbers[name] = " ".join(rows)

    for name in sorted(known.keys() & every.keys()):
        write(name, name)
    text = ",\n".join(f"{json.dumps(name)}: {json.dumps(numbers[name])}" for name in sorted(numbers))
    (FOLDER / "api/numbers.json").write_text(f"{{\n{text}\n}}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]).expanduser())
