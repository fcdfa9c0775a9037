"""A practice cluster whose pods are imagined: hundreds cost no process. It is asked over HTTP and in real time, as any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from deployctl.cluster.api import Api
from deployctl.cluster.login import Target
from deployctl.sandbox.api.apiserver import ApiServer
from deployctl.sandbox.api.wire import serve
from deployctl.sandbox.cluster import Cluster
from deployctl.sandbox.controllers import employ_all
from deployctl.sandbox.pods.imagined import Imagined
from deployctl.sandbox.practice.daemon import steady
from deployctl.sandbox.practice.home import CONTEXT, KUBECONFIG
from tests.cluster.platform import EXAMPLE

NAMESPACE = "igaming"
Json = dict[str, Any]


class Crowd:
    """The cluster, in threads of this process, with a kubeconfig in a folder."""

    def __init__(self, folder: Path) -> None:
        cluster = Cluster(steady())
        runtime = Imagined(cluster.clock)
        employ_all(cluster, runtime)
        self.wire = serve(ApiServer(cluster, runtime))
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text(KUBECONFIG.format(name=CONTEXT, url=self.wire.url, token="none"))
        self.api = Api(Target(str(self.kubeconfig)))
        self.api.post("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})

    def close(self) -> None:
        self.wire.close()

    def deploy(self, name: str, replicas: int) -> None:
        """Create an app like balances, and wait until all its pods are ready."""
        whole = (
            (EXAMPLE / "balances/deployment.yaml").read_text(),
            (EXAMPLE / "balances/service.yaml").read_text(),
        )
        deployment, service = (yaml.safe_load(one.replace("balances", name)) for one in whole)
        deployment["spec"]["replicas"] = replicas
        self.api.post(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments", deployment)
        self.api.post(f"/api/v1/namespaces/{NAMESPACE}/services", service)


def spec(folder: Path, name: str, keep_old: str) -> Path:
    """Write the spec of an app like balances, with one gate."""
    folder.mkdir()
    for one in ("deployctl.yaml", "deployment.yaml", "service.yaml"):
        (folder / one).write_text((EXAMPLE / "balances" / one).read_text().replace("balances", name))
    file = folder / "deployctl.yaml"
    whole = yaml.safe_load(file.read_text())
    whole["spec"]["strategy"]["blueGreen"]["keepOld"] = keep_old
    whole["spec"]["gates"].pop("after")
    file.write_text(yaml.safe_dump(whole))
    return file
