"""Ray Serve: `serve.batch`, counted in pictures, and a replica a worker."""

import signal
from typing import Any

import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import Response

from benchmarks.serving.servers.painting import (
    MAX_BATCH,
    MEDIA_TYPES,
    WAIT_S,
    Instructions,
    Order,
    Painter,
)

MOST_ONGOING = 1024
"""More than there are clients: what waits shall wait where batches are gathered."""


class Cats:
    """Answers; each replica has a generator."""

    def __init__(self, told: Instructions) -> None:
        self._painter = Painter.of(told)

    @serve.batch(
        max_batch_size=MAX_BATCH,
        batch_wait_timeout_s=WAIT_S,
        batch_size_fn=lambda orders: sum(order.n for order in orders),
    )
    async def answers(self, orders: list[Order]) -> list[bytes]:
        """Render a batch and encode it."""
        return self._painter.answers(orders)

    async def __call__(self, request: Request) -> Response:
        """Return one cat, a sheet or a zip."""
        asked: Any = dict(request.query_params)
        order = Order(int(asked["seed"]), int(asked.get("n", 1)), asked.get("format", "png"))
        return Response(await self.answers(order), media_type=MEDIA_TYPES[order.format])


def main() -> None:
    """Serve until a signal comes."""
    told = Instructions.read()
    on_gpu = told.device == "cuda"
    ray.init(num_cpus=told.cores, include_dashboard=False, configure_logging=False)
    serve.start(http_options={"host": "127.0.0.1", "port": told.port})
    deployment = serve.deployment(
        Cats,
        num_replicas=told.workers,
        max_ongoing_requests=MOST_ONGOING,
        ray_actor_options={
            # The proxy and the controller want a share too.
            "num_cpus": 0.5,
            "num_gpus": 1 / told.workers if on_gpu else 0,
        },
    )
    serve.run(deployment.bind(told), route_prefix="/cats")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    ray.shutdown()


if __name__ == "__main__":
    main()
