"""BentoML: one service renders adaptive batches, another, of several workers, encodes.

A batchable method hands out lists and cannot answer with a file, so the documentation's
composition of two services it is; batches are counted in pictures, one seed an item.
"""

import bentoml
import numpy as np
from starlette.responses import Response

from benchmarks.serving.servers.painting import (
    MAX_BATCH,
    MEDIA_TYPES,
    TIMEOUT_S,
    Instructions,
    Order,
    Painter,
    body_of,
)

TOLD = Instructions.read()
MAX_LATENCY_MS = 60_000
"""Its default: what would take longer is refused. Larger ones make it learn more slowly."""

TRAFFIC = {"timeout": TIMEOUT_S}
QUIET = {"access": {"enabled": False}}  # a line a request costs, and the others write none


@bentoml.service(workers=1, traffic=TRAFFIC, logging=QUIET)
class Renderer:
    """Renders; one process, which has the device and all threads."""

    def __init__(self) -> None:
        self._painter = Painter.of(TOLD, threads=TOLD.cores)

    @bentoml.api(batchable=True, max_batch_size=MAX_BATCH, max_latency_ms=MAX_LATENCY_MS)
    def render(self, seeds: list[int]) -> np.ndarray:
        """Render one picture per seed: (N, H, W, 3) uint8."""
        return self._painter.pixels(seeds)


@bentoml.service(workers=TOLD.workers, threads=TOLD.cores, traffic=TRAFFIC, logging=QUIET)
class Cats:
    """Answers."""

    renderer = bentoml.depends(Renderer)

    @bentoml.api
    async def cats(self, seed: int, n: int = 1, format: str = "png") -> bytes:
        """Return one cat, a sheet or a zip."""
        order = Order(seed, n, format)
        seeds = list(order.seeds)
        try:
            pixels = await self.renderer.to_async.render(seeds)
        except Exception:  # noqa: BLE001 - of aiohttp, which only BentoML requires
            # A service closes connections that rest for 5 s, at times just as the other asks.
            pixels = await self.renderer.to_async.render(seeds)
        body = body_of(order, np.asarray(pixels))
        # BentoML describes the service by the annotation, and passes a response on as it is.
        return Response(body, media_type=MEDIA_TYPES[format])  # type: ignore[return-value]
