"""The client's own limit: a server that answers everything with the same bytes, unread.

What the load generator gets from it is the most that the table could show for any contender.
"""

import argparse
import asyncio


class Answer(asyncio.Protocol):
    """Answers each request of a kept connection.

    Args:
        answer: All bytes of an answer, its head included.
    """

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer: the client sends its next request when it has the answer to the last."""
        if data.endswith((b"\r\n\r\n", b"}")):
            self._transport.write(self._answer)  # type: ignore[attr-defined]


async def serve(port: int, size: int) -> None:
    """Answer with a body of so many bytes, for ever."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {size}\r\n\r\n"
    answer = head.encode() + bytes(size)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answer(answer), "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("bytes", type=int)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.port, arguments.bytes))


if __name__ == "__main__":
    main()
