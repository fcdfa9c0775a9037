"""Quantities of cpu, memory and the like: read, counted and written as the API writes them.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import re
from decimal import ROUND_UP, Decimal
from functools import lru_cache

BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
FORM = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|)|[eE]([+-]?\d+))")
WRONG = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


@lru_cache(maxsize=4096)
def amount(text: str | float) -> Decimal:
    """Read a quantity; ValueError where it is none."""
    form = FORM.fullmatch(str(text).strip())
    if not form:
        raise ValueError(WRONG)
    number, suffix, exponent = form.groups()
    if suffix in BINARY:
        return Decimal(number) * Decimal(1024) ** BINARY[suffix]
    return Decimal(number).scaleb(DECIMAL[suffix] if exponent is None else int(exponent))


def millis(text: str | float) -> int:
    """Give a quantity in thousandths, rounded up."""
    return int((amount(text) * 1000).to_integral_value(ROUND_UP))


def whole(text: str | float) -> int:
    """Give a quantity in units, rounded up."""
    return int(amount(text).to_integral_value(ROUND_UP))


@lru_cache(maxsize=4096)
def canonical(text: str | float) -> str:
    """Write a quantity as the server keeps it: `0.5` is `500m`, `1024Mi` is `1Gi`, `1000m` is `1`."""
    form = FORM.fullmatch(str(text).strip())
    value = amount(text)
    if form and form[3] is not None:
        return _exponent(value)
    if form and form[2] in BINARY:
        return written(value, binary=True)
    return written(value)


@lru_cache(maxsize=4096)
def rounded(text: str | float) -> str:
    """Write a quantity of a resource as the server keeps it: rounded up to thousandths."""
    if amount(text) * 1000 % 1 == 0:
        return canonical(text)
    return written(Decimal(millis(text)) / 1000)


def written(value: Decimal | int, *, binary: bool = False) -> str:
    """Write a number with the largest suffix that leaves it whole."""
    value = Decimal(value)
    if binary and abs(value) >= 1024 and value == int(value):
        return _binary(int(value))
    if value == 0:
        return "0"
    for suffix, power in reversed(DECIMAL.items()):
        scaled = value.scaleb(-power)
        if scaled == scaled.to_integral_value():
            return f"{int(scaled)}{suffix}"
    return f"{int(value.scaleb(9).to_integral_value(ROUND_UP))}n"


def _binary(value: int) -> str:
    power = 0
    while value % 1024 == 0 and power < len(BINARY):
        value, power = value // 1024, power + 1
    return f"{value}{['', *BINARY][power]}"


def _exponent(value: Decimal) -> str:
    text = written(value)
    number, suffix = re.fullmatch(r"(-?\d+)(\D?)", text).groups()  # type: ignore[union-attr] # just written
    return f"{number}e{DECIMAL[suffix]}" if suffix else number
