"""The slack notifier posts a notice to an incoming webhook, whose URL is the secret."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import ClassVar
from urllib.parse import urlsplit

from deployctl.errors import DeployctlError
from deployctl.gates import Asked
from deployctl.gates.credential import Credential
from deployctl.gates.fetch import check_url, cut, fetch
from deployctl.notify import BAD, Notice

HOST = "hooks.slack.com"


@dataclass(frozen=True)
class Slack:
    """Post what has happened to an incoming webhook of Slack, or of what speaks as Slack does.

    url: where its URL is; the host is hooks.slack.com, or among spec.gates.hosts
    """

    RIGHTS: ClassVar = ("get of the one Secret, where the URL is in one",)

    url: Credential

    def tell(self, notice: Notice, asked: Asked) -> None:
        """Post it; what a server says is told without the URL, whose path lets anybody post."""
        url = self.url.reveal(asked)
        host = _host(url.plain, str(self.url))
        mark = ":red_circle:" if notice.what in BAD else ":large_blue_circle:"
        body = json.dumps({"text": f"{mark} {escaped(notice.text)}"}).encode()
        allowed = replace(asked, hosts=(*asked.hosts, HOST))
        try:
            page = fetch(
                allowed, url.plain, method="POST", headers={"Content-Type": "application/json"}, body=body
            )
        except DeployctlError as error:
            raise DeployctlError(f"{host}: {_without(url.plain, str(error))}") from None
        if page.status != 200:
            said = cut(page.body.decode(errors="replace"))
            raise DeployctlError(f"{host}: {page.status}, {_without(url.plain, said)}")


def escaped(text: str) -> str:
    """Write a text so that it mentions nobody and links nowhere, as Slack asks for.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _host(url: str, where: str) -> str:
    """Name the host of a URL that must not be shown."""
    try:
        check_url(url)
        parts = urlsplit(url)
    except ValueError:
        raise DeployctlError(f"{where} holds no URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise DeployctlError(f"{where} holds no URL that starts with https://")
    return parts.hostname


def _without(url: str, text: str) -> str:
    """Take the URL's path and query out of somebody else's words, whole or in parts."""
    parts = urlsplit(url)
    pieces = (url, url.partition("?")[0], parts.path, parts.query, *parts.path.split("/"))
    for one in sorted({each for each in pieces if len(each) > 3}, key=len, reverse=True):
        text = text.replace(one, "(hidden)")
    return text
