"""Exit with 0 if this container's worker is registered in the queue.

RQ workers register by name and host, and their registration expires without heartbeats.
"""

import socket
import sys

from rq import Worker

from worker.redis_client import connect
from worker.settings import WorkerSettings


def main() -> int:
    """Return 0 if a worker of this host is registered, 1 if none is."""
    with connect(WorkerSettings().redis_url) as redis:
        hosts = {worker.hostname for worker in Worker.all(connection=redis)}
    if socket.gethostname() in hosts:
        return 0
    print(f"No worker of {socket.gethostname()} is registered.", file=sys.stderr)  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main())
