"""A plan that was written is carried out to the letter by whoever has the least Role, or what has moved is named."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployctl.planfile import seal_of
from deployctl.promise import sha256
from tests.cluster.bed.cluster import Cluster
from tests.cluster.platform import App, grant
from tests.cluster.small import refused, small, told

Json = dict[str, Any]
NOBODY = "00000000-0000-0000-0000-000000000000"
SCALER = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: balances}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: balances}
  minReplicas: 3
  maxReplicas: 6
"""


@pytest.fixture(scope="module")
def installed(cluster: Cluster, shared_namespace: str, tmp_path_factory: pytest.TempPathFactory) -> App:
    """A small app at rest, for tests that must leave it so."""
    grant(cluster, shared_namespace)
    return small(cluster, shared_namespace, tmp_path_factory.mktemp("installed")).install()


@pytest.fixture
def app(installed: App, cluster: Cluster, tmp_path: Path) -> App:
    """The same app with files of the test's own, in which a new revision is planned."""
    return saved(small(cluster, installed.namespace, tmp_path))


@pytest.fixture
def alone(cluster: Cluster, namespace: str, tmp_path: Path) -> App:
    """The same in a namespace of its own, to be released or spoilt."""
    grant(cluster, namespace)
    return saved(small(cluster, namespace, tmp_path).install())


def saved(app: App, *flags: str) -> App:
    """Plan the revision r2, as a job does on a pull request."""
    app.env(REVISION="r2")
    told(app.run("plan", str(app.spec), "--out", str(file(app)), *flags), 0)
    return app


def file(app: App) -> Path:
    return app.folder / "plan.json"


def plan(app: App) -> Json:
    found: Json = json.loads(file(app).read_text())
    return found


def command(app: App, *flags: str) -> tuple[str, ...]:
    return ("release", "--plan", str(file(app)), *flags)


def rewritten(app: App, promise: Json, **parts: Any) -> None:
    """Change a plan, and digest and seal it anew."""
    whole = plan(app)
    promise = {**whole["promise"], **promise}
    whole |= {"promise": promise, "digest": sha256(promise), **parts}
    file(app).write_text(json.dumps({**whole, "seal": seal_of(whole)}))


# -- carried out --------------------------------------------------------------------------------------------


def test_a_plan_is_released_and_the_same_job_again_has_nothing_to_do(alone: App) -> None:
    done = alone.run(*command(alone))
    told(done, 0, f"the plan {plan(alone)['digest'][:12]} of {plan(alone)['created']} holds")
    assert done.stdout == "balances promoted\n"
    assert alone.live_revisions() == {"r2": 2}
    assert (alone.settings(), alone.leftovers()) == (alone.before, [])
    again = alone.run(*command(alone))
    assert (again.returncode, again.stdout) == (0, "balances: nothing to do, this template is live\n")


def test_a_plan_is_not_in_the_way_of_a_person_who_only_looks(app: App) -> None:
    """Pods that are replaced, a label and a status move no plan; a dry run says so and touches nothing."""
    pod = app.pods()[0]["metadata"]["name"]
    app.kubectl("delete", "pod", pod)
    app.kubectl("rollout", "status", "deployment/balances", "--timeout=60s")
    app.kubectl("annotate", "deployment", "balances", f"looked={secrets.token_hex(4)}", "--overwrite")
    done = app.run(*command(app, "--dry-run"))
    told(done, 0)
    assert done.stdout.startswith(f"plan of balances in {app.namespace}")


def test_the_size_that_an_autoscaler_chose_meanwhile_is_followed(alone: App) -> None:
    """Who wrote the size is in the Deployment: that takes no right to read autoscalers."""
    alone.cluster.apply(SCALER, alone.namespace)
    alone.cluster.wait(
        lambda: alone.get("deployment")["spec"]["replicas"] == 3, timeout=60, what="the autoscaler"
    )
    alone.kubectl("rollout", "status", "deployment/balances", "--timeout=60s")
    told(alone.run(*command(alone)), 0, "3 replicas, 2 when it was planned", "promoted")
    assert alone.live_revisions() == {"r2": 3}


# -- the cluster has moved ----------------------------------------------------------------------------------


