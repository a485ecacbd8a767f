"""The errors of the worker.

CatteryError (models.errors)
└── WorkerError
    ├── EmbeddedValkeyError  the embedded Valkey cannot start
    ├── RedisUrlMissing      no Redis or Valkey is configured
    ├── RedisUrlInvalid      CATTERY_REDIS_URL is no URL of a Redis or Valkey
    ├── WebhookRefused       a webhook's host has an address that is not public
    └── WebhookFailed        a webhook's receiver did not respond
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


class RedisUrlInvalid(WorkerError):
    """CATTERY_REDIS_URL is no URL of a Redis or Valkey."""

    def __init__(self) -> None:
        # Without the value, which may hold a password.
        super().__init__(
            "CATTERY_REDIS_URL is not the URL of a Redis or Valkey.",
            "Use redis://HOST:PORT/0, rediss://HOST:PORT/0 or unix:///PATH.",
        )


class WebhookRefused(WorkerError):
    """A webhook's host has an address that is not public; nothing was sent.

    Args:
        host: Its name.
        address: One of its addresses.
    """

    def __init__(self, host: str, address: str) -> None:
        super().__init__(
            f"The host {host!r} has the address {address}, which is not public.",
            "The operator may allow the host with CATTERY_WEBHOOK_HOSTS.",
        )


class WebhookFailed(WorkerError):
    """A webhook's receiver did not respond in time, or not in HTTP.

    Args:
        host: Its name.
        reason: What happened.
    """

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"The host {host!r} did not respond: {reason}.")
