"""A spec file is read whole, or refused with every problem at its place."""

import io
from functools import reduce
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from deployctl import document, plugins
from deployctl.document import Place
from deployctl.errors import SpecError
from deployctl.gates.http import Http
from deployctl.shapes import Chosen, key, shape
from deployctl.spec import Drain, Gate, canonical, digest, from_canonical, read
from strategies.blue_green import BlueGreen
from strategies.quantities import Amount
from strategies.rolling import Rolling

KINDS = plugins.names(plugins.GATES)
KEYS = tuple(key(one.name) for one in shape(Gate).fields if one.name != "ask")

SMALL = """\
apiVersion: deployctl.dev/v1alpha1
kind: App
metadata: {name: wallet}
spec:
  workload: {deployment: wallet, services: [wallet]}
  strategy: {rolling: {}}
"""

FULL = """\
apiVersion: deployctl.dev/v1alpha1
kind: App
metadata:
  name: wallet
  namespace: igaming
  cluster: 0f2c1a5e-8a52-4b43-9d6d-2f6a3b9d1e10
spec:
  workload:
    deployment: wallet
    services: [wallet, wallet-internal]
  strategy:
    rolling: {batch: 2, surge: 0, bake: 1m30s}
  drain: {preStop: keep}
  gates:
    before:
      - name: smoke
        interval: 250ms
        count: 3
        failureLimit: 2
        consecutiveErrorLimit: 0
        timeout: 2s
        initialDelay: 10s
        http: {path: /healthz, expect: [200, 204], contains: 1.10, port: 8080, scheme: https}
    during:
      - name: smoke
        http: {url: "https://wallet.example/ready", expect: 503, port: web}
"""


def loaded(text):
    return read("-", stdin=io.BytesIO(text.encode()))


def app(text):
    return loaded(text).apps[0]


def problems(text):
    with pytest.raises(SpecError) as raised:
        loaded(text)
    return str(raised.value).splitlines()


def test_a_small_file_has_the_defaults():
    spec = app(SMALL).spec
    assert spec.strategy == Chosen("rolling", Rolling(Amount(25, percent=True), None, 30.0))
    assert spec.drain == Drain(pre_stop_seconds=5.0)
    assert (spec.gates.before, spec.gates.during, spec.gates.after) == ((), (), ())


def test_durations_and_amounts_are_numbers():
    spec = app(FULL).spec
    assert spec.strategy == Chosen("rolling", Rolling(Amount(2), Amount(0), 90.0))
    assert spec.drain == Drain(pre_stop_seconds="keep")


def test_a_gate_is_its_settings_and_its_question():
    assert app(FULL).spec.gates.before == (
        Gate(
            name="smoke",
            interval_seconds=0.25,
            count=3,
            failure_limit=2,
            consecutive_error_limit=0,
            timeout_seconds=2.0,
            initial_delay_seconds=10.0,
            ask=Chosen("http", Http("/healthz", (200, 204), "1.10", port=8080, scheme="https")),
        ),
    )


def test_a_port_may_be_a_name_and_a_url_stands_alone():
    ask = app(FULL).spec.gates.during[0].ask
    assert ask == Chosen("http", Http(url="https://wallet.example/ready", expect=503, port="web"))


def test_an_app_says_its_name_and_namespace():
    assert (app(FULL).name, app(FULL).namespace, app(SMALL).namespace) == ("wallet", "igaming", None)


def test_blue_green_has_its_own_options():
    text = SMALL.replace(
        "rolling: {}", "blueGreen: {promote: manual, promoteAfter: 1m, previewReplicas: 50%, keepOld: 0s}"
    )
    assert app(text).spec.strategy.options == BlueGreen("manual", 60.0, Amount(50, percent=True), 0.0)


def test_a_machine_without_the_c_library_reads_the_same(monkeypatch):
    fast = loaded(FULL)
    monkeypatch.setattr(document, "LOADER", yaml.SafeLoader)
    assert loaded(FULL) == fast


def test_one_file_holds_several_apps():
    apps = loaded(f"{SMALL}---\n{SMALL.replace('name: wallet', 'name: odds')}").apps
    assert [one.name for one in apps] == ["wallet", "odds"]


