"""The errors of the worker.

CatteryError (models.errors)
└── WorkerError
    ├── EmbeddedValkeyError  the embedded Valkey cannot start
    └── RedisUrlMissing      no Redis or Valkey is configured
"""

from models.errors import CatteryError


class WorkerError(CatteryError):
    """Base of the worker's own errors."""


class EmbeddedValkeyError(WorkerError):
    """The embedded Valkey cannot start, or its folder is in use."""


class RedisUrlMissing(WorkerError):
    """No Redis or Valkey is configured."""

    def __init__(self) -> None:
        super().__init__(
            "CATTERY_REDIS_URL is empty.",
            "Set it to the URL of a Redis or Valkey, or use `cattery serve`, which starts one.",
        )
