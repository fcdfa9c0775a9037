"""Writes deployctl/sandbox/objects/fields.json: the fields of every kind served, from the Go sources of Kubernetes.

`python -m tests.sandbox.write_fields ~/go/pkg/mod/k8s.io`; the build of the test cluster fetches the sources.
A field is its Go type and what else its tags and comments say:

    omit        left out where it is empty (a struct never is)
    merge=KEY   strategic patches merge the list by this key; `merge` alone: a list of plain values
    retain      strategic patches may name the keys to keep
    go=TYPE   the type has a name of its own; `in=TYPE`: the field is of a type embedded in this one
    keys=A,B    managedFields tell elements apart by these; `set`: by their value; `atomic`: not at all
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from deployctl.sandbox.resources import RESOURCES

RELEASE = "v0.35.4"
OUT = Path(__file__).parents[2] / "deployctl/sandbox/objects/fields.json"
SOURCES = (
    f"apimachinery@{RELEASE}/pkg/apis/meta/v1/types.go",
    f"api@{RELEASE}/discovery/v1/types.go",  # before core, whose EndpointPort is that of Endpoints
    f"api@{RELEASE}/core/v1/types.go",
    f"api@{RELEASE}/apps/v1/types.go",
    f"api@{RELEASE}/autoscaling/v2/types.go",
    f"api@{RELEASE}/policy/v1/types.go",
    f"api@{RELEASE}/coordination/v1/types.go",
    f"api@{RELEASE}/authorization/v1/types.go",
)
PLAIN = {"IntOrString", "Quantity", "Time", "MicroTime", "Duration", "FieldsV1", "RawExtension"}
BASIC = {"string", "bool", "int32", "int64", "float64", "byte"}
MORE = ("Scale", "Eviction", "DeleteOptions")
FIELD = re.compile(r"^\t(?:(\w+)\s+)?([\w.*\[\]]+)\s+`(.*)`")


def main(folder: Path) -> None:
    structs, aliases = read(folder)
    names = [one.kind for one in RESOURCES] + [name for name in MORE if name in structs]
    found = {name: structs[name] for name in reached(names, structs, aliases)}
    known = {
        name: {field: written(kind, notes, structs, aliases) for field, (kind, notes) in flat(name, structs)}
        for name, _ in sorted(found.items())
    }
    OUT.write_text(json.dumps(known, indent=0, separators=(",", ":")) + "\n")


def read(folder: Path) -> tuple[dict[str, dict], dict[str, str]]:
    """Give the structs, field by field, and the other named types."""
    structs: dict[str, dict] = {}
    aliases: dict[str, str] = {"UID": "string"}
    for source in SOURCES:
        comments: list[str] = []
        name = None
        for line in (folder / source).read_text().splitlines():
            if line.strip().startswith("//"):
                comments.append(line.strip().removeprefix("//").strip())
                continue
            if opened := re.match(r"^type (\w+) struct \{", line):
                name = opened[1] if opened[1] not in structs else None
                if name:
                    structs[name] = {"": ("", "atomic" if "+structType=atomic" in comments else "")}
            elif other := re.match(r"^type (\w+)\s+([\w.*\[\]]+)$", line):
                aliases.setdefault(other[1], re.sub(r"\b\w+\.", "", other[2]))
            elif line == "}":
                name = None
            elif name and (field := FIELD.match(line)):
                structs[name] |= dict([parsed(field, comments)])
            comments = []
    return structs, aliases


def parsed(field: re.Match[str], comments: list[str]) -> tuple[str, tuple[str, str]]:
    tags = dict(re.findall(r'(\w+):"([^"]*)"', field[3]))
    name, *options = tags["json"].split(",")
    kind = re.sub(r"\b\w+\.", "", field[2])
    if "inline" in options or (not name and not field[1]):
        return f"^{kind}", (kind, "")
    return name, (kind, " ".join(notes(options, tags, comments)))


def notes(options: list[str], tags: dict[str, str], comments: list[str]) -> Iterator[str]:
    if {"omitempty", "omitzero"} & set(options):
        yield "zero" if "omitzero" in options else "omit"
    strategy = tags.get("patchStrategy", "").split(",")
    if "merge" in strategy:
        yield f"merge={tags['patchMergeKey']}" if "patchMergeKey" in tags else "merge"
    if "retainKeys" in strategy:
        yield "retain"
    keys = [one.split("=")[1] for one in comments if one.startswith("+listMapKey=")]
    if "+listType=map" in comments:
        yield f"keys={','.join(keys)}"
    if "+listType=set" in comments:
        yield "set"
    if {"+listType=atomic", "+mapType=atomic", "+structType=atomic"} & set(comments):
        yield "atomic"


def flat(name: str, structs: dict[str, dict]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Give the fields of a struct with those of the structs inlined in it."""
    for field, (kind, said) in structs[name].items():
        if field.startswith("^"):
            where = "" if kind == "TypeMeta" else f" in={kind}"
            yield from ((one, (what, notes + where)) for one, (what, notes) in flat(kind, structs) if one)
        elif field or said:
            yield field, (kind, said)


def reached(names: list[str], structs: dict[str, dict], aliases: dict[str, str]) -> set[str]:
    seen: set[str] = set()
    while names:
        if (name := names.pop()) in seen or name not in structs:
            continue
        seen.add(name)
        names += [inner(resolved(kind, structs, aliases)) for _, (kind, _said) in flat(name, structs)]
    return seen


def resolved(kind: str, structs: dict[str, dict], aliases: dict[str, str]) -> str:
    """Give a type without its aliases: `*PullPolicy` is `*string`, `ResourceList` a map of quantities."""
    head, name = re.match(r"^((?:\*|\[\]|map\[\w+\])*)(\w*)$", kind).groups()
    head = re.sub(r"map\[\w+\]", "map[string]", head)
    if name in structs or name in PLAIN | BASIC or not name:
        return head + name
    return head + resolved(aliases[name], structs, aliases)


def inner(kind: str) -> str:
    return re.sub(r"\*|\[\]|map\[\w+\]", "", kind)


def written(kind: str, said: str, structs: dict[str, dict], aliases: dict[str, str]) -> str:
    whole = resolved(kind, structs, aliases)
    named = f"go={kind.removeprefix('*')}" if inner(kind) in aliases else ""
    return " ".join(filter(None, (whole, said.strip(), named)))


if __name__ == "__main__":
    main(Path(sys.argv[1]).expanduser())
