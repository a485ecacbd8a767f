"""What the front end counts, for Prometheus: one registry per app."""

from time import perf_counter
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.samples import Sample
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Bucket edges of the histograms, seconds: from the encoding of one small cat to a deadline.
# fmt: off
SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
           1.0, 2.5, 5.0, 10.0, 30.0)
# fmt: on

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


Metric = TypeVar("Metric", Counter, Histogram)


class Labeled(Generic[Metric]):
    """A cache of a metric's children by their labels.

    Args:
        metric: A counter or histogram with labels.
    """

    # The library takes a lock and formats every label at each call. A cat updates a dozen
    # metrics, which took as long as everything else that the event loop does for it.

    def __init__(self, metric: Metric) -> None:
        self._metric: Metric = metric
        self._children: dict[tuple[object, ...], Metric] = {}

    def labels(self, *values: object) -> Metric:
        """Return the child with these label values, in the order of the labels' names."""
        child = self._children.get(values)
        if child is None:
            child = self._children[values] = self._metric.labels(*values)
        return child

    def samples(self) -> list[Sample]:
        """Return all values now."""
        return [sample for metric in self._metric.collect() for sample in metric.samples]


def value_of(gauge: Gauge) -> float:
    """Return a gauge's value now."""
    return next(sample.value for metric in gauge.collect() for sample in metric.samples)


class Telemetry:
    """Counters, gauges and histograms of one app; each one's help text says what it counts.

    Attributes:
        registry: Holds the metrics; a second app in the same process has its own.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Labeled(
            self._counter("requests", "Responses sent.", "route", "method", "status")
        )
        self.request_s = Labeled(
            self._histogram("request", "From the request to the end of its response.", "route")
        )
        self.images = Labeled(self._counter("images_rendered", "Images rendered.", "model"))
        self.queue_s = self._histogram("queue", "Wait of a request for its first forward pass.")
        self.forward_s = self._histogram("forward", "Forward pass of one batch.")
        self.encode_s = Labeled(
            self._histogram("encode", "Encoding of one cat, sheet or walk.", "kind", "format")
        )
        self.loop_lag_s = self._histogram("loop_lag", "Lag of the event loop.")
        self.waiting_images = self._gauge("waiting_images", "Images waiting for a forward pass.")
        self.encoding_images = self._gauge(
            "encoding_images", "Images being encoded or waiting for that."
        )
        # From the cache as well; `images_rendered` has only what the generators did.
        self.cats = Labeled(self._counter("cats_sent", "Cats sent.", "model", "format"))
        # Layers: memory, store, or flight, where another request was having it rendered.
        self.cache_hits = Labeled(self._counter("cache_hits", "Cats found rendered.", "layer"))
        self.cache_misses = Labeled(
            self._counter("cache_misses", "Cats not found rendered.", "layer")
        )
        self.cache_bytes = self._gauge("cache_bytes", "Rendered files in memory, bytes.")
        self.kept = self._counter("renderings_kept", "Renderings added to the store.", "model")
        # Reasons: busy, expired or hung_up.
        self.refused = self._counter("refused", "Requests not rendered.", "reason")
        self.swaps = self._counter("swaps", "Versions put into service.", "model")
        self.swap_failures = self._counter(
            "swap_failures", "Versions that could not be put into service.", "model"
        )
        self.device_bytes = self._gauge("device_bytes", "Weights on the device, bytes.")
        self.loads = self._counter("loads", "Versions loaded.", "model")
        self.evictions = self._counter("evictions", "Versions evicted to make room.", "model")
        self.connections = self._gauge("connections", "Open connections.")
        # Reasons: header, body, send, invalid or too_many (`app.http.protocol`).
        self.connections_closed = self._counter(
            "connections_closed", "Connections closed by the server.", "reason"
        )
        ProcessCollector(registry=self.registry)

    def exposition(self) -> bytes:
        """Return all values in Prometheus' text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"cattery_{name}_total", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"cattery_{name}", text, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        full = f"cattery_{name}_seconds"
        return Histogram(full, f"{text} Seconds.", labels, registry=self.registry, buckets=SECONDS)


class RequestCounter:
    """ASGI middleware that counts and times every response by its route's template.

    Args:
        app: The wrapped app.
        telemetry: Receives the counts.
    """

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 500, perf_counter()  # 500: an exception that nothing turned into a response

        async def listen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, listen)
        finally:
            # The template, not the path, and no made-up methods: label values must stay few.
            route = getattr(scope.get("route"), "path", "unmatched")
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._telemetry.requests.labels(route, method, status).inc()
            self._telemetry.request_s.labels(route).observe(perf_counter() - began)
