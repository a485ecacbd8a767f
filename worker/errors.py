"""What can go wrong in the worker.

CatteryError (models.errors)
└── WorkerError
    ├── EmbeddedValkeyError  the embedded Valkey cannot start
    └── RedisUrlMissing      nobody said which Redis or Valkey to use
"""

from models.errors import CatteryError


class WorkerError(CatteryError):
    """Base of the worker's own errors."""


class EmbeddedValkeyError(WorkerError):
    """The embedded Valkey cannot start, or its folder is in use."""


class RedisUrlMissing(WorkerError):
    """Nobody said which Redis or Valkey holds the queue."""

    def __init__(self) -> None:
        super().__init__(
            "CATTERY_REDIS_URL is empty.",
            "Set it to the Redis or Valkey of the queue, or use `cattery serve`, which brings one.",
        )