def test_the_same_name_in_another_namespace_is_another_app():
    assert len(loaded(f"{SMALL}---\n{FULL}").apps) == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("batch: 2", "bach: 2", "12:15: spec.strategy.rolling.bach: unknown; expected one of batch, surge, bake; did you mean batch?"),
        ("surge: 0", "surge: null", "12:32: spec.strategy.rolling.surge: got nothing; expected a count such as 3 or a percentage such as 25%"),
        ("batch: 2", "quorum: 2", "12:15: spec.strategy.rolling.quorum: unknown; expected one of batch, surge, bake"),
        ("batch: 2", "batch: 101%", "12:22: spec.strategy.rolling.batch: got 101%; expected a count such as 3 or a percentage such as 25%"),
        ("batch: 2", "batch: [2]", "12:22: spec.strategy.rolling.batch: got a list; expected a count such as 3 or a percentage such as 25%"),
        ("batch: 2", "batch: ~", "12:22: spec.strategy.rolling.batch: got nothing; expected a count such as 3 or a percentage such as 25%"),
        ("1m30s", "30", "12:41: spec.strategy.rolling.bake: got 30; expected a duration with a unit such as 30s"),
        ("1m30s", "'30 s'", '12:41: spec.strategy.rolling.bake: got "30 s"; expected a duration with a unit such as 30s'),
        ("rolling:", "roling:", "12:5: spec.strategy.roling: unknown; expected one of blueGreen, rolling; did you mean rolling?"),
        ("rolling:", "canary:", "12:5: spec.strategy.canary: unknown; expected one of blueGreen, rolling"),
        ("    rolling:", "    blueGreen: {}\n    rolling:", "12:5: spec.strategy: blueGreen and rolling given; expected exactly one of blueGreen, rolling"),
        ("{batch: 2, surge: 0, bake: 1m30s}", "", "12:13: spec.strategy.rolling: got nothing; expected a mapping"),
        ("preStop: keep", "preStop: never", "13:20: spec.drain.preStop: got never; expected a duration with a unit such as 30s or keep"),
        ("preStop: keep", "rouds: {}", "13:11: spec.drain.rouds: unknown; expected one of preStop, rounds, timeout, onTimeout; did you mean rounds?"),
        ("preStop: keep", "rounds: {path: /internal/rounds}", "13:10: spec.drain: rounds without a surge leave the app a batch short for as long as they last; expected surge above 0"),
        ("preStop: keep", "onTimeout: kill", "13:22: spec.drain.onTimeout: got kill; expected one of hold, proceed"),
        ("  drain: {preStop: keep}", "  drain:", "13:9: spec.drain: got nothing; expected a mapping"),
        ("  drain: {preStop: keep}", "  policy: {freeze: a}", "13:3: spec.policy: unknown; expected one of workload, strategy, drain, gates, census, autoscaling, flags, consumes, notify"),
        ("name: wallet\n", "name: Wallet\n", "4:9: metadata.name: got Wallet; expected a DNS-1123 label such as wallet"),
        ("name: wallet\n", "name: wallet.eu\n", "4:9: metadata.name: got wallet.eu; expected a DNS-1123 label such as wallet"),
        ("name: wallet\n", f"name: {'x' * 64}\n", f"4:9: metadata.name: got {'x' * 37}...; expected a DNS-1123 label such as wallet"),
        ("name: wallet\n", 'name: "wallet\\n"\n', '4:9: metadata.name: got "wallet\\n"; expected a DNS-1123 label such as wallet'),
        ("name: wallet\n", "name: ''\n", '4:9: metadata.name: got ""; expected a DNS-1123 label such as wallet'),
        ("  name: wallet\n", "", "4:3: metadata.name: missing; expected a DNS-1123 label such as wallet"),
        ("namespace: igaming", "namespace:", "5:13: metadata.namespace: got nothing; expected a DNS-1123 label such as wallet"),
        ("0f2c1a5e", "prod", "6:12: metadata.cluster: got prod-8a52-4b43-9d6d-2f6a3b9d1e10; expected the UID of the namespace kube-system"),
        ("deployment: wallet", "deployment: -wallet", "9:17: spec.workload.deployment: got -wallet; expected a DNS-1123 subdomain such as wallet"),
        ("    deployment: wallet\n", "", "9:5: spec.workload: neither deployment nor statefulSet is given; expected one of the two"),
        ("[wallet, wallet-internal]", "[]", "10:15: spec.workload.services: empty; expected at least one"),
        ("[wallet, wallet-internal]", "wallet", "10:15: spec.workload.services: got wallet; expected a list"),
        ("wallet-internal]", "wallet]", "10:24: spec.workload.services[1]: wallet again, first at 10:16; expected each once"),
        ("[wallet, wallet-internal]", "[&w wallet, *w]", "10:16: spec.workload.services[1]: wallet again, first at 10:16; expected each once"),
        ("count: 3", "count: 0", "18:16: spec.gates.before[0].count: got 0; expected a whole number of at least 1"),
        ("count: 3", "count: 03", "18:16: spec.gates.before[0].count: got 03; expected a whole number of at least 1"),
        ("count: 3", "count: 3.0", "18:16: spec.gates.before[0].count: got 3.0; expected a whole number of at least 1"),
        ("count: 3", "count: '3'", '18:16: spec.gates.before[0].count: got "3"; expected a whole number of at least 1'),
        ("failureLimit: 2", "failureLimit: 3", "19:23: spec.gates.before[0].failureLimit: 3 of 3; expected less than count"),
        ("failureLimit: 2", "failureLimit: -1", "19:23: spec.gates.before[0].failureLimit: got -1; expected a whole number of at least 0"),
        ("timeout: 2s", "timeout: 0s", "21:18: spec.gates.before[0].timeout: no time at all; expected a duration above 0s"),
        ("http: {path", "htp: {path", f"23:9: spec.gates.before[0].htp: unknown; expected one of {', '.join((*KEYS, *KINDS))}; did you mean http?"),
        ("path: /healthz", "path: healthz", "23:22: spec.gates.before[0].http.path: got healthz; expected a path that starts with /"),
        ("[200, 204]", "99", "23:40: spec.gates.before[0].http.expect: got 99; expected a status from 100 to 599"),
        ("[200, 204]", "[200, 600]", "23:46: spec.gates.before[0].http.expect[1]: got 600; expected a status from 100 to 599"),
        ("[200, 204]", "{ok: 200}", "23:40: spec.gates.before[0].http.expect: got a mapping; expected a status from 100 to 599 or a list"),
        ("port: 8080", "port: 65536", "23:74: spec.gates.before[0].http.port: got 65536; expected a port from 1 to 65535"),
        ("port: 8080", "port: Web", "23:74: spec.gates.before[0].http.port: got Web; expected a port from 1 to 65535 or the name of one"),
        ("scheme: https", "scheme: ftp", "23:88: spec.gates.before[0].http.scheme: got ftp; expected one of http, https"),
        ('"https://wallet.example/ready"', "wallet.example", "26:21: spec.gates.during[0].http.url: got wallet.example; expected a URL that starts with http:// or https://"),
        ("    during:\n", "      - {name: smoke, http: {}}\n    during:\n", "24:16: spec.gates.before[1].name: smoke again, first at 16:15; expected each once"),
        ("    during:\n", "      - {name: second}\n    during:\n", f"24:9: spec.gates.before[1]: none given; expected exactly one of {', '.join(KINDS)}"),
        ("    during:\n", "      - second\n    during:\n", "24:9: spec.gates.before[1]: got second; expected a mapping"),
        ("kind: App", "kind: Deployment", "2:7: kind: got Deployment; expected App"),
        ("deployctl.dev/v1alpha1", "apps/v1", "1:13: apiVersion: got apps/v1; expected deployctl.dev/v1alpha1"),
        ("kind: App\n", "", "1:1: kind: missing; expected App"),
        ("metadata:", "status: {}\nmetadata:", "3:1: status: unknown; expected one of apiVersion, kind, metadata, spec"),
        ("kind: App", "kind: App\nkind: App", "3:1: kind: given twice, first at 2:1; expected once"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place_and_what_was_expected(old, new, message):
    assert problems(FULL.replace(old, new, 1)) == [f"stdin:{message}"]


def test_all_problems_are_told_at_once_in_the_order_of_the_file():
    text = SMALL.replace("wallet}", "Wallet}").replace("services:", "servics:").replace("rolling", "roling")
    assert problems(f"{text}{text.replace('roling: {}', 'rolling: {bake: 5}')}".replace("}\napi", "}\n---\napi")) == [
        "stdin:3:18: metadata.name: got Wallet; expected a DNS-1123 label such as wallet",
        "stdin:5:13: spec.workload.services: missing; expected a list",
        "stdin:5:34: spec.workload.servics: unknown; expected one of manifests, deployment, statefulSet, services; did you mean services?",
        "stdin:6:14: spec.strategy.roling: unknown; expected one of blueGreen, rolling; did you mean rolling?",
        "stdin:10:18: metadata.name: got Wallet; expected a DNS-1123 label such as wallet",
        "stdin:12:13: spec.workload.services: missing; expected a list",
        "stdin:12:34: spec.workload.servics: unknown; expected one of manifests, deployment, statefulSet, services; did you mean services?",
        "stdin:13:30: spec.strategy.rolling.bake: got 5; expected a duration with a unit such as 30s",
    ]  # fmt: skip


def test_a_document_of_another_kind_is_not_picked_to_pieces():
    assert problems("apiVersion: apps/v1\nkind: Deployment\nmetadata: {labels: {}}\nspec: {replicas: 3}") == [
        "stdin:1:13: apiVersion: got apps/v1; expected deployctl.dev/v1alpha1",
        "stdin:2:7: kind: got Deployment; expected App",
    ]


def test_a_document_that_is_no_mapping_is_told():
    assert problems("- a\n- b") == ["stdin:1:1: document: got a list; expected a mapping"]


def test_two_apps_of_one_name_are_told():
    assert problems(f"{SMALL}---\n{SMALL}") == [
        "stdin:10:18: metadata.name: wallet again, first at 3:18; expected one app of a name in a namespace"
    ]


def test_gates_that_blue_green_never_asks_are_a_warning():
    warnings = loaded(FULL.replace("rolling: {batch: 2, surge: 0, bake: 1m30s}", "blueGreen: {}")).warnings
    assert list(map(str, warnings)) == [
        "stdin:25:7: spec.gates.during: never asked by blueGreen, which shifts once; expected before or after"
    ]


def test_rolling_asks_its_gates_without_a_warning():
    assert loaded(FULL).warnings == ()


CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: on}\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deployctl.yaml").write_text(
        SMALL.replace("{deployment", "{manifests: [k8s/a.yaml], deployment")
    )
    (tmp_path / "k8s").mkdir()
    (tmp_path / "k8s" / "a.yaml").write_text(CONFIG)
    return tmp_path


