"""A pod template is chosen, completed, and told apart from others by its digest."""

from __future__ import annotations

import pytest

from deployctl.errors import UsageError
from deployctl.template import (
    bare,
    digest,
    images,
    lacking_pre_stop,
    lingers,
    restarted,
    with_images,
    with_pre_stop,
)
from tests.objects import hashed, template

TWO = {"spec": {"containers": [{"name": "app", "image": "a:1"}, {"name": "proxy", "image": "p:1"}]}}


def test_a_replica_sets_template_has_its_deployments_digest():
    assert digest(hashed(template())) == digest(template())


def test_another_image_is_another_digest():
    assert digest(template("wallet:1")) != digest(template("wallet:2"))


def test_the_order_of_keys_does_not_count():
    assert digest({"spec": {"a": 1, "b": 2}}) == digest({"spec": {"b": 2, "a": 1}})


def test_the_null_timestamp_of_older_api_servers_does_not_count():
    assert digest({"metadata": {"creationTimestamp": None, "labels": {}}}) == digest(
        {"metadata": {"labels": {}}}
    )


def test_a_template_without_labels_has_a_digest():
    assert digest({"metadata": {"labels": None}, "spec": {}}) == digest(
        {"metadata": {"labels": None}, "spec": {}}
    )


def test_bare_takes_the_hash_off_and_leaves_its_argument_alone():
    given = hashed(template())
    assert bare(given) == template()
    assert "pod-template-hash" in given["metadata"]["labels"]


def test_an_image_without_a_name_is_the_only_containers():
    assert images(with_images(template(), {"": "wallet:7"})) == {"app": "wallet:7"}


def test_an_image_is_set_by_its_containers_name():
    assert images(with_images(TWO, {"proxy": "p:2"})) == {"app": "a:1", "proxy": "p:2"}


def test_an_image_without_a_name_needs_a_pod_with_one_container():
    with pytest.raises(UsageError, match="the pod has several containers: app, proxy"):
        with_images(TWO, {"": "a:2"})


def test_an_image_for_a_container_that_is_not_there_names_those_that_are():
    with pytest.raises(
        UsageError, match=r"--image web=\.\.\.: no such container; expected one of app, proxy"
    ):
        with_images(TWO, {"web": "a:2"})


def test_a_restart_is_marked_as_kubectl_marks_it():
    given = restarted(template(), "2026-11-23T12:00:00+00:00")
    assert given["metadata"]["annotations"] == {
        "kubectl.kubernetes.io/restartedAt": "2026-11-23T12:00:00+00:00"
    }
    assert digest(given) != digest(template())


def test_pre_stop_is_added_where_it_is_missing():
    assert with_pre_stop(template(pre_stop=0), 5) == template(pre_stop=5)


def test_a_pre_stop_of_the_user_is_left_alone():
    assert with_pre_stop(template(pre_stop=9), 5) == template(pre_stop=9)


def test_a_lifecycle_without_pre_stop_keeps_what_it_has():
    given = {"spec": {"containers": [{"name": "app", "lifecycle": {"postStart": {}}}]}}
    lifecycle = with_pre_stop(given, 5)["spec"]["containers"][0]["lifecycle"]
    assert lifecycle == {"postStart": {}, "preStop": {"sleep": {"seconds": 5}}}


def test_who_lacks_pre_stop_is_named():
    assert [one["name"] for one in lacking_pre_stop(TWO)] == ["app", "proxy"]


@pytest.mark.parametrize(("pre_stop", "expected"), [(0, False), (1, False), (2, True), (5, True)])
def test_pods_linger_that_sleep_as_long_as_asked(pre_stop, expected):
    assert lingers(template(pre_stop=pre_stop), 2.0) is expected


def test_pods_with_a_hook_of_their_own_are_not_known_to_linger():
    hook = {"name": "app", "lifecycle": {"preStop": {"exec": {"command": ["sleep", "5"]}}}}
    assert not lingers({"spec": {"containers": [hook]}}, 2.0)
