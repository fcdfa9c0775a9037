"""Gates that a kind of service is released with: `gates.profile` of a spec names one, and the spec may say otherwise."""

from __future__ import annotations

from typing import Any, Literal

Json = dict[str, Any]
Profile = Literal["wallet", "payments", "game-session", "odds"]


def _of_metrics(name: str, seconds: float, **options: Any) -> Json:
    """Ask a template of Prometheus six times in a minute; five minutes without an answer are a no."""
    return {
        "name": name,
        "interval": "10s",
        "count": 6,
        "failureLimit": 1,
        "consecutiveErrorLimit": 29,
        "maxAge": f"{seconds:g}s",
        "prometheus": {"template": name, **options},
    }


def _of_traffic(name: str, **options: Any) -> Json:
    """Ask the same of traffic: fewer than a hundred requests say nothing."""
    return {**_of_metrics(name, 60), "minSamples": 100, "prometheus": {"template": name, **options}}


HEALTH = {"name": "health", "count": 3, "http": {"path": "/healthz"}}
RESTARTS: Json = {"name": "restarts", "interval": "10s", "count": 6, "restarts": {"max": 0}}
PRECISE = _of_traffic("success-rate", min=0.999)
USUAL = _of_traffic("success-rate", min=0.995)

UNDER_TRAFFIC: dict[str, list[Json]] = {
    "wallet": [
        RESTARTS,
        PRECISE,
        _of_traffic("latency", max=0.3),
        _of_traffic("wallet-rollbacks", max=0.005),
        _of_metrics("debit-without-credit", 60, max=0),
    ],
    "payments": [RESTARTS, PRECISE, _of_traffic("latency", max=0.3), _of_metrics("queue-age", 30, max=2)],
    "game-session": [
        RESTARTS,
        USUAL,
        _of_traffic("latency", max=0.5),
        _of_metrics("settlement-lag", 60, max=30),
    ],
    "odds": [RESTARTS, USUAL, _of_traffic("latency", max=0.3), _of_metrics("odds-staleness", 15, max=5)],
}


def gates_of(profile: Profile) -> Json:
    """Give the stages of a profile as a spec file would say them."""
    traffic = UNDER_TRAFFIC[profile]
    return {"before": [HEALTH, RESTARTS], "during": traffic, "after": traffic}
