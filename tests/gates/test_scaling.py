"""A budget that is given no number of pods reads it from the live autoscaler, and has no answer where it may not."""

from __future__ import annotations

import pytest

from deployctl.cluster.api import Denied
from deployctl.errors import DeployctlError
from deployctl.gates import About, Asked
from deployctl.gates.galera import Galera
from deployctl.gates.peers import Connections, Peer
from deployctl.gates.scaling import sized
from strategies.analysis import Answer
from tests.objects import service

SCALERS = "/apis/autoscaling/v2/namespaces/igaming/horizontalpodautoscalers"
WALLET = "/apis/apps/v1/namespaces/igaming/deployments/wallet"
WANTED = Connections(pool=5, user="wallet")


class Objects:
    """A cluster of these documents by their paths; what is not among them may not be read."""

    def __init__(self, documents):
        self.documents = documents

    def get(self, path):
        if path not in self.documents:
            raise Denied(403, f"GET {path}: forbidden")
        return self.documents[path]


def asked(documents, kind="Deployment", workload="wallet"):
    about = About("wallet", "igaming", "a", "b", kind, workload)
    return Asked((), service(), lambda *_: (200, b""), cluster=Objects(documents), about=about)


def scalers(*several):
    items = [
        {"spec": {"scaleTargetRef": {"kind": kind, "name": name}, "maxReplicas": most}}
        for kind, name, most in several
    ]
    return {SCALERS: {"items": items}}


def test_the_live_autoscaler_of_the_workload_tells_the_most_pods():
    found = scalers(("Deployment", "odds", 60), ("StatefulSet", "wallet", 40), ("Deployment", "wallet", 12))
    assert sized(WANTED, asked(found)).pods == 24


def test_an_autoscaler_of_a_stateful_set_is_found_by_its_kind():
    assert sized(WANTED, asked(scalers(("StatefulSet", "wallet", 3)), "StatefulSet")).pods == 6


def test_a_workload_that_nobody_scales_has_its_replicas():
    there = {**scalers(("Deployment", "odds", 60)), WALLET: {"spec": {"replicas": 4}}}
    assert sized(WANTED, asked(there)).pods == 8


def test_what_the_spec_says_is_not_asked_for():
    assert sized(Connections(pool=5, user="wallet", max_replicas=2), asked({})).pods == 4
    assert sized(None, asked({})) is None


@pytest.mark.parametrize("there", [{}, {WALLET: {"spec": {"replicas": 4}}}, scalers()])
def test_without_the_right_to_look_there_is_no_number(there):
    with pytest.raises(
        DeployctlError, match=r"^connections: maxReplicas is not given, and cannot be read: GET "
    ):
        sized(WANTED, asked(there))


def test_without_a_workload_there_is_no_number():
    with pytest.raises(DeployctlError, match="there is no workload to look at"):
        sized(WANTED, asked({}, workload=""))


def test_a_gate_without_the_right_has_no_answer_and_says_why():
    one = Galera(nodes=(Peer("127.0.0.1", 1),), user="gate", connections=WANTED).measure(asked({}))
    assert one.answer is Answer.UNKNOWN
    assert one.evidence.endswith(f"cannot be read: GET {SCALERS}: forbidden")
