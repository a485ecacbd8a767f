"""FastAPI alone: a `def` route, which FastAPI runs in its pool of forty threads; no batching."""

import uvicorn
from fastapi import FastAPI, Response

from benchmarks.serving.servers.painting import MEDIA_TYPES, Instructions, Order, Painter, body_of


def create_app() -> FastAPI:
    """Return the app; each of its processes calls this."""
    # One thread a pass: forty requests at once, each with a thread a core, would fight for them.
    painter = Painter.of(Instructions.read(), threads=1)
    app = FastAPI()

    @app.get("/cats")
    def cats(seed: int, n: int = 1, format: str = "png") -> Response:
        order = Order(seed, n, format)
        return Response(body_of(order, painter.pixels(order.seeds)), media_type=MEDIA_TYPES[format])

    return app


def main() -> None:
    """Serve."""
    told = Instructions.read()
    uvicorn.run(
        "benchmarks.serving.servers.plain:create_app",
        factory=True,
        port=told.port,
        workers=told.workers,
        log_level="warning",
        access_log=False,
        timeout_worker_healthcheck=300,  # while it imports torch a worker does not answer
    )


if __name__ == "__main__":
    main()
