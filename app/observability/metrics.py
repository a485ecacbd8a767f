"""What the front end counts, for Prometheus: one registry per app."""

from time import perf_counter
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.process_collector import ProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
)
"""Upper edges of the histograms' buckets, seconds: from one small cat's encoding to a deadline."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

CONTENT_TYPE = CONTENT_TYPE_LATEST


Metric = TypeVar("Metric", Counter, Histogram)


class Labeled(Generic[Metric]):
    """A metric's parts by their labels, found faster than the library finds them.

    It takes a lock and spells out every label each time, which for a cat's dozen of counts
    takes as long as all else that the event loop does for it.

    Args:
        metric: Which one.
    """

    def __init__(self, metric: Metric) -> None:
        self._metric: Metric = metric
        self._parts: dict[tuple[object, ...], Metric] = {}

    def labels(self, *values: object) -> Metric:
        """Return the part with these labels, in the order of their names."""
        part = self._parts.get(values)
        if part is None:
            part = self._parts[values] = self._metric.labels(*values)
        return part


class Telemetry:
    """Counters, gauges and histograms of one app.

    Attributes:
        registry: Where they live; a second app in the process has its own.
        requests: Answers by route, method and status.
        request_s: Seconds from request to the end of the answer, by route.
        images: Pictures rendered, by model.
        cats: Cats sent, by model and what they are wrapped in; from the cache as well.
        queue_s: Seconds that a request waited for its first forward pass.
        forward_s: Seconds of a forward pass, one batch.
        encode_s: Seconds of encoding one file, by what it shows (cat, sheet or walk) and
            its format.
        loop_lag_s: Seconds that the event loop woke up later than it should have.
        waiting_images: Pictures that wait for a forward pass now.
        encoding_images: Pictures that are encoded or wait for it now.
        cache_hits: Cats found, by layer: memory, store, or flight where another request
            was having them rendered.
        cache_misses: Cats not found, by layer: memory or store.
        cache_bytes: Size of the files held in memory, bytes.
        kept: Renderings that the store keeps since, by model.
        refused: Requests not rendered, by reason: busy, expired or hung_up.
        swaps: Versions put into service, by model.
        swap_failures: Versions that could not be put into service, by model.
        device_bytes: Weights of all versions in memory, bytes.
        loads: Versions loaded, by model.
        evictions: Versions that left the device to make room, by model.
        connections: Connections open now.
        connections_closed: Connections that the server cut off, by reason: header, body, send,
            invalid or too_many (`app.http.protocol`).
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Labeled(
            self._counter("requests", "Answers sent.", "route", "method", "status")
        )
        self.request_s = Labeled(self._histogram("request", "Request to end of answer.", "route"))
        self.images = Labeled(self._counter("images_rendered", "Pictures rendered.", "model"))
        self.queue_s = self._histogram("queue", "Wait for the first forward pass.")
        self.forward_s = self._histogram("forward", "One forward pass.")
        self.encode_s = Labeled(
            self._histogram("encode", "Encoding of one file.", "kind", "format")
        )
        self.loop_lag_s = self._histogram("loop_lag", "Lateness of the event loop.")
        self.waiting_images = self._gauge("waiting_images", "Pictures waiting for a forward pass.")
        self.encoding_images = self._gauge("encoding_images", "Pictures being encoded or waiting.")
        self.cats = Labeled(self._counter("cats_sent", "Cats sent.", "model", "format"))
        self.cache_hits = Labeled(self._counter("cache_hits", "Cats found rendered.", "layer"))
        self.cache_misses = Labeled(
            self._counter("cache_misses", "Cats not found rendered.", "layer")
        )
        self.cache_bytes = self._gauge("cache_bytes", "Rendered files held in memory, bytes.")
        self.kept = self._counter("renderings_kept", "Renderings put into the store.", "model")
        self.refused = self._counter("refused", "Requests not rendered.", "reason")
        self.swaps = self._counter("swaps", "Versions put into service.", "model")
        self.swap_failures = self._counter(
            "swap_failures", "Versions that could not be put into service.", "model"
        )
        self.device_bytes = self._gauge("device_bytes", "Weights held on the device, bytes.")
        self.loads = self._counter("loads", "Versions loaded.", "model")
        self.evictions = self._counter("evictions", "Versions that left to make room.", "model")
        self.connections = self._gauge("connections", "Connections open now.")
        self.connections_closed = self._counter(
            "connections_closed", "Connections cut off by the server.", "reason"
        )
        ProcessCollector(registry=self.registry)

    def exposition(self) -> bytes:
        """Return all values in Prometheus' text format, of type `CONTENT_TYPE`."""
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"cattery_{name}_total", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"cattery_{name}", text, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        full = f"cattery_{name}_seconds"
        return Histogram(full, f"{text} Seconds.", labels, registry=self.registry, buckets=SECONDS)


class RequestCounter:
    """ASGI middleware that counts and times every answer by its route's template.

    Args:
        app: What it wraps.
        telemetry: Where it counts.
    """

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 500, perf_counter()

        async def listen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, listen)
        finally:
            # The template, not the path, and no invented methods: labels must not grow for ever.
            route = getattr(scope.get("route"), "path", "unmatched")
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._telemetry.requests.labels(route, method, status).inc()
            self._telemetry.request_s.labels(route).observe(perf_counter() - began)
