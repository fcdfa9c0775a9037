"""Queries that must stay cheap: how the server would carry them out now, never carried out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deployctl.gates.findings import Finding, judged, unknown
from deployctl.gates.postgres.options import Plan
from deployctl.gates.postgres.session import Refused, Session

Node = dict[str, Any]
ROWS = """
SELECT c.reltuples::float8 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2"""


def plans(asks: Session, wanted: tuple[Plan, ...]) -> Iterator[Finding]:
    """Judge each declared query."""
    for one in wanted:
        yield from (found.of(one.name) for found in _plan(asks, one))


def _plan(asks: Session, wanted: Plan) -> Iterator[Finding]:
    try:
        rows = asks.declared(f"EXPLAIN (FORMAT JSON, VERBOSE) {wanted.query}", *wanted.values)
    except Refused as error:
        yield unknown("plan", str(error))
        return
    top = rows[0][0][0]["Plan"]
    yield _cost(top, wanted)
    yield from _scans(asks, top, wanted)


def _cost(top: Node, wanted: Plan) -> Finding:
    cost = float(top["Total Cost"])
    most = cost if wanted.cost is None else wanted.cost * wanted.ratio
    text = f"its plan costs {cost:.2f}"
    return judged("plan", text, fine=cost <= most, expected=f"at most {wanted.ratio:g} x {wanted.cost}")


def _scans(asks: Session, top: Node, wanted: Plan) -> Iterator[Finding]:
    """Look at each table that would be read whole: one of few rows is, and rightly."""
    for schema, table in sorted({(one["Schema"], one["Relation Name"]) for one in _whole(top)}):
        if table in wanted.scans or f"{schema}.{table}" in wanted.scans:
            continue
        rows = asks.row(ROWS, schema, table)[0]
        if rows < 0:
            yield unknown(
                "plan", f"it reads {schema}.{table} whole, and no one knows its rows: run ANALYZE {table}"
            )
            continue
        text = f"it reads {schema}.{table} whole, of {rows:.0f} rows"
        yield judged("plan", text, fine=rows <= wanted.rows, expected=f"an index above {wanted.rows} rows")


def _whole(node: Node) -> Iterator[Node]:
    if node["Node Type"] == "Seq Scan":
        yield node
    for one in node.get("Plans", ()):
        yield from _whole(one)