OBJECT = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": True}}


def test_manifests_are_beside_the_file(folder):
    assert read(folder / "deployctl.yaml").objects == ((OBJECT,),)


def test_a_directory_stands_for_its_deployctl_yaml(folder):
    assert read(str(folder)).apps[0].name == "wallet"


def test_the_standard_input_finds_its_manifests_where_it_runs(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert loaded(Path("deployctl.yaml").read_text()).objects == ((OBJECT,),)


def test_the_standard_input_is_the_one_of_the_process(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(SMALL.encode())))
    assert read("-").apps[0].name == "wallet"


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(
        SpecError, match=r"none.yaml:1:1: file: No such file or directory; expected a YAML file$"
    ):
        read(tmp_path / "none.yaml")


def told(folder):
    with pytest.raises(SpecError) as raised:
        read(folder)
    return str(raised.value).replace(f"{folder}/", "").splitlines()


def test_a_manifest_that_is_not_there_is_told_at_the_line_that_names_it(folder):
    (folder / "k8s" / "a.yaml").unlink()
    assert told(folder) == [
        "deployctl.yaml:5:26: spec.workload.manifests[0]: k8s/a.yaml: No such file or directory; expected a manifest"
    ]


def test_a_directory_is_no_manifest(folder):
    (folder / "k8s" / "a.yaml").unlink()
    (folder / "k8s" / "a.yaml").mkdir()
    assert told(folder) == [
        "deployctl.yaml:5:26: spec.workload.manifests[0]: k8s/a.yaml: Is a directory; expected a manifest"
    ]


