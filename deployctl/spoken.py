"""What a person says with --reason: one line of bounded length, which no terminal obeys and which gives no secret away.

It is foreign text in the terminal of whoever reads the record later, so it is made harmless twice: when it is
written down, and again when it is shown, for others can write the record, too.
"""

from __future__ import annotations

import re
import sys

from deployctl.secrecy import HIDDEN, LOGIN, secret

MOST_LETTERS = 300
MORE = "…"
# What a terminal obeys (ECMA-48): control sequences, commands to the window, two-letter escapes.
ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
ASSIGNED = re.compile(r"([\w-]+)=(\S+)")


def harmless(text: str) -> str:
    """Give a text as one line: what a terminal would obey, and what turns the direction of writing, is a blank.

    Lone surrogates, which undecodable arguments leave, are blanks as well: no encoder takes them.
    """
    return "".join(one if one.isprintable() else " " for one in text)


def reason(text: str) -> str:
    """Give what was said as it is kept: in one line, without a password or a token, at most 300 letters of it."""
    return cut(_secretless(" ".join(harmless(ESCAPE.sub(" ", text)).split())), MOST_LETTERS)


def heard(text: str) -> str:
    """Give a reason as it is kept, and say so on standard error where not all of it is."""
    kept = reason(text)
    if kept.endswith(MORE) and len(text) > MOST_LETTERS:
        print(f"warning: --reason: the first {MOST_LETTERS} letters are kept", file=sys.stderr)
    return kept


def because(told: str, why: str) -> str:
    """Add a reason to what is told, where there is one: `aborted by ann: errors in checkout`."""
    return f"{told}: {why}" if why else told


def cut(text: str, most: int) -> str:
    """Give at most so many letters of a text; that there was more is seen."""
    return text if len(text) <= most else text[: most - 1] + MORE


def _secretless(text: str) -> str:
    """Hide what is assigned to a telling name, and the login in a URL: `API_TOKEN=(hidden)`."""
    text = LOGIN.sub(f"://{HIDDEN}@", text)
    return ASSIGNED.sub(lambda one: f"{one[1]}={HIDDEN}" if secret(one[1]) else one[0], text)
