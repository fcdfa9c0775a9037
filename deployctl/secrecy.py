"""What of a pod template may be a secret, told by its name: it is neither shown nor copied.

Secrets belong in a Secret, and a reference to one is no secret. Many templates hold them as literals all the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

HIDDEN = "(hidden)"
SECRET = re.compile(
    r"passw|passphrase|pwd|secret|token|credential|dsn|private|auth(?!or(?!i))|api_?key"
    r"|(?:^|[^a-z])(?:pass|key|keys|cred|creds)(?:$|[^a-z])",
    re.IGNORECASE,
)
LOGIN = re.compile(r"://[^/\s]*:[^/\s]*@")  # a URL with a password in it
NAMED = re.compile(r"\[([^\[\]]+)\]\.value$")  # a variable, or a header: env[NAME].value
WORDS = re.compile(r"\.(?:args|command)(?:\[\d+\])?$")


def secret(name: str) -> bool:
    """Say whether something of this name may be a secret."""
    return bool(SECRET.search(name))


def masked(value: Any, path: str = "") -> Any:
    """Give a value without what may be a secret in it; `path` ends in where it is, such as `env[NAME].value`."""
    if WORDS.search(path) and secret(json.dumps(value)):
        return HIDDEN
    if isinstance(value, dict):
        return {key: masked(one, f"{path}.{key}") for key, one in value.items()}
    if isinstance(value, list):
        return [masked(one, f"{path}[{_name(one)}]") for one in value]
    return HIDDEN if isinstance(value, str) and _telling(value, path) else value


def _name(item: Any) -> str:
    return str(item.get("name", "")) if isinstance(item, dict) else ""


def _telling(text: str, path: str) -> bool:
    named = NAMED.search(path)
    return bool(LOGIN.search(text) or (named and secret(named[1])))


def restored(shown: Any, live: Any) -> Any:
    """Put back what `masked` hid, from where `live` has it at the same place; what is not there is None.

    Items of a list go by their names, else by their positions.
    """
    if isinstance(shown, dict):
        known = live if isinstance(live, dict) else {}
        return {key: restored(one, known.get(key)) for key, one in shown.items()}
    if isinstance(shown, list):
        pairs = _pairs(shown, live if isinstance(live, list) else [])
        return [restored(one, other) for one, other in pairs]
    return live if shown == HIDDEN else shown


def _pairs(shown: list[Any], live: list[Any]) -> Iterator[tuple[Any, Any]]:
    names = {name: one for one in live if (name := _name(one))}
    for at, one in enumerate(shown):
        yield one, names.get(_name(one)) if _name(one) else (live[at] if at < len(live) else None)
