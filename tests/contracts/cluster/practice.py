"""The sandbox as a backend: over its wire on loopback, in time that passes only when a probe waits."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from deployctl.sandbox.api.apiserver import ApiServer
from deployctl.sandbox.api.wire import serve
from deployctl.sandbox.cluster import Cluster
from deployctl.sandbox.controllers import employ_all
from deployctl.sandbox.pods.imagined import Imagined
from tests.cluster.bed.layout import layout
from tests.contracts.cluster.real import Follower, exchanged

KUBECTL_BINARY = layout().binary
TOKEN = "practice"


class Practice:
    """A cluster of one probe's own."""

    name = "sandbox"

    def __enter__(self) -> Self:
        self._now = time.time() - 86_400
        self._folder = tempfile.TemporaryDirectory()
        cluster = Cluster(self.moment)
        runtime = Imagined(self.moment)
        employ_all(cluster, runtime)
        cluster.controllers["kubelet"].unpullable.add("localhost/none:*")  # type: ignore[attr-defined]
        server = ApiServer(cluster, runtime)
        self._cluster, self._wire = cluster, serve(server, token=TOKEN)
        self._open = serve(server)  # for kubectl, which sends no token where there is no TLS
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._wire.close()
        self._open.close()
        self._folder.cleanup()

    def moment(self) -> float:
        return self._now

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._wire.port, timeout=20)

    def exchange(
        self, method: str, target: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        return exchanged(
            self._connect(), method, target, body, {"Authorization": f"Bearer {TOKEN}", **headers}
        )

    def stream(self, target: str) -> Follower:
        connection = self._connect()
        connection.request("GET", target, headers={"Authorization": f"Bearer {TOKEN}"})
        return Follower(connection, connection.getresponse())

    def pass_time(self, seconds: float) -> None:
        """Let the controllers act whenever something is due, until so much later."""
        end = self._now + seconds
        while self._now < end:
            due = self._cluster.run()
            self._now = min(end, max(due if due is not None else end, self._now + 0.001))
        self._cluster.run()
        with self._cluster.lock:
            self._cluster.changed.notify_all()
        time.sleep(0.0005)  # the threads of the wire take their turn

    def kubectl(self, args: Sequence[str], given: str | None) -> tuple[int, str, str]:
        """Run it; ten times as much time passes in the cluster as it takes here."""
        config = Path(self._folder.name) / "kubeconfig"
        config.write_text(json.dumps(self._kubeconfig()))
        env = {**os.environ, "KUBECONFIG": str(config), "KUBECTL_KUBERC": "false", "HOME": self._folder.name}
        with subprocess.Popen(
            [str(KUBECTL_BINARY), "kubectl", *args], env=env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as process:  # fmt: skip
            said: list[tuple[str, str]] = []
            talk = threading.Thread(target=lambda: said.append(process.communicate(given)))
            talk.start()
            while talk.is_alive():
                self.pass_time(0.1)
                talk.join(0.01)
        return process.returncode, *said[0]

    def _kubeconfig(self) -> dict[str, object]:
        server = {"name": "sandbox", "cluster": {"server": f"http://127.0.0.1:{self._open.port}"}}
        context = {"name": "sandbox", "context": {"cluster": "sandbox", "user": "kubernetes-admin"}}
        user = {"name": "kubernetes-admin", "user": {}}
        return {
            "apiVersion": "v1", "kind": "Config", "current-context": "sandbox",
            "clusters": [server], "contexts": [context], "users": [user],
        }  # fmt: skip

    def namespace(self, name: str) -> None:
        body = json.dumps({"metadata": {"name": name}}).encode()
        headers = {"Content-Type": "application/json"}
        status, _, said = self.exchange("POST", "/api/v1/namespaces", body, headers)
        assert status == 201, said
        self.pass_time(0.5)

    def close(self, name: str) -> None:
        """Leave it: the cluster goes as a whole."""
