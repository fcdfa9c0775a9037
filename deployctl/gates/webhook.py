"""The webhook gate asks somebody else's service, as Flagger or as Argo Rollouts asks it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import ClassVar, Literal

from deployctl.errors import DeployctlError
from deployctl.gates import Asked, Page
from deployctl.gates.credential import Credential, FilePath, Revealed, revealed
from deployctl.gates.fetch import Url, check_url, fetch, scrubbed, shown
from deployctl.gates.field import Field, as_text, parsed
from strategies.analysis import Answer, Measurement


@dataclass(frozen=True)
class Webhook:
    """Ask a service of yours whether the release may go on.

    url: of the service; its host must be among spec.gates.hosts
    like: flagger posts name, namespace, phase, checksum and metadata, and a 2xx is a yes; argo reads the answer's JSON
    metadata: sent along; of argo the whole body, which is only sent with POST
    method: of argo; flagger posts
    field: of argo's answer, and what it must be; without it the answer must be true, or {"ok": true}
    headers: sent along; nothing secret, for which there is token
    token: sent as a bearer token
    ca: a file of certificates that the url is trusted by, instead of the usual
    """

    RIGHTS: ClassVar = ("none in the cluster",)
    UNKNOWNS: ClassVar = (
        "no answer in time, a host that is not allowed, a redirect",
        "a 5xx of argo, an answer that is not JSON or lacks the field",
    )
    pod_wise: ClassVar = False

    url: Url
    like: Literal["flagger", "argo"] = "flagger"
    metadata: dict[str, str] = dataclasses.field(default_factory=dict)
    method: Literal["GET", "POST"] = "GET"
    field: Field | None = None
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    token: Credential | None = None
    ca: FilePath | None = None

    def __post_init__(self) -> None:
        check_url(self.url)
        if self.field and self.like == "flagger":
            raise ValueError("field: Flagger's convention is the status alone; expected like: argo beside it")

    def measure(self, asked: Asked) -> Measurement:
        """Ask once and judge by the convention."""
        where = shown(self.url)
        try:
            bearer = revealed(self.token, asked)
            page = self._fetch(asked, bearer)
        except DeployctlError as error:
            return Measurement(Answer.UNKNOWN, str(error))
        judge = self._by_status if self.like == "flagger" else self._by_answer
        return scrubbed(judge(where, page), bearer)

    def _fetch(self, asked: Asked, bearer: Revealed) -> Page:
        method = "POST" if self.like == "flagger" else self.method
        return fetch(
            asked,
            self.url,
            method=method,
            headers={"Content-Type": "application/json", **self.headers},
            body=self._body(asked) if method == "POST" else None,
            bearer=bearer,
            authority=self.ca,
        )

    def _body(self, asked: Asked) -> bytes:
        if self.like == "argo":
            return json.dumps(self.metadata).encode()
        about = asked.about
        whole = {
            "name": about.app,
            "namespace": about.namespace,
            "phase": "Progressing",
            "checksum": hashlib.sha256(about.preview.encode()).hexdigest()[:10],
            "metadata": {"stable": about.stable, "preview": about.preview, **self.metadata},
        }
        return json.dumps(whole).encode()

    def _by_status(self, where: str, page: Page) -> Measurement:
        if 300 <= page.status < 400:
            return Measurement(Answer.UNKNOWN, f"{where}: {page.status}, and redirects are not followed")
        answer = Answer.PASS if 200 <= page.status < 300 else Answer.FAIL
        return Measurement(answer, f"{where}: {page.status}" + ", expected 2xx" * (answer is Answer.FAIL))

    def _by_answer(self, where: str, page: Page) -> Measurement:
        if not 200 <= page.status < 300:
            return Measurement(Answer.UNKNOWN, f"{where}: {page.status}, expected 2xx")
        return self.field.judge(page.body, where) if self.field else _truth(page.body, where)


def _truth(body: bytes, where: str) -> Measurement:
    try:
        whole = parsed(body)
    except DeployctlError as error:
        return Measurement(Answer.UNKNOWN, f"{where}: {error}")
    said = whole.get("ok") if isinstance(whole, dict) else whole
    if not isinstance(said, bool):
        return Measurement(
            Answer.UNKNOWN, f"{where}: it says {as_text(said)}, which is neither true nor false"
        )
    return Measurement(Answer.PASS if said else Answer.FAIL, f"{where}: it says {as_text(said)}")
