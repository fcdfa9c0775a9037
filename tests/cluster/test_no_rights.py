"""Who may not, or is nobody: told with the verb or the way in, before anything is touched."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployctl.cluster.access import NEEDED
from tests.cluster.bed.cluster import Cluster
from tests.cluster.platform import EXAMPLE, ROLE, App, grant, until
from tests.cluster.small import refused, small, told

Json = dict[str, Any]
RULES: list[Json] = yaml.safe_load(ROLE.read_text())["rules"]
VERBS = [
    (verb, resource, rule["apiGroups"][0])
    for rule in RULES
    for resource in rule["resources"]
    for verb in rule["verbs"]
    if resource not in {"horizontalpodautoscalers", "events"}  # without which a release goes on
]
CONSUMES = {"mode": "pauseUntilPromote", "path": "/internal/consume", "atStart": "asPeers"}


def without(verb: str, resource: str) -> list[Json]:
    """Give the rules of the Role, less one verb of one resource."""
    return [
        {"apiGroups": rule["apiGroups"], "resources": [one], "verbs": verbs}
        for rule in RULES
        for one in rule["resources"]
        if (verbs := [word for word in rule["verbs"] if (word, one) != (verb, resource)])
    ]


def name_of(verb: str, resource: str) -> str:
    return f"no-{verb}-{resource.replace('/', '-')}"


def lacking(verb: str, resource: str) -> str:
    """Write the Role of a user who lacks one verb, bound to that user."""
    name, group = name_of(verb, resource), "rbac.authorization.k8s.io"
    role = {"kind": "Role", "metadata": {"name": name}, "rules": without(verb, resource)}
    binding = {
        "kind": "RoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
        "subjects": [{"apiGroup": group, "kind": "User", "name": name}],
    }
    return yaml.safe_dump_all([{"apiVersion": f"{group}/v1", **one} for one in (role, binding)])


@pytest.fixture(scope="module")
def installed(cluster: Cluster, shared_namespace: str, tmp_path_factory: pytest.TempPathFactory) -> App:
    """One small app, and for each verb a user who has all the others."""
    grant(cluster, shared_namespace)
    cluster.apply("---\n".join(lacking(verb, resource) for verb, resource, _ in VERBS), shared_namespace)
    return small(cluster, shared_namespace, tmp_path_factory.mktemp("installed")).install()


@pytest.fixture
def app(installed: App, cluster: Cluster, tmp_path: Path) -> App:
    """The same app with files of the test's own, in which a new revision waits to be released."""
    found = small(cluster, installed.namespace, tmp_path)
    found.env(REVISION="r2")
    found.strategy(previewService="balances-preview", shakeOffAfter="1s")
    return found


@pytest.fixture
def ranked(installed: App, cluster: Cluster, tmp_path: Path) -> App:
    """Give the spec of a StatefulSet, whose rights are asked for before it is looked for."""
    shutil.copytree(EXAMPLE / "wallet", tmp_path / "wallet")
    return App(cluster, installed.namespace, "wallet", tmp_path / "wallet")


@pytest.mark.parametrize(("verb", "resource", "group"), VERBS)
def test_each_missing_verb_is_named(app: App, ranked: App, verb: str, resource: str, group: str) -> None:
    del group
    asking = ranked if resource in {"statefulsets", "controllerrevisions"} else app
    asking.user = "admin"  # who may impersonate
    if (verb, resource) == ("create", "pods/proxy"):
        asking.edit("deployctl.yaml", lambda one: one["spec"].update(consumes=CONSUMES))
    command = ("release", str(asking.spec), "--as", name_of(verb, resource))
    says = f"not allowed in namespace {app.namespace}: {verb} {resource}\n"
    refused(asking, 7, says, "next: docs/rbac.md", command=command)


def test_without_any_right_all_verbs_are_named(app: App) -> None:
    app.user = "user2"
    always = [(verb, resource) for _, resource, verbs in NEEDED for verb in verbs]
    refused(app, 7, *(f"{verb} {resource}" for verb, resource in always))


def test_to_be_another_user_needs_a_right_too(app: App) -> None:
    command = ("release", str(app.spec), "--as", "ann")
    refused(app, 7, 'cannot impersonate resource "users"', "next: ", command=command)


@pytest.fixture
def kubeconfig(cluster: Cluster, tmp_path: Path) -> Json:
    """The releaser's kubeconfig, to be spoilt."""
    found: Json = yaml.safe_load(cluster.kubeconfig_for("releaser").read_text())
    return found


def spoilt(app: App, whole: Json | str) -> dict[str, str]:
    """Write a kubeconfig; give the environment that leads to it."""
    file = app.folder / "kubeconfig"
    file.write_text(whole if isinstance(whole, str) else yaml.safe_dump(whole))
    return {"KUBECONFIG": str(file)}


def executing(code: str) -> Json:
    """Give a user whose credential plugin is this Python."""
    version = "client.authentication.k8s.io/v1"
    never = {"interactiveMode": "Never"}
    return {"exec": {"apiVersion": version, "command": sys.executable, "args": ["-c", code], **never}}