def test_what_is_wrong_in_a_manifest_is_told_with_its_own_place_after_what_is_wrong_in_the_file(folder):
    (folder / "k8s" / "a.yaml").write_text(f"{CONFIG}data: {{}}\n---\nkind: [")
    (folder / "deployctl.yaml").write_text(
        (folder / "deployctl.yaml").read_text().replace("rolling", "roling")
    )
    assert [line.split("; ")[0] for line in told(folder)] == [
        "deployctl.yaml:6:14: spec.strategy.roling: unknown",
        "k8s/a.yaml:5:1: data: given twice, first at 4:1",
        "k8s/a.yaml:8:1: syntax: did not find expected node content, while parsing a flow node at 8:1",
    ]


@pytest.mark.parametrize("text", [SMALL, FULL])
def test_an_app_comes_back_from_its_canonical_form(text):
    assert from_canonical(canonical(app(text))) == app(text)


def test_the_canonical_form_spells_every_default_out():
    assert canonical(app(SMALL)) == {
        "apiVersion": "deployctl.dev/v1alpha1",
        "kind": "App",
        "metadata": {"name": "wallet"},
        "spec": {
            "workload": {"manifests": [], "deployment": "wallet", "services": ["wallet"]},
            "strategy": {"rolling": {"batch": "25%", "bake": "30s"}},
            "drain": {"preStop": "5s", "timeout": "600s", "onTimeout": "hold"},
            "gates": {"before": [], "during": [], "after": [], "without": [], "hosts": []},
        },
    }


