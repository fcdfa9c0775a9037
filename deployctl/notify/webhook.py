"""The webhook notifier posts a notice as JSON to a service of yours."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import ClassVar

from deployctl.errors import DeployctlError
from deployctl.gates import Asked
from deployctl.gates.credential import Credential, FilePath, revealed
from deployctl.gates.fetch import Url, check_url, fetch, shown
from deployctl.notify import Notice


@dataclass(frozen=True)
class Webhook:
    """Post what has happened to a service of yours, as JSON; a 2xx is heard.

    url: of the service; its host must be among spec.gates.hosts
    headers: sent along; nothing secret, for which there is token
    token: sent as a bearer token
    ca: a file of certificates that the url is trusted by, instead of the usual
    """

    RIGHTS: ClassVar = ("none in the cluster",)

    url: Url
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    token: Credential | None = None
    ca: FilePath | None = None

    def __post_init__(self) -> None:
        check_url(self.url)

    def tell(self, notice: Notice, asked: Asked) -> None:
        whole = {"apiVersion": "deployctl.dev/v1alpha1", "kind": "Notice", **notice.plain}
        page = fetch(
            asked,
            self.url,
            method="POST",
            headers={"Content-Type": "application/json", **self.headers},
            body=json.dumps(whole).encode(),
            bearer=revealed(self.token, asked),
            authority=self.ca,
        )
        if not 200 <= page.status < 300:
            raise DeployctlError(f"{shown(self.url)}: {page.status}, expected 2xx")
