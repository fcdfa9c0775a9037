"""Files that several vendors take: JUnit XML with a case for each gate, and dotenv."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, tostring

from deployctl.ci import End
from deployctl.render.timeline import Span
from deployctl.spoken import cut, harmless

MOST_LETTERS = 500  # of a value in dotenv, of which GitLab takes 5 KiB


def junit(end: End) -> bytes:
    """Write the suites: the release itself, then its gates stage by stage."""
    root = Element("testsuites", name=harmless(f"deployctl {end.app}"))
    _suite(root, end, "release", ())
    for stage, gates in groupby(sorted(end.gates, key=_order), key=lambda one: one.stage):
        _suite(root, end, stage, tuple(gates))
    whole: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return whole


def _order(one: Span) -> tuple[int, float]:
    return ("before", "during", "after").index(one.stage), one.began


def _suite(root: Element, end: End, stage: str, gates: tuple[Span, ...]) -> None:
    suite = SubElement(root, "testsuite", name=harmless(f"{end.app} {stage}"))
    cases = [_gate(suite, end, one) for one in gates] or [_release(suite, end)]
    suite.set("tests", str(len(cases)))
    for kind, name in (("failure", "failures"), ("skipped", "skipped")):
        suite.set(name, str(sum(one.find(kind) is not None for one in cases)))


def _release(suite: Element, end: End) -> Element:
    properties = SubElement(suite, "properties")
    for name, value in end.values().items():
        SubElement(properties, "property", name=name, value=harmless(value))
    case = _case(suite, end, "release", 0.0)
    if not end.good:
        said = harmless(end.reason or end.outcome)
        SubElement(case, "failure", type=end.outcome, message=said).text = said
    return case


def _gate(suite: Element, end: End, one: Span) -> Element:
    case, said = _case(suite, end, one.name, one.ended - one.began), harmless(one.evidence)
    if one.passed is False:
        SubElement(case, "failure", type="gate", message=said).text = said
    elif one.passed is None:
        SubElement(case, "skipped", message=f"no verdict: {said}")
    return case


def _case(suite: Element, end: End, name: str, seconds: float) -> Element:
    place = harmless(f"{end.namespace}.{end.app}")
    return SubElement(suite, "testcase", classname=place, name=harmless(name), time=f"{seconds:.3f}")


def dotenv(end: End) -> bytes:
    """Write one NAME=value a line, without quotes, as GitLab reads it."""
    return "".join(_lines(end)).encode()


def _lines(end: End) -> Iterator[str]:
    for name, value in end.values().items():
        yield f"DEPLOYCTL_LAST_{name.upper()}={cut(harmless(value), MOST_LETTERS).strip()}\n"
