"""LitServe: batches gathered by its loop, its fast queue, as many API servers as workers."""

from typing import Any

import litserve
from starlette.responses import Response

from benchmarks.serving.servers.painting import (
    MAX_BATCH,
    MEDIA_TYPES,
    TIMEOUT_S,
    WAIT_S,
    Instructions,
    Order,
    Painter,
)


class Cats(litserve.LitAPI):
    """Its life cycle: set up, decode, gather, predict, hand out, encode."""

    def setup(self, device: str) -> None:
        """Load the generator in a worker."""
        del device  # "cuda:0" where ours is "cuda": one card
        self._painter = Painter.of(Instructions.read())

    def decode_request(self, request: dict[str, Any]) -> Order:
        """Return what a request's JSON asks for."""
        return Order(**request)

    def batch(self, inputs: list[Order]) -> list[Order]:
        """Keep a list: the painter takes it as it is."""
        return inputs

    def predict(self, inputs: list[Order]) -> list[tuple[str, bytes]]:
        """Render a batch and encode it."""
        kinds = [MEDIA_TYPES[order.format] for order in inputs]
        return list(zip(kinds, self._painter.answers(inputs), strict=True))

    def unbatch(self, output: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        """Keep a list."""
        return output

    def encode_response(self, output: tuple[str, bytes]) -> Response:
        """Return a file as an answer."""
        kind, body = output
        return Response(body, media_type=kind)


def main() -> None:
    """Serve."""
    told = Instructions.read()
    server = litserve.LitServer(
        Cats(max_batch_size=MAX_BATCH, batch_timeout=WAIT_S),
        accelerator=told.device,
        devices=1,
        workers_per_device=told.workers,
        timeout=TIMEOUT_S,
        fast_queue=True,
    )
    server.run("127.0.0.1", told.port, log_level="warning", generate_client_file=False)


if __name__ == "__main__":
    main()
