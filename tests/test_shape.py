"""The shape of the code is a test: short functions, a pure core, one adapter a library."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted([*ROOT.glob("strategies/**/*.py"), *ROOT.glob("deployctl/**/*.py")])
NAMELESS = {"utils", "util", "helpers", "helper", "common", "manager", "handler", "base", "misc"}


def named(module: Path) -> str:
    return str(module.relative_to(ROOT))


def tree(module: Path) -> ast.Module:
    return ast.parse(module.read_text(), named(module))


def imported(module: Path) -> set[str]:
    """Name every package that a module imports, wherever in it."""
    nodes = list(ast.walk(tree(module)))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return {name.split(".")[0] for name in (*plain, *(node.module or "" for node in nodes if _from(node)))}


def _from(node: ast.AST) -> bool:
    return isinstance(node, ast.ImportFrom)


def functions() -> Iterator[tuple[str, int]]:
    """Give every function with the lines of its body, without its docstring."""
    for module in MODULES:
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
                yield f"{named(module)}:{node.lineno} {node.name}", lines


def importers(package: str) -> set[str]:
    return {named(module) for module in MODULES if package in imported(module)}


LENGTHS = dict(functions())


def test_half_of_all_functions_have_at_most_six_lines():
    assert statistics.median(LENGTHS.values()) <= 6


def test_nine_functions_in_ten_have_at_most_sixteen_lines():
    assert sorted(LENGTHS.values())[len(LENGTHS) * 9 // 10] <= 16


def test_no_function_has_more_than_forty_five_lines():
    assert {name: lines for name, lines in LENGTHS.items() if lines > 45} == {}


def test_kubernetes_is_imported_only_by_the_cluster_adapter():
    assert {Path(one).parent for one in importers("kubernetes")} <= {Path("deployctl/cluster")}


def test_rich_is_imported_only_where_something_is_shown():
    assert {Path(one).parent for one in importers("rich")} <= {Path("deployctl/render")}


def test_httpx_is_imported_only_by_gates():
    assert {Path(one).parent for one in importers("httpx")} <= {Path("deployctl/gates")}


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_no_module_catches_everything(module):
    caught = [node.type for node in ast.walk(tree(module)) if isinstance(node, ast.ExceptHandler)]
    names = {
        one.id
        for kind in caught
        for one in ast.walk(kind or ast.Name("Exception"))
        if isinstance(one, ast.Name)
    }
    assert not names & {"Exception", "BaseException"}


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_every_module_has_a_name_of_its_own(module):
    assert not set(module.with_suffix("").parts) & NAMELESS
