"""A StatefulSet on a real cluster, under load: released, refused, killed, aborted, rolled back, and no request lost.

The app exits the moment it gets SIGTERM, and the pods that the first release adopts have no preStop.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import figures
from tests.cluster.bed.cluster import Cluster
from tests.cluster.platform import EXAMPLE, App, grant
from tests.cluster.running import Running, under_load
from tests.cluster.small import told

Json = dict[str, Any]
LARGEST = 2_147_483_647


class Ranked(App):
    """The StatefulSet of the example platform."""

    def edit(self, file: str, change: Any) -> None:
        App.edit(self, "statefulset.yaml" if file == "deployment.yaml" else file, change)

    def install(self) -> App:
        for file in ("statefulset.yaml", "service.yaml", "peers.yaml", "pdb.yaml"):
            self.cluster.apply(self.folder / file, self.namespace)
        self.kubectl("rollout", "status", f"statefulset/{self.name}", "--timeout=90s")
        self.cluster.wait(lambda: len(self.endpoints()) == len(self.pods()), what="the endpoints of wallet")
        time.sleep(2)  # kube-proxy programs the last endpoint
        self.before = self.settings()
        return self

    def settings(self) -> Json:
        """Give everything that a release must leave as it was: all but the template."""
        found = {kind: self.get(kind) for kind in ("statefulset", "service")}
        found["peers"] = self.get("service", "wallet-peers")
        found["statefulset"]["spec"].pop("template")
        for one in found.values():
            meta = one["metadata"]
            one["metadata"] = {key: meta.get(key) for key in ("labels", "annotations", "finalizers")}
            one.pop("status", None)
        return found

    def leftovers(self) -> list[str]:
        kinds = "pods,controllerrevisions,statefulsets,services"
        found = self.cluster.json("get", "-n", self.namespace, kinds)["items"]
        ours = ("deployctl.dev/", "pod-deletion-cost")
        return [
            one["metadata"]["name"]
            for one in found
            if any(mark in json.dumps({**one["metadata"], "managedFields": []}) for mark in ours)
            or "deployctl.dev/" in json.dumps(one.get("spec", {}).get("selector"))
        ]

    @property
    def partition(self) -> int:
        return int(self.get("statefulset")["spec"]["updateStrategy"]["rollingUpdate"]["partition"])

    def revision_of(self, pod: str) -> str:
        found = self.get("pod", pod)["spec"]["containers"][0]["env"]
        return next(one["value"] for one in found if one["name"] == "REVISION")


@pytest.fixture
def wallet(cluster: Cluster, namespace: str, tmp_path: Path) -> Ranked:
    """The StatefulSet with quick gates and bakes, as `releaser` with the least Role."""
    grant(cluster, namespace)
    shutil.copytree(EXAMPLE / "wallet", tmp_path / "wallet")
    app = Ranked(cluster, namespace, "wallet", tmp_path / "wallet", user="releaser")
    app.strategy(bake="0s")
    app.edit("deployctl.yaml", lambda one: one["spec"]["drain"].update(preStop="1s"))
    return app


def order(story: str, what: str) -> list[str]:
    """List the pods that a story names after a word, in order."""
    return re.findall(rf"{what} (wallet-\d)", story)


def at_rest(app: Ranked, **revisions: int) -> None:
    assert app.live_revisions() == revisions
    assert app.settings() == app.before
    assert app.leftovers() == []


def begun(app: Ranked, says: str, **env: str) -> Running:
    app.env(**env)
    running = Running(app, "release", str(app.spec))
    running.told(says, 120)
    return running


def test_a_stateful_set_is_released_refused_killed_aborted_and_rolled_back(wallet: Ranked) -> None:
    app = wallet
    app.install()
    with app.load() as load:
        app.env(REVISION="r2")
        first = told(app.release(), 0, "promoted")
        assert order(first, "let") == order(first, "detach") == ["wallet-2", "wallet-1", "wallet-0"]
        at_rest(app, r2=3)

        app.env(REVISION="bad", HEALTHZ_STATUS="500")
        told(app.release(), 3, "gate smoke said no", "delete wallet-2", "back on wallet-")
        at_rest(app, r2=3)

        app.env(REVISION="stuck", HEALTHZ_STATUS=None, NEVER_READY="1")
        why = (
            "delete wallet-2: an OrderedReady StatefulSet does not replace a pod that is not ready by itself"
        )
        told(app.release("--timeout", "12s"), 5, why, "back on wallet-")
        at_rest(app, r2=3)

        running = begun(app, "lower the partition to 1", REVISION="r3", NEVER_READY="")
        running.dies()
        told(app.run("resume", "wallet"), 0, "promoted")
        at_rest(app, r3=3)

        running = begun(app, "detach wallet-0", REVISION="r4")
        told(app.run("abort", "wallet"), 0, "back on wallet-")
        assert running.ends() == 6
        at_rest(app, r3=3)

        app.env(REVISION="r5")
        told(app.release(), 0, "promoted")
        told(app.run("rollback", "wallet"), 0, "rolled back to wallet-")
        at_rest(app, r3=3)
        time.sleep(3)
    print(f"\nwallet: {load.report}")
    figures.noted("wallet, a StatefulSet, the main job", load.report)
    assert load.report.failed == 0, [str(one) for one in load.report.failures[:20]]
    assert load.report.answers("bad") == load.report.answers("stuck") == 0


def test_between_two_batches_nothing_that_others_do_acts(wallet: Ranked) -> None:
    """A template edit is stored, a pod that dies comes back as stable, and the release goes on."""
    app = wallet
    app.strategy(bake="6s")
    app.install()
    running = begun(app, "1 preview pods to bake", REVISION="r2")
    assert app.partition == LARGEST
    app.kubectl("set", "env", "statefulset/wallet", "EXTRA=1")
    app.kubectl("delete", "pod", "wallet-2")
    assert app.revision_of("wallet-2") == "r1"
    assert running.ends() == 0, running.story
    assert "stored and inert" in running.story
    assert order(running.story, "let")[-3:] == ["wallet-2", "wallet-1", "wallet-0"]
    at_rest(app, r2=3)


def test_a_template_written_while_a_batch_is_made_anew_acts_and_is_put_back(wallet: Ranked) -> None:
    app = wallet
    app.install()
    app.env(READY_AFTER="4s")
    with under_load(app, named="wallet, a StatefulSet that others interfere with"):
        running = begun(app, "lower the partition to 2", REVISION="r2")
        app.cluster.wait(lambda: app.revision_of("wallet-2") == "r2", what="the new pod")
        app.kubectl("set", "env", "statefulset/wallet", "REVISION=foreign", "NEVER_READY=1")
        assert running.ends() == 0, running.story
    assert "put back: nothing but this release's own template is let in" in running.story
    at_rest(app, r2=3)


def test_the_commands_by_hand_lead_back(wallet: Ranked) -> None:
    app = wallet
    app.install()
    app.env(REVISION="r2", HEALTHZ_STATUS="500")
    with under_load(app, named="wallet, a StatefulSet that others interfere with"):
        running = begun(app, "asking the gates before", REVISION="r2", HEALTHZ_STATUS="200")
        running.told("lower the partition to 1")
        running.dies()
        known = json.loads(app.run("status", "wallet", "-o", "json").stdout)
        assert known["workload"] == "StatefulSet"
        assert known["byHand"]
        for command in known["byHand"]:
            done = app.cluster.run(["bash", "-ec", command], timeout=120)
            assert done.returncode == 0, f"{command}\n{done.stderr}"
    at_rest(app, r1=3)
    app.run("status", "wallet")


def test_every_command_knows_a_stateful_set(wallet: Ranked) -> None:
    app = wallet
    app.strategy(bake="3s")
    app.install()
    app.env(REVISION="r2")
    plan = app.run("plan", str(app.spec))
    assert (plan.returncode, "lower the partition to 2" in plan.stdout) == (0, True), plan.stdout
    running = begun(app, "1 preview pods to bake", REVISION="r2")
    told(app.run("pause", "wallet"), 0)
    assert running.ends() == 4
    why = app.run("why", "wallet").stdout
    assert "Paused by" in why, why
    told(app.run("resume", "wallet"), 0, "promoted")
    assert "wallet" in app.run("status").stdout
    at_rest(app, r2=3)


def test_a_rollout_by_others_that_is_stuck_is_rolled_back(wallet: Ranked) -> None:
    """Putting the template back does not help an OrderedReady StatefulSet: the pod has to be deleted."""
    app = wallet
    app.install()
    app.kubectl("set", "env", "statefulset/wallet", "NEVER_READY=1")
    app.cluster.wait(
        lambda: "NEVER_READY" in json.dumps(app.get("pod", "wallet-2")["spec"]), what="the stuck pod"
    )
    told(app.release(), 6, "in the middle of a rollout")
    with under_load(app, named="wallet, a StatefulSet that others interfere with"):
        story = told(app.run("rollback", "wallet"), 0, "rolled back to wallet-")
    assert "delete wallet-2: an OrderedReady StatefulSet does not replace a pod that is not ready" in story
    at_rest(app, r1=3)


def test_a_parallel_stateful_set_is_released_and_taken_back_in_batches(wallet: Ranked) -> None:
    app = wallet
    app.strategy(batch=2)
    app.edit("statefulset.yaml", lambda one: one["spec"].update(podManagementPolicy="Parallel", replicas=4))
    app.install()
    with under_load(app, named="wallet, a StatefulSet that others interfere with"):
        app.env(REVISION="r2")
        first = told(app.release(), 0, "promoted")
        assert re.findall(r"lower the partition to (\d)", first) == ["2", "0"]
        at_rest(app, r2=4)
        told(app.run("rollback", "wallet"), 0, "rolled back to wallet-")
        at_rest(app, r1=4)


def test_what_cannot_be_released_is_refused(wallet: Ranked) -> None:
    app = wallet
    app.edit("statefulset.yaml", lambda one: one["spec"].update(replicas=1))
    app.install()
    app.env(REVISION="r2")
    told(app.release(), 2, "nothing serves meanwhile", "`surge: 0`")
    on_delete = '{"spec":{"updateStrategy":{"$retainKeys":["type"],"type":"OnDelete"}}}'
    app.kubectl("patch", "statefulset", "wallet", "-p", on_delete)
    told(app.release(), 2, "OnDelete", "expected RollingUpdate")
