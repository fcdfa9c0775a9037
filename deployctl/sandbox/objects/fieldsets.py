"""Sets of fields as FieldsV1 writes them: trees in which an owned field is `{}`, or has `.` beside what is in it."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
Path = tuple[str, ...]


def tree(paths: list[Path]) -> Json:
    """Give the tree of some fields."""
    tree: Json = {}
    for path in paths:
        node = tree
        for element in path:
            node = node.setdefault(element, {})
        node["."] = {}
    return _leaves(tree)


def _leaves(tree: Json) -> Json:
    return {key: {} if inner.keys() <= {"."} else _leaves(inner) for key, inner in tree.items()}


def merged(tree: Json, other: Json) -> Json:
    """Give the fields that are in either of two trees."""
    return {
        key: _both(tree[key], other[key]) if key in tree and key in other else tree.get(key, other.get(key))
        for key in [*tree, *(key for key in other if key not in tree)]
    }


def _both(one: Json, other: Json) -> Json:
    if not one or not other:
        return {".": {}, **one, **other} if one or other else {}
    return merged(one, other)


def without(tree: Json, path: Path) -> Json:
    """Give a tree without a field, the same one where it is not in it; what is left empty goes, too."""
    head, rest = path[0], path[1:]
    inner = tree.get(head)
    if inner is None or (rest and not inner):
        return tree
    left = without(inner, rest) if rest else {key: value for key, value in inner.items() if key != "."}
    if inner and left == inner:
        return tree
    kept = {key: value for key, value in tree.items() if key != head}
    if left:
        kept[head] = {} if left.keys() == {"."} else left
    return kept
