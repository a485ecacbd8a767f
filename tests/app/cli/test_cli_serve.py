"""Tests of app.cli.serve; tests/integration runs the whole of it."""

import asyncio
import socket

import uvloop

from app.cli.serve import AT_A_TIME, doors_of

ROUNDS = 4


def test_a_crowd_comes_in_at_once():
    """Sixteen clients who wait at the door are let in within a few rounds of the event loop."""

    async def met(listener) -> int:
        met = []

        class Host(asyncio.Protocol):
            def connection_made(self, transport):
                met.append(transport)

        loop, address = asyncio.get_running_loop(), listener.getsockname()
        servers = [await loop.create_server(Host, sock=door) for door in doors_of(listener)]
        waiting = [socket.create_connection(address) for _ in range(AT_A_TIME)]
        for _ in range(ROUNDS):
            await asyncio.sleep(0)
        count = len(met)
        for each in [*met, *servers, *waiting]:
            each.close()
        return count

    with (
        socket.create_server(("127.0.0.1", 0), backlog=64) as listener,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        assert runner.run(met(listener)) == AT_A_TIME