def test_a_record_that_this_version_cannot_read_is_told():
    whole = canonical(app(SMALL)) | {"spec": {}}
    with pytest.raises(SpecError, match=r"^record:1:1: spec.workload: missing; expected a mapping\n"):
        from_canonical(whole)


def test_the_digest_is_the_same_for_the_same_input():
    assert digest(app(SMALL), (OBJECT,)) == digest(app(SMALL), (OBJECT,))
    assert digest(app(SMALL), (OBJECT,)) == digest(
        app(SMALL.replace("{}", "{bake: 0.5m}")), (dict(reversed(OBJECT.items())),)
    )


def test_the_digest_tells_other_input_apart():
    assert len({digest(app(SMALL), ()), digest(app(FULL), ()), digest(app(SMALL), (OBJECT,))}) == 3


def test_a_place_makes_a_problem_of_its_line():
    assert str(Place("a.yaml", 3, 4).problem("spec", "wrong")) == "a.yaml:3:4: spec: wrong"


def outcome(text):
    try:
        return loaded(text)
    except SpecError as error:
        return error.problems


@given(st.text())
def test_any_text_is_a_spec_or_refused(text):
    assert outcome(text)


def damaged(text, damage):
    start, length, leaf = damage
    return text[:start] + leaf + text[start + length :]


LEAVES = st.sampled_from(
    [
        "{}",
        "[]",
        "[x]",
        "",
        "3",
        "'3'",
        "5s",
        "25%",
        "keep",
        "/x",
        "wallet",
        "{a: b}",
        "*x",
        "&x [*x]",
        "!y z",
        "\t",
        "0",
    ]
)


@given(st.lists(st.tuples(st.integers(0, len(FULL)), st.integers(0, 12), LEAVES), min_size=1, max_size=4))
@settings(deadline=None)
def test_any_damage_to_a_good_file_is_a_spec_or_refused(damages):
    assert outcome(reduce(damaged, damages, FULL))


STATEFUL = FULL.replace("deployment: wallet", "statefulSet: wallet")


def test_a_stateful_set_is_taken_by_its_ordinals():
    spec = app(STATEFUL).spec
    assert (spec.workload.kind, spec.workload.name) == ("StatefulSet", "wallet")
    assert type(spec.walk).__name__ == "Ordinal"
    assert spec.walk.bake_seconds == 90.0


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ("rolling: {surge: 1}", "surge 1: a StatefulSet has one pod of each name and no room for more; expected 0, or none"),
        ("blueGreen: {}", "blueGreen needs old and new pods side by side, and a StatefulSet has one of each name; expected rolling"),
    ],
)  # fmt: skip
def test_what_a_stateful_set_cannot_be_released_by_says_why(strategy, message):
    text = STATEFUL.replace("rolling: {batch: 2, surge: 0, bake: 1m30s}", strategy)
    assert problems(text) == [f"stdin:12:5: spec.strategy: {message}"]
