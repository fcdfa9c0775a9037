"""What of a pod template may be a secret, told by its name: it is neither shown nor copied.

Secrets belong in a Secret, and a reference to one is no secret. Many templates hold them as literals all the same.
"""

from __future__ import annotations

import json
import re
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
