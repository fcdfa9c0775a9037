"""Every kind of gate explains itself: whom it asks, with which rights, what is no answer, each of its keys."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from deployctl import plugins
from deployctl.explained import explained, kinds
from deployctl.gates.templates import TEMPLATES
from deployctl.render.gates import explanation

KINDS = plugins.names(plugins.GATES)
OURS = ("grpc", "http", "job", "prometheus", "restarts", "tcp", "tls", "webhook")


def deployctl(*words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "KUBECONFIG": "/dev/null"}
    return subprocess.run(
        [sys.executable, "-m", "deployctl", *words], capture_output=True, text=True, env=env, check=False
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_explained_in_words(kind):
    text = explanation(explained(kind))
    assert text.startswith(f"{kind}: ")
    assert all(len(line) <= 120 for line in text.splitlines() if "${" not in line)


@pytest.mark.parametrize("kind", OURS)
def test_every_key_of_ours_says_what_it_is(kind):
    assert [one.name for one in explained(kind).options if not one.about] == []


@pytest.mark.parametrize("kind", OURS)
def test_ours_say_which_rights_they_need_and_what_is_no_answer(kind):
    one = explained(kind)
    assert "it does not say" not in (*one.rights, *one.unknown)


def test_every_template_says_what_passes_and_why():
    for one in explained("prometheus").templates:
        assert one.passes
        assert one.why
    assert [one.name for one in explained("prometheus").templates] == list(TEMPLATES)


def test_the_list_is_that_of_the_entry_points():
    assert [one["name"] for one in kinds()] == list(KINDS)
    done = deployctl("gate", "list", "-o", "name")
    assert done.stdout.split() == list(KINDS)


def test_an_explanation_is_a_document_for_a_program():
    whole = json.loads(deployctl("gate", "explain", "tls", "-o", "json").stdout)
    assert (whole["kind"], whole["name"]) == ("Gate", "tls")
    assert {"name": "minimum", "takes": "one of 1.2, 1.3", "default": "1.2"}.items() <= next(
        one for one in whole["options"] if one["name"] == "minimum"
    ).items()


def test_an_unknown_kind_is_told_with_those_that_are_installed():
    done = deployctl("gate", "explain", "htp")
    assert done.returncode == 2
    assert "installed: " + ", ".join(KINDS) in done.stderr


def test_asking_needs_a_cluster_that_is_there():
    done = deployctl("gate", "run", "wallet")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