def test_an_image_that_somebody_set_meanwhile_is_named_and_stays(alone: App) -> None:
    alone.kubectl("set", "image", "deployment/balances", "app=localhost/igaming:2")
    alone.kubectl("rollout", "status", "deployment/balances", "--timeout=60s")
    wrote = "wrote image of app: localhost/igaming:1 -> localhost/igaming:2"
    said = refused(alone, 6, "Deployment balances: kubectl-set at ", wrote, command=command(alone))
    assert "nothing was touched" in said


def test_everything_that_has_moved_is_named_at_once(alone: App) -> None:
    alone.kubectl("scale", "deployment/balances", "--replicas=3")
    alone.kubectl("patch", "deployment", "balances", "-p", '{"spec": {"progressDeadlineSeconds": 300}}')
    alone.kubectl("patch", "service", "balances", "-p", '{"spec": {"selector": {"more": "less"}}}')
    alone.kubectl("rollout", "status", "deployment/balances", "--timeout=60s")
    refused(
        alone,
        6,
        "spec.replicas: 2 -> 3, by kubectl\n",  # of a scale the server writes no time down
        "spec.progressDeadlineSeconds: 600 -> 300, by kubectl-patch at ",
        "Service balances: selector: ",
        command=command(alone),
    )


def test_a_deployment_that_was_made_anew_is_another_one(alone: App) -> None:
    alone.kubectl("delete", "deployment", "balances")
    alone.env(REVISION="r1")
    alone.install()
    refused(
        alone, 6, "Deployment balances is another one: it was deleted and made anew", command=command(alone)
    )


def test_a_release_in_between_is_named(alone: App) -> None:
    """Though it was rolled back, and everything is as it was planned on."""
    told(alone.run("release", str(alone.spec), "--promote", "manual"), 4)
    told(alone.run("abort", "balances"), 0)
    refused(alone, 6, "another release in between: ", ", aborted at ", command=command(alone))


# -- the file may not be believed ---------------------------------------------------------------------------


def test_a_plan_that_was_tampered_with_is_refused(app: App) -> None:
    file(app).write_text(file(app).read_text().replace("igaming:1", "igaming:7"))
    refused(app, 2, "it was changed after it was written", "next: plan again", command=command(app))


def test_an_expired_plan_is_refused(app: App) -> None:
    rewritten(app, {}, created="2020-01-01T00:00:00Z", expires="2020-01-01T01:00:00Z")
    refused(app, 2, "expired at 2020-01-01T01:00:00Z", "next: plan again", command=command(app))


# -- another cluster ----------------------------------------------------------------------------------------


def test_who_may_not_read_kube_system_knows_the_cluster_by_its_authority(app: App) -> None:
    promise = plan(app)["promise"]
    assert promise["cluster"].keys() == {"server"}
    theirs = {**promise["deployment"], "uid": NOBODY}
    rewritten(app, {"cluster": {"uid": NOBODY, "server": "another"}, "deployment": theirs})
    says = "Deployment balances is another one", "so this may be another cluster"
    refused(app, 6, *says, command=command(app))


@pytest.fixture
def reader(cluster: Cluster, installed: App) -> Iterator[str]:
    """Somebody with the Role who may read kube-system too, as manifests/rbac/role.yaml tells."""
    name = f"deployctl-test-{secrets.token_hex(4)}"
    rule = ("--verb=get", "--resource=namespaces", "--resource-name=kube-system")
    cluster.kubectl("create", "clusterrole", name, *rule)
    cluster.kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", f"--user={name}")
    installed.kubectl("create", "rolebinding", name, "--role=deployctl", f"--user={name}")
    yield name
    cluster.kubectl("delete", "clusterrolebinding,clusterrole", name)


def test_who_may_read_kube_system_knows_the_cluster_by_its_uid(app: App, reader: str) -> None:
    app.user = "admin"  # who may impersonate
    saved(app, "--as", reader)
    here = app.cluster.json("get", "namespace", "kube-system")["metadata"]["uid"]
    assert plan(app)["promise"]["cluster"]["uid"] == here
    told(app.run(*command(app, "--as", reader, "--dry-run")), 0)
    rewritten(app, {"cluster": {**plan(app)["promise"]["cluster"], "uid": NOBODY}})
    says = f"this is another cluster: its UID is {here}, that of the plan's {NOBODY}"
    refused(app, 6, says, command=command(app, "--as", reader))