def test_a_cluster_that_is_not_there_is_told_told(app: App, kubeconfig: Json) -> None:
    kubeconfig["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    refused(
        app,
        1,
        "https://127.0.0.1:9 does not answer GET /version",
        "Connection refused",
        "next: check the context",
        env=spoilt(app, kubeconfig),
    )


def test_a_kubeconfig_that_is_not_there_is_told(app: App) -> None:
    said = refused(app, 2, "next: pass --kubeconfig", env={"KUBECONFIG": "/nowhere/config"})
    assert said.startswith("error: kubeconfig /nowhere/config: no such file\n")


def test_an_unknown_context_is_told(app: App) -> None:
    command = ("release", str(app.spec), "--context", "production")
    refused(app, 2, "name production in", "next: pass --kubeconfig and --context", command=command)


def test_a_kubeconfig_that_is_none_is_told(app: App) -> None:
    refused(app, 2, "line 2 is no YAML", env=spoilt(app, "users:\n - {token: hunter2"))


@pytest.mark.parametrize("user", [{"token": "expired"}, {}], ids=["wrong token", "nobody"])
def test_who_is_not_logged_in_is_told_to_log_in(app: App, kubeconfig: Json, user: Json) -> None:
    kubeconfig["users"][0]["user"] = user
    refused(app, 7, "next: log in again", env=spoilt(app, kubeconfig))


def test_a_plugin_that_fails_is_heard(app: App, kubeconfig: Json) -> None:
    kubeconfig["users"][0]["user"] = executing("import sys; sys.exit('the session ended: run sso login')")
    refused(
        app,
        7,
        "the credential plugin failed",
        "the session ended: run sso login",
        "next: log in again",
        env=spoilt(app, kubeconfig),
    )


def test_a_plugin_that_is_not_there_is_named(app: App, kubeconfig: Json) -> None:
    kubeconfig["users"][0]["user"] = executing("")
    kubeconfig["users"][0]["user"]["exec"]["command"] = "plugin-of-nobody"
    refused(app, 7, "the credential plugin failed", "plugin-of-nobody", env=spoilt(app, kubeconfig))


PLUGIN = """
import json, pathlib, sys
here = pathlib.Path(sys.argv[1])
print(json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
                  "status": {"token": (here / "token").read_text().strip()}}))
"""


class Accounts:
    """ServiceAccounts as releasers, and a plugin that hands out the token of whom it is told to be."""

    def __init__(self, app: App, kubeconfig: Json) -> None:
        self.app, self.folder = app, app.folder
        (self.folder / "plugin.py").write_text(PLUGIN)
        user = executing("")
        user["exec"]["args"] = [str(self.folder / "plugin.py"), str(self.folder)]
        kubeconfig["users"][0]["user"] = user
        self.env = spoilt(app, kubeconfig)

    def become(self, name: str) -> None:
        """Make an account, give it the Role, and hand out its token from now on."""
        app = self.app
        app.kubectl("create", "serviceaccount", name)
        app.kubectl(
            "create", "rolebinding", name, "--role=deployctl", f"--serviceaccount={app.namespace}:{name}"
        )
        (self.folder / "token").write_text(app.kubectl("create", "token", name))

    def forget(self, name: str) -> None:
        """Delete an account: the server rejects its tokens from now on."""
        self.app.kubectl("delete", "serviceaccount", name)


@pytest.fixture
def alone(cluster: Cluster, namespace: str, tmp_path: Path) -> App:
    """A small app in a namespace of its own, with a gate that leaves time to be robbed in."""
    grant(cluster, namespace)
    app = small(cluster, namespace, tmp_path)
    gate = {"name": "calm", "http": {"path": "/healthz"}, "interval": "1s", "count": 6}
    app.edit("deployctl.yaml", lambda one: one["spec"]["gates"].update(after=[gate]))
    return app.install()


def robbed(app: App, accounts: Accounts, *, at: str, renewed: bool) -> tuple[int, str]:
    """Run a release whose credential dies where its story says `at`; give its exit code and its story."""
    accounts.become("first")
    app.env(REVISION="r2")
    running = app.start("release", str(app.spec), env=accounts.env)
    read = until(running, at)
    if renewed:
        accounts.become("second")
    accounts.forget("first")
    _, rest = running.communicate(timeout=120)
    return running.returncode, read + rest


def test_a_credential_that_ends_in_mid_release_is_renewed(alone: App, kubeconfig: Json) -> None:
    accounts = Accounts(alone, kubeconfig)
    with alone.load() as load:
        code, story = robbed(alone, accounts, at="asking the gates after", renewed=True)
    assert code == 0, story
    assert load.report.failed == 0
    assert alone.live_revisions() == {"r2": 2}


def test_without_a_new_credential_the_hold_stands_and_resume_ends_it(alone: App, kubeconfig: Json) -> None:
    accounts = Accounts(alone, kubeconfig)
    with alone.load() as load:
        code, story = robbed(alone, accounts, at="asking the gates after", renewed=False)
        assert code == 7, story
        assert f"next: deployctl resume {alone.name}" in story
        assert alone.get("deployment")["spec"]["paused"]
        accounts.become("second")
        told(alone.run("resume", alone.name, env=accounts.env), 0, "promoted")
    assert load.report.failed == 0
    assert alone.live_revisions() == {"r2": 2}
