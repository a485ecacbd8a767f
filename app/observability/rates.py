"""Rates and latencies of the last minute, from the counters and histograms of `/metrics`."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

from prometheus_client.samples import Sample

from app.observability.metrics import Telemetry

WINDOW_S = 60.0
EVERY_S = 5.0
MOST_ROUTES = 20

Buckets = dict[float, float]  # responses up to a duration in seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRates:
    """One route in the window; durations in seconds, interpolated between the histogram's edges.

    Attributes:
        route: Its template, such as "/cats".
    """

    route: str
    requests_per_s: float
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What the front end did in the window.

    Attributes:
        window_s: Length of the window; shorter after a start.
        requests_per_s: Responses sent.
        errors_per_s: Responses with status 500 and above.
        cats_per_s: Cats sent, cached ones included.
        rendered_per_s: Images rendered.
        cache_hit_share: Of the cats looked up, those found rendered; None if there were none.
        loop_lag_p95_s: Lag of the event loop.
        routes: The busiest routes, busiest first; an event stream counts when it ends.
    """

    window_s: float
    requests_per_s: float
    errors_per_s: float
    cats_per_s: float
    rendered_per_s: float
    cache_hit_share: float | None
    loop_lag_p95_s: float | None
    routes: tuple[RouteRates, ...]


@dataclass(frozen=True, slots=True)
class _Reading:
    at: float
    counts: Mapping[str, float]
    by_route: Mapping[str, float]
    durations: Mapping[str, Buckets]
    lag: Buckets


class RateMeter:
    """Reads the counters every few seconds, to compare with those of a minute ago.

    Args:
        telemetry: Whose counters.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._readings: deque[_Reading] = deque([self._read()])
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start reading, in the running loop."""
        self._task = asyncio.create_task(self._keep_reading())

    async def close(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def rates(self) -> Rates:
        """Return what happened in the window that ends now."""
        new, old = self._read(), self._readings[0]
        window_s = max(new.at - old.at, 1e-3)

        def rate(name: str) -> float:
            return round((new.counts[name] - old.counts[name]) / window_s, 3)

        hits, misses = rate("hits"), rate("misses")
        return Rates(
            window_s=round(window_s, 1),
            requests_per_s=rate("requests"),
            errors_per_s=rate("errors"),
            cats_per_s=rate("cats"),
            rendered_per_s=rate("images"),
            cache_hit_share=round(hits / (hits + misses), 3) if hits + misses else None,
            loop_lag_p95_s=quantile(_since(new.lag, old.lag), 0.95),
            routes=tuple(_routes(new, old, window_s)),
        )

    async def _keep_reading(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            self._readings.append(self._read())
            while self._readings[-1].at - self._readings[0].at > WINDOW_S:
                self._readings.popleft()

    def _read(self) -> _Reading:
        telemetry = self._telemetry
        requests = _totals(telemetry.requests.samples())
        by_route: defaultdict[str, float] = defaultdict(float)
        for sample in requests:
            by_route[sample.labels["route"]] += sample.value
        counts = {
            "requests": sum(sample.value for sample in requests),
            "errors": sum(s.value for s in requests if s.labels["status"] >= "500"),
            "cats": _sum(telemetry.cats.samples()),
            "images": _sum(telemetry.images.samples()),
            "hits": _sum(telemetry.cache_hits.samples()),
            "misses": _sum(telemetry.cache_misses.samples()),
        }
        durations: defaultdict[str, Buckets] = defaultdict(dict)
        for sample in telemetry.request_s.samples():
            if sample.name.endswith("_bucket"):
                durations[sample.labels["route"]][float(sample.labels["le"])] = sample.value
        lag = {
            float(sample.labels["le"]): sample.value
            for metric in telemetry.loop_lag_s.collect()
            for sample in metric.samples
            if sample.name.endswith("_bucket")
        }
        return _Reading(monotonic(), counts, by_route, durations, lag)


def quantile(buckets: Buckets, share: float) -> float | None:
    """Return a quantile of a histogram, interpolated within its bucket; None if it is empty.

    Args:
        buckets: Cumulative counts by upper edge, the last one infinite.
        share: From 0 to 1.
    """
    edges = sorted(buckets)
    total = buckets[edges[-1]] if edges else 0.0
    if not total:
        return None
    below, low = 0.0, 0.0
    for edge in edges:
        if buckets[edge] >= share * total:
            if edge == float("inf"):
                return low  # beyond the last edge: at least that
            inside = buckets[edge] - below
            return round(low + (edge - low) * (share * total - below) / inside, 6)
        below, low = buckets[edge], edge
    return None


def _routes(new: _Reading, old: _Reading, window_s: float) -> list[RouteRates]:
    counts = {route: n - old.by_route.get(route, 0.0) for route, n in new.by_route.items()}
    busiest = sorted(counts, key=lambda route: (-counts[route], route))[:MOST_ROUTES]
    found = []
    for route in (route for route in busiest if counts[route] > 0):
        spent = _since(new.durations.get(route, {}), old.durations.get(route, {}))
        found.append(
            RouteRates(
                route=route,
                requests_per_s=round(counts[route] / window_s, 3),
                p50_s=quantile(spent, 0.5),
                p95_s=quantile(spent, 0.95),
                p99_s=quantile(spent, 0.99),
            )
        )
    return found


def _since(new: Buckets, old: Buckets) -> Buckets:
    return {edge: count - old.get(edge, 0.0) for edge, count in new.items()}


def _totals(samples: Sequence[Sample]) -> list[Sample]:
    # Beside each counter the library keeps the time of its creation.
    return [sample for sample in samples if sample.name.endswith("_total")]


def _sum(samples: Sequence[Sample]) -> float:
    return sum(sample.value for sample in _totals(samples))
