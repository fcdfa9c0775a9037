"""What a real cluster answered: one text a group, one part a probe, written by `pytest -m cluster --rewrite`."""

from __future__ import annotations

from pathlib import Path

from tests.contracts.cluster.probes import PROBES, Named

FOLDER = Path(__file__).parent / "seen"


def _file(group: str) -> Path:
    return FOLDER / f"{group}.txt"


def _parts(group: str) -> dict[str, str]:
    if not _file(group).exists():
        return {}
    whole = _file(group).read_text().split("\n## ")
    heads = (part.removeprefix("## ").partition("\n") for part in whole if part)
    return {name: text.strip("\n") for name, _, text in heads}


def of(probe: Named) -> str:
    """Give what was seen of a probe; empty where nothing was written down."""
    return _parts(probe.group).get(probe.name, "")


def told(probe: Named, lines: list[str]) -> str:
    """Write what a probe saw as it stands in the file."""
    return "\n".join([f"# {probe.fact}", *lines]).strip("\n")


def keep(probe: Named, text: str) -> None:
    """Write down what was seen; probes that are no more leave the file."""
    parts = {**_parts(probe.group), probe.name: text}
    order = [one.name for one in PROBES if one.group == probe.group and one.name in parts]
    FOLDER.mkdir(exist_ok=True)
    _file(probe.group).write_text("\n\n".join(f"## {name}\n{parts[name]}" for name in order) + "\n")
