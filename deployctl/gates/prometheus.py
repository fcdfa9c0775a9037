"""The prometheus gate asks a Prometheus one query, of a template or of your own, or compares preview with stable."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from deployctl.errors import DeployctlError
from deployctl.gates import Asked, Page
from deployctl.gates.bounds import bounded, check_bounds
from deployctl.gates.credential import Credential, FilePath, Revealed, revealed
from deployctl.gates.fetch import Url, check_url, fetch, scrubbed, shown
from deployctl.gates.promql import Nothing, Series, Server, folded, quoted
from deployctl.gates.templates import TEMPLATES, Template
from strategies.analysis import Answer, Measurement
from strategies.comparison import Share, Tolerance

PLACE = re.compile(r"\$\{([A-Za-z]+)\}")
GIVEN = frozenset({"app", "namespace", "stable", "preview", "pods", "window"})
FOLDS = ("last", "max", "min", "avg")

Query = Annotated[str, Meta(min_length=1, max_length=4096)]
TemplateName = Annotated[str, Meta(pattern="^[a-z-]+$", extra={"expected": "the name of a template"})]
Confidence = Annotated[float, Meta(ge=0.5, le=0.999)]


@dataclass(frozen=True)
class Compare:
    """Compare shares of the preview with those of stable; `${revision}` in the queries is the hash of each.

    bad: a query for how many went wrong; no series is none
    all: a query for how many there were
    maxDifference: how much larger the preview's share may be
    maxRatio: or how many times as large
    confidence: of the bound that must be within that, so that little traffic cannot pass by luck
    """

    bad: Query
    all: Query
    max_difference: float = 0.005
    max_ratio: float | None = None
    confidence: Confidence = 0.95


@dataclass(frozen=True)
class Range:
    """Ask for the last while instead of the moment, and fold it into one number.

    last: how long back, by the clock of Prometheus
    step: between two points
    fold: the last, the largest, the smallest or the mean of them
    """

    last_seconds: float = 60.0
    step_seconds: float = 5.0
    fold: Literal["last", "max", "min", "avg"] = "max"

    def __post_init__(self) -> None:
        if self.step_seconds <= 0 or self.last_seconds < self.step_seconds:
            raise ValueError("step: longer than last, or none; expected a shorter one")


@dataclass(frozen=True)
class Prometheus:
    """Ask a Prometheus one query and judge the number, or compare what the preview does with what stable does.

    url: up to the path before /api/v1; spec.gates.metrics unless it is given
    template: a query that is known by name (`deployctl gate explain prometheus`)
    using: names of metrics and labels that a template, or your own query, has as ${name}
    query: your own, with ${app}, ${namespace}, ${stable}, ${preview}, ${pods} and ${window}
    compare: the preview with stable, instead of a query
    min: the least that passes
    max: the most that passes
    unsureBelow: below it, down to min, a person decides
    unsureAbove: above it, up to max, a person decides
    samples: a query for how many observations there are: what minSamples is about
    fresh: a selector whose newest sample must not be old: what maxAge is about
    series: how many series the query gives; 0 is any number, and each must pass
    window: ${window}, over which a query looks back
    range: look at the last while, instead of the moment
    token: sent as a bearer token
    ca: a file of certificates that the url is trusted by, instead of the usual
    """

    RIGHTS: ClassVar = ("none in the cluster; to ask the Prometheus",)
    UNKNOWNS: ClassVar = (
        "no answer in time, a token that is not accepted, a server that is no Prometheus, a query it refuses",
        "no series or NaN (what `noData` is about): a metric was renamed, or there was no traffic",
        "more or fewer series than expected, samples older than `maxAge` or fewer than `minSamples`",
        "compare: too little traffic to tell the two apart",
    )
    pod_wise: ClassVar = False

    url: Url | None = None
    template: TemplateName | None = None
    using: dict[str, str] = dataclasses.field(default_factory=dict)
    query: Query | None = None
    compare: Compare | None = None
    min: float | None = None
    max: float | None = None
    unsure_below: float | None = None
    unsure_above: float | None = None
    samples: Query | None = None
    fresh: Query | None = None
    series: Annotated[int, Meta(ge=0)] = 1
    window_seconds: float = 60.0
    range: Range | None = None
    token: Credential | None = None
    ca: FilePath | None = None

    def __post_init__(self) -> None:
        check_url(self.url)
        given = [one for one in (self.template, self.query, self.compare) if one is not None]
        if len(given) != 1:
            raise ValueError("expected exactly one of template, query and compare")
        if self.template and self.template not in TEMPLATES:
            raise ValueError(f"template: {self.template} is unknown; expected one of {', '.join(TEMPLATES)}")
        if self.query and self.min is None and self.max is None:
            raise ValueError("query: nothing to judge it by; expected min or max beside it")
        check_bounds(self.min, self.max, self.unsure_below, self.unsure_above)
        self._check_places()

    def _check_places(self) -> None:
        """Raise ValueError where a query has a place that nothing fills."""
        known = GIVEN | set(self._using()) | ({"revision"} if self.compare else set())
        strange = {one for text in self._texts() for one in PLACE.findall(text)} - known
        if strange:
            raise ValueError(f"${{{min(strange)}}} is unknown; expected one of {', '.join(sorted(known))}")

    def _texts(self) -> tuple[str, ...]:
        compared = (self.compare.bad, self.compare.all) if self.compare else ()
        own = (one for one in (self.query, self.samples, self.fresh) if one)
        return (*own, *compared, *self.using.values())

    @property
    def known(self) -> Template:
        """Give the template, with what this gate says itself instead."""
        one = TEMPLATES[self.template] if self.template else Template("", self.query or "")
        bounds = (one.min, one.max) if self.min is None and self.max is None else (self.min, self.max)
        return dataclasses.replace(
            one,
            samples=self.samples or one.samples,
            fresh=self.fresh or one.fresh,
            min=bounds[0],
            max=bounds[1],
        )

    def _using(self) -> dict[str, str]:
        return {**(TEMPLATES[self.template].using if self.template else {}), **self.using}

    def measure(self, asked: Asked) -> Measurement:
        """Ask once; what has no answer says why."""
        where = self.url or (asked.metrics.url if asked.metrics else "")
        if not where:
            return Measurement(Answer.UNKNOWN, "no Prometheus is named: neither url nor spec.gates.metrics")
        try:
            post = self._post(where, asked)
        except DeployctlError as error:
            return Measurement(Answer.UNKNOWN, f"{shown(where)}: {error}")
        return scrubbed(self._asked(Server(post), asked, shown(where)), post.bearer)

    def _asked(self, server: Server, asked: Asked, where: str) -> Measurement:
        try:
            return self._compared(server, asked) if self.compare else self._judged(server, asked)
        except Nothing as error:
            return Measurement(Answer.UNKNOWN, f"{self._named()}: {error}", samples=0, empty=True)
        except DeployctlError as error:
            told = str(error)
            return Measurement(Answer.UNKNOWN, told if told.startswith(where) else f"{where}: {told}")

    def _named(self) -> str:
        return self.template or self.query or "compare"

    def _post(self, where: str, asked: Asked) -> Poster:
        own = self.url is not None or asked.metrics is None
        token, authority = (self.token, self.ca) if own else (asked.metrics.token, asked.metrics.ca)  # type: ignore[union-attr]
        hosts = asked.hosts if own else (*asked.hosts, urlsplit(where).hostname or "")
        allowed = dataclasses.replace(asked, hosts=hosts)
        bearer = revealed(token, asked)
        return Poster(allowed, where.rstrip("/"), bearer, authority)

    def filled(self, text: str, asked: Asked, **more: str) -> str:
        """Fill in what is released, quoted as the value of a label, and the names that are used."""
        about = asked.about
        names = "|".join(pod["metadata"]["name"] for pod in asked.pods) or "none"
        given = {
            "app": about.app,
            "namespace": about.namespace,
            "stable": about.stable,
            "preview": about.preview,
            "pods": names,
            "window": f"{self.window_seconds:g}s",
            **more,
        }
        plain = {name: quoted(value) for name, value in given.items()}
        used = {name: _fill(value, plain) for name, value in self._using().items()}
        return _fill(text, {**used, **plain})

    def _judged(self, server: Server, asked: Asked) -> Measurement:
        one = self.known
        samples = self._count(server, self.filled(one.samples, asked)) if one.samples else None
        found = self._found(server, self.filled(one.query, asked))
        age = server.age(self.filled(one.fresh, asked)) if one.fresh else None
        judged = [self._bounded(one, series, samples, age) for series in found]
        order = (Answer.FAIL, Answer.UNKNOWN, Answer.INCONCLUSIVE, Answer.PASS)
        return min(judged, key=lambda each: order.index(each.answer))

    def _bounded(
        self, one: Template, series: Series, samples: float | None, age: float | None
    ) -> Measurement:
        return bounded(
            folded(series.values, self.range.fold if self.range else "last"),
            f"{self._named()} {series.labels}".rstrip("{} "),
            least=one.min,
            most=one.max,
            unsure_below=self.unsure_below,
            unsure_above=self.unsure_above,
            samples=samples,
            age_seconds=age,
        )

    def _found(self, server: Server, query: str) -> tuple[Series, ...]:
        window = self.range
        found = (
            server.range(query, window.last_seconds, window.step_seconds) if window else server.instant(query)
        )
        if not found:
            raise Nothing("no series")
        if self.series and len(found) != self.series:
            told = ", ".join(one.labels for one in found[:2])
            raise DeployctlError(f"{self._named()}: {len(found)} series ({told}), expected {self.series}")
        return found

    def _count(self, server: Server, query: str) -> float:
        try:
            return round(server.number(query), 3)
        except Nothing:
            return 0.0

    def _compared(self, server: Server, asked: Asked) -> Measurement:
        wanted = self.compare
        if wanted is None or not (asked.about.stable and asked.about.preview):
            return Measurement(Answer.UNKNOWN, "there are no two revisions to compare")
        sides = [self._share(server, asked, one, wanted) for one in (asked.about.preview, asked.about.stable)]
        tolerance = Tolerance(wanted.max_difference, wanted.max_ratio, wanted.confidence)
        compared = tolerance.compare(*sides)
        age = server.age(self.filled(self.fresh, asked)) if self.fresh else None
        return dataclasses.replace(compared, age_seconds=age)

    def _share(self, server: Server, asked: Asked, revision: str, wanted: Compare) -> Share:
        every = self._count(server, self.filled(wanted.all, asked, revision=revision))
        return Share(
            min(every, self._count(server, self.filled(wanted.bad, asked, revision=revision))), every
        )


def _fill(text: str, values: Mapping[str, str]) -> str:
    return PLACE.sub(lambda place: values[place[1]], text)


@dataclass(frozen=True)
class Poster:
    """Sends a form to a path under an address, with its token."""

    asked: Asked
    where: str
    bearer: Revealed
    authority: str | None

    def __call__(self, path: str, form: bytes) -> Page:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        url = self.where + path
        return fetch(
            self.asked,
            url,
            method="POST",
            headers=kind,
            body=form,
            bearer=self.bearer,
            authority=self.authority,
        )
