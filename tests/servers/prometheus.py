"""Prometheus, and an exporter whose numbers a test sets."""

from __future__ import annotations

import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.answering import Reply, serving
from tests.servers import packages
from tests.servers.running import Server, eventually, folder, free_port, own, running, scratch

CONFIG = """\
global: {{scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 1s}}
scrape_configs:
  - job_name: exporter
    static_configs: [{{targets: ["{target}"], labels: {{namespace: igaming}}}}]
"""


def binary() -> Path:
    """Give the program, unpacked from Debian's package once."""
    at = packages.folder() / "prometheus"
    with packages._alone("prometheus", at) as missing:
        if missing:
            _unpack(at)
    return at / "usr/bin/prometheus"


def _unpack(at: Path) -> None:
    downloads, half = packages.folder() / "prometheus.debs", at.with_suffix(".half")
    for one in (downloads, half):
        shutil.rmtree(one, ignore_errors=True)
    (downloads / "partial").mkdir(parents=True)
    options = ("-qq", "-o", f"Dir::Cache::archives={downloads}", "-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1")  # fmt: skip
    words = ("apt-get", "install", "--download-only", "--yes", "--reinstall", "--no-install-recommends", *options, "prometheus")  # fmt: skip
    try:
        packages._run(*words)
    except packages.NotToBeHad:
        packages._run("apt-get", "-qq", "update")
        packages._run(*words)
    for one in downloads.glob("prometheus_*.deb"):
        packages._run("dpkg-deb", "--extract", str(one), str(half))
    shutil.rmtree(downloads)
    half.rename(at)


@dataclass
class Exporter:
    """What is scraped: `text` in the Prometheus format, or nothing while it is `down`."""

    text: str = ""
    down: bool = False
    scrapes: int = field(default=0)

    def answer(self, _call: object) -> Reply:
        self.scrapes += 1
        return (
            Reply(503, b"") if self.down else Reply(200, self.text.encode(), {"Content-Type": "text/plain"})
        )


@dataclass
class Scraped:
    """A Prometheus that scrapes an exporter of ours five times a second."""

    url: str
    exporter: Exporter
    server: Server


@contextmanager
def prometheus() -> Iterator[Scraped]:
    exporter, port = Exporter(), free_port()
    with scratch("prometheus") as at, serving(exporter.answer) as target:
        config = at / "prometheus.yml"
        config.write_text(CONFIG.format(target=target.url.removeprefix("http://")))
        own(config)
        url = f"http://127.0.0.1:{port}"
        words = (
            str(binary()),
            f"--config.file={config}",
            f"--storage.tsdb.path={folder(at / 'data')}",
            f"--web.listen-address=127.0.0.1:{port}",
        )
        server = Server("prometheus", words, at, lambda: _ready(url))
        with running(server):
            eventually(lambda: exporter.scrapes)  # it finds its targets every five seconds only
            yield Scraped(url, exporter, server)


def _ready(url: str) -> bool:
    with urllib.request.urlopen(f"{url}/-/ready", timeout=1) as answer:
        return bool(answer.status == 200)
