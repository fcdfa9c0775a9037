"""Queries that are asked again and again, with the bounds that they are judged by unless a gate has its own.

`${app}`, `${namespace}`, `${stable}`, `${preview}`, `${pods}` and `${window}` are what is released; the rest are
names of metrics and labels, which a gate may give in `using`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Template:
    """One query: what it asks, whose metrics they are, how many observations stand behind it, what they come from.

    samples: a query for the number of observations; fresh: a selector whose newest sample must not be old
    """

    asks: str
    query: str
    samples: str = ""
    fresh: str = ""
    min: float | None = None
    max: float | None = None
    why: str = ""
    using: Mapping[str, str] = field(default_factory=dict)


def _success(selector: str, errors: str) -> tuple[str, str]:
    """Write the share that went well and the number behind it; where nothing failed yet there is no such series."""
    every = f"sum(rate(${{metric}}{{{selector}}}[${{window}}]))"
    bad = f"sum(rate(${{metric}}{{{selector},{errors}}}[${{window}}]))"
    return (
        f"1 - ({bad} or {every} * 0) / {every}",
        f"sum(increase(${{metric}}{{{selector}}}[${{window}}]))",
    )


def _latency(selector: str) -> tuple[str, str]:
    return (
        f"histogram_quantile(${{quantile}}, sum by (le) (rate(${{metric}}_bucket{{{selector}}}[${{window}}])))",
        f"sum(increase(${{metric}}_count{{{selector}}}[${{window}}]))",
    )


def _success_of(whose: str, metric: str, selector: str, errors: str, **more: str) -> Template:
    query, samples = _success(selector, errors)
    return Template(
        f"the share of requests without a server error, {whose}",
        query,
        samples,
        f"${{metric}}{{{selector}}}",
        min=0.999,
        why="0.1 % of errors is what a payment service is allowed",
        using={"metric": metric, **more},
    )


def _latency_of(whose: str, metric: str, selector: str, most: float, **more: str) -> Template:
    query, samples = _latency(selector)
    return Template(
        f"the 99th percentile of the latency, {whose}",
        query,
        samples,
        f"${{metric}}_count{{{selector}}}",
        max=most,
        why="a wallet call is expected within 300 ms; change it for what is slower by nature",
        using={"metric": metric, "quantile": "0.99", **more},
    )


NEW_PODS = 'namespace="${namespace}",pod=~"${pods}"'
NGINX = 'exported_namespace="${namespace}",exported_service="${service}"'
ISTIO = 'reporter="destination",namespace="${namespace}",pod=~"${pods}"'
TRAEFIK = 'service=~"${namespace}-${service}-.*"'
ITS_APP = 'namespace="${namespace}",app="${app}"'

TEMPLATES: dict[str, Template] = {
    "success-rate": _success_of(
        "of the new pods, by their own counter",
        "http_requests_total",
        NEW_PODS,
        '${status}=~"5.."',
        status="status",
    ),
    "success-rate-nginx": _success_of(
        "at ingress-nginx, of all pods",
        "nginx_ingress_controller_requests",
        NGINX,
        'status=~"5.."',
        service="${app}",
    ),
    "success-rate-istio": _success_of(
        "of the new pods, by their sidecars", "istio_requests_total", ISTIO, 'response_code=~"5.."'
    ),
    "success-rate-traefik": _success_of(
        "at Traefik, of all pods", "traefik_service_requests_total", TRAEFIK, 'code=~"5.."', service="${app}"
    ),
    "latency": _latency_of(
        "of the new pods, by their own histogram", "http_request_duration_seconds", NEW_PODS, 0.3
    ),
    "latency-nginx": _latency_of(
        "at ingress-nginx, of all pods",
        "nginx_ingress_controller_request_duration_seconds",
        NGINX,
        0.3,
        service="${app}",
    ),
    "latency-istio": _latency_of(
        "of the new pods, by their sidecars, in milliseconds",
        "istio_request_duration_milliseconds",
        ISTIO,
        300.0,
    ),
    "latency-traefik": _latency_of(
        "at Traefik, of all pods", "traefik_service_request_duration_seconds", TRAEFIK, 0.3, service="${app}"
    ),
    "bet-acceptance": Template(
        "the share of placed bets that were accepted",
        "sum(rate(${accepted}{${own}}[${window}])) / sum(rate(${placed}{${own}}[${window}]))",
        "sum(increase(${placed}{${own}}[${window}]))",
        "${placed}{${own}}",
        min=0.95,
        why="a new version that refuses bets loses money without one error; set it to your own usual rate",
        using={"own": ITS_APP, "accepted": "bets_accepted_total", "placed": "bets_placed_total"},
    ),
    "debit-without-credit": Template(
        "debits that got neither a credit nor a cancel in time, as the wallet counts them",
        "sum(${open}{${own}})",
        "",
        "${open}{${own}}",
        max=0.0,
        why="each is a player's money that is nowhere",
        using={"own": ITS_APP, "open": "wallet_debits_unanswered"},
    ),
    "wallet-rollbacks": Template(
        "the share of debits that were rolled back",
        "(sum(rate(${rollbacks}{${own}}[${window}])) or sum(rate(${debits}{${own}}[${window}])) * 0) / sum(rate(${debits}{${own}}[${window}]))",
        "sum(increase(${debits}{${own}}[${window}]))",
        "${debits}{${own}}",
        max=0.005,
        why="a timeout in mid-release becomes a storm of rollbacks seconds later",
        using={"own": ITS_APP, "rollbacks": "wallet_rollbacks_total", "debits": "wallet_debits_total"},
    ),
    "settlement-lag": Template(
        "how long the oldest result has not been settled, in seconds",
        "max(${lag}{${own}})",
        "",
        "${lag}{${own}}",
        max=30.0,
        why="players look at their balance right after the result",
        using={"own": ITS_APP, "lag": "settlement_oldest_unsettled_seconds"},
    ),
    "odds-staleness": Template(
        "how old the oldest live price is, in seconds",
        "max(time() - ${updated}{${own}})",
        "",
        "${updated}{${own}}",
        max=5.0,
        why="a price that stands still while the game goes on is bought by those who watch it",
        using={"own": ITS_APP, "updated": "odds_updated_timestamp_seconds"},
    ),
    "queue-age": Template(
        "how long the oldest message has waited, in seconds",
        "max(${age}{${own}})",
        "",
        "${age}{${own}}",
        max=2.0,
        why="a queue that ages is seen before anything fails; its length says less",
        using={"own": ITS_APP, "age": "queue_oldest_message_age_seconds"},
    ),
}
