"""The pages on flags of one provider each, played in a sandbox beside the provider's server or what stands in for it."""

from __future__ import annotations

import pytest

from tests.answering import serving
from tests.docs.pages import ROOT
from tests.docs.shell import Shell, check
from tests.docs.test_practice import shell  # noqa: F401 - a fixture
from tests.flags.darkly import TOKEN, Darkly, flag
from tests.flags.evaluating import evaluating
from tests.servers import unleash as servers
from tests.servers.running import scratch


@pytest.fixture(autouse=True)
def tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what the specs of the pages name, before the shell takes its environment."""
    monkeypatch.setenv("LD_API_TOKEN", TOKEN)
    monkeypatch.setenv("UNLEASH_ADMIN", servers.ADMIN)
    monkeypatch.setenv("UNLEASH_CLIENT", servers.CLIENT)


def test_flagd(shell: Shell, *, rewrite: bool) -> None:  # noqa: F811
    flags = shell.folder / "flags.json"
    with evaluating(flags) as first, evaluating(flags) as second:
        shell.addresses = {"http://flagd-0.flagd:8016": first.url, "http://flagd-1.flagd:8016": second.url}
        check(ROOT / "docs/flags-flagd.md", shell, rewrite=rewrite)


def test_launchdarkly(shell: Shell, *, rewrite: bool) -> None:  # noqa: F811
    flags = (flag("new-wallet", [True, False]), flag("safe-mode", [True, False]))
    with serving(Darkly({one["key"]: one for one in flags})) as server:
        shell.addresses = {"https://app.launchdarkly.com": server.url}
        check(ROOT / "docs/flags-launchdarkly.md", shell, rewrite=rewrite)


@pytest.mark.gates
def test_unleash(shell: Shell, *, rewrite: bool) -> None:  # noqa: F811
    with scratch("unleash") as at, servers.unleash(at) as server:
        server.make("new-wallet")
        shell.addresses = {"https://unleash.igaming.example": server.url}
        check(ROOT / "docs/flags-unleash.md", shell, rewrite=rewrite)
