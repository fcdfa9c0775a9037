"""How many pods fit is what a scheduler finds that places one after the other, wherever it begins."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from strategies.room import Quota, Room, fitting, left, total, whole

NAMES = ("cpu", "memory", "pods")
amounts = st.fixed_dictionaries({name: st.integers(0, 40) for name in NAMES})
needs = st.fixed_dictionaries({"cpu": st.integers(0, 9), "memory": st.integers(0, 9), "pods": st.just(4)})


def placed(need: dict[str, int], nodes: list[dict[str, int]], backwards: bool) -> int:
    """Place pod after pod on the first node that has all of it, until none has: the dumb way."""
    free = [dict(one) for one in (reversed(nodes) if backwards else nodes)]
    count = 0
    while node := next((one for one in free if all(one[key] >= need[key] for key in need)), None):
        for key, amount in need.items():
            node[key] -= amount
        count += 1
    return count


@given(needs, st.lists(amounts, max_size=5), st.booleans())
def test_so_many_fit_as_a_scheduler_places(
    need: dict[str, int], nodes: list[dict[str, int]], backwards: bool
) -> None:
    assert fitting(need, nodes) == placed(need, nodes, backwards)


def test_what_is_left_on_two_nodes_is_not_one_place() -> None:
    assert fitting({"cpu": 600}, [{"cpu": 500}, {"cpu": 500}]) == 0
    assert fitting({"cpu": 250, "pods": 1}, [{"cpu": 600, "pods": 9}, {"cpu": 1000, "pods": 9}]) == 6
    assert fitting({"cpu": 250, "pods": 1}, [{"cpu": 1000, "pods": 1}]) == 1


def test_a_node_without_the_resource_has_no_place() -> None:
    assert fitting({"cpu": 1, "gpu": 1}, [{"cpu": 9}]) == 0


def test_a_node_that_has_more_asked_of_it_than_it_has_takes_nothing() -> None:
    assert fitting({"cpu": 1}, [left({"cpu": 5}, {"cpu": 7})]) == 0


def test_a_pod_takes_what_runs_or_what_it_needs_to_start() -> None:
    app, sidecar = {"cpu": 100, "memory": 5}, {"cpu": 50}
    assert whole([app], [sidecar], []) == {"cpu": 150, "memory": 5}
    assert whole([app], [sidecar], [{"cpu": 300}]) == {"cpu": 350, "memory": 5}
    assert whole([app], [], [{"cpu": 70, "memory": 9}]) == {"cpu": 100, "memory": 9}


@given(st.lists(amounts, max_size=4))
def test_a_total_is_a_sum(several: list[dict[str, int]]) -> None:
    for name in NAMES:
        assert total(several).get(name, 0) == sum(one[name] for one in several)


def test_the_least_of_what_is_known_counts() -> None:
    quota = Quota("team", "pods", "20", 3)
    assert Room(8, (quota,)).more == 3
    assert Room(2, (quota,)).more == 2
    assert Room(None, (quota,)).more == 3
    assert Room(None).more is None
