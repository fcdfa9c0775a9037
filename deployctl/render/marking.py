"""The little HTML that pages are made of."""

from __future__ import annotations

from html import escape


def tag(name: str, content: str = "", **given: str | float) -> str:
    """Write an element; `content` is HTML already, attributes are escaped."""
    return f"<{name}{attributes(**given)}>{content}</{name}>"


def attributes(**given: str | float) -> str:
    """Write attributes: `klass` is class, `aria_label` is aria-label; empty ones are left out."""
    return "".join(f' {_name(key)}="{_value(value)}"' for key, value in given.items() if value != "")


def lane(name: str, more: str, drawn: str) -> str:
    """Put a name beside a drawing."""
    small = tag("small", escape(more)) if more else ""
    return tag("div", tag("div", escape(name) + small, klass="name") + drawn, klass="lane")


def plot(content: str, **given: str | float) -> str:
    """Make the place that a lane is drawn in."""
    return tag("div", content, **{"klass": "plot", **given})


def percent(part: float) -> str:
    """Write a part of the width as CSS does."""
    return f"{100 * part:.2f}%"


def _name(key: str) -> str:
    return "class" if key == "klass" else key if key == "viewBox" else key.replace("_", "-")


def _value(value: str | float) -> str:
    return escape(value.strip()) if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
