"""Lag of the event loop: what every health check and every byte sent waits for."""

import asyncio
from time import perf_counter

from app.observability.metrics import Telemetry

EVERY_S = 0.1


class LagMeter:
    """Records how much later than scheduled the event loop wakes up.

    Args:
        telemetry: Receives the lag.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start measuring, in the running loop."""
        self._task = asyncio.create_task(self._measure())

    async def close(self) -> None:
        """Stop measuring."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _measure(self) -> None:
        while True:
            due = perf_counter() + EVERY_S
            await asyncio.sleep(EVERY_S)
            self._telemetry.loop_lag_s.observe(max(0.0, perf_counter() - due))
