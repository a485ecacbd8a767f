"""When a connection's bytes flow, and where those are that wait to be sent."""

import sys
from asyncio import Transport
from collections import deque
from contextlib import suppress
from fcntl import ioctl
from socket import IPPROTO_TCP, TCP_NOTSENT_LOWAT
from termios import TIOCOUTQ
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl

KERNEL_BYTES = 256 << 10
"""Most bytes of an answer that wait in the kernel: the rest waits here, where it is counted."""


class Flow(FlowControl):
    """Flow control that reads no more while requests wait: uvicorn's lets them pile up.

    Args:
        transport: The connection's.
        pipeline: The requests that wait for the answers of those before them.
    """

    def __init__(self, transport: Transport, pipeline: deque[Any]) -> None:
        super().__init__(transport)
        self._pipeline = pipeline
        connected = transport.get_extra_info("socket")
        self._descriptor: int = connected.fileno()
        with suppress(OSError):  # a Unix socket has no such option
            connected.setsockopt(IPPROTO_TCP, TCP_NOTSENT_LOWAT, KERNEL_BYTES)

    def resume_reading(self) -> None:
        """Read on, unless requests wait."""
        if not self._pipeline:
            super().resume_reading()

    def queued(self) -> int:
        """Return how many bytes the kernel holds that the client has not confirmed.

        0 where that cannot be known.
        """
        try:
            return int.from_bytes(ioctl(self._descriptor, TIOCOUTQ, bytes(4)), sys.byteorder)
        except OSError:
            return 0
