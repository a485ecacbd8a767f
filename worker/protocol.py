"""What app and worker share: queue, Redis keys and settings.

Plain data: imports neither torch nor redis nor rq.
"""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

QUEUE = "cattery"
RUN_JOB = "worker.jobs.run"
ANNOUNCEMENTS = "cattery:announcements"  # pub/sub channel: JSON {"model": name}

API_KEY = "CATTERY_API_KEY"
WEBHOOK_SECRET = "CATTERY_WEBHOOK_SECRET"  # noqa: S105 - its name
PREFIX = "CATTERY_"  # of the environment variables that hold settings
SECRETS = (API_KEY, "CATTERY_REDIS_URL", WEBHOOK_SECRET)
"""Settings whose values no message shows."""

_REDIS_SCHEMES = ("redis", "rediss", "unix")

LEAST_SECRET = 24  # characters

LEASE_TTL_S = 10.0  # a job process that does not renew its lease for this long counts as dead


class SharedSettings(BaseSettings):
    """Settings that front end and worker share; each adds its own."""

    # An empty variable means "not set", as in a Compose or environment file.
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True
    )

    data: Path = Field(
        default=Path("data"),
        description="Folder for everything that must be local: Valkey, packs, caches, uploads.",
    )
    store: str = Field(
        default="",
        description="URL of the store (a path, or s3://bucket/prefix); empty: `store` in the "
        "data folder.",
    )
    redis_url: str = Field(
        default="",
        description="Redis or Valkey to use; empty: `cattery serve` starts an embedded Valkey.",
    )
    job_timeout_s: int = Field(
        default=7 * 24 * 3600, gt=0, description="Time limit of a single job, seconds."
    )
    job_history_s: int = Field(
        default=3600, gt=0, description="How long RQ keeps its own record of an ended job, seconds."
    )
    min_free_mb: int = Field(
        default=2048, ge=0, description="Free disk space below which no job starts, MiB."
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="Format of the log on stderr: text, or a JSON object per line."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Least level of Cattery's lines in the log."
    )

    webhook_secret: SecretStr | None = Field(
        default=None,
        description="Signs webhooks (HMAC-SHA256): `whsec_` and base64, or any text of 24 "
        "characters or more. Front end and worker need the same; empty: orders with a webhook are "
        "refused.",
    )
    webhook_hosts: str = Field(
        default="",
        description="Hosts that webhooks may reach although their addresses are private, also "
        "without TLS; names or addresses, separated by commas.",
    )

    @field_validator("webhook_secret")
    @classmethod
    def _is_long(cls, secret: SecretStr | None) -> SecretStr | None:
        """Reject a secret that could be guessed from one signature."""
        text = "" if secret is None else secret.get_secret_value().strip()
        if not text:
            return None
        if len(text) < LEAST_SECRET:
            raise ValueError(f"it is shorter than {LEAST_SECRET} characters")
        if text.startswith("whsec_"):
            base64.b64decode(text.removeprefix("whsec_"), validate=True)  # raises ValueError
        return SecretStr(text)

    @field_validator("*", mode="before")
    @classmethod
    def _is_utf_8(cls, value: object) -> object:
        """Reject text that is not UTF-8, which neither Redis nor a JSON file could hold."""
        if isinstance(value, str | Path):
            _check_utf_8(str(value))
        return value

    @field_validator("data")
    @classmethod
    def _expand_data(cls, data: Path) -> Path:
        """Expand `~`: nothing else does in a Compose or environment file."""
        data = _expanded(data)
        _check_utf_8(str(data.absolute()))
        return data

    @field_validator("store")
    @classmethod
    def _expand_store(cls, store: str) -> str:
        """Expand `~` in a path."""
        return str(_expanded(Path(store))) if store.startswith("~") else store

    @field_validator("redis_url")
    @classmethod
    def _is_a_redis_url(cls, url: str) -> str:
        """Reject what is not the URL of a Redis."""
        if url:
            scheme, separator, _ = url.partition("://")
            if not separator or scheme not in _REDIS_SCHEMES:
                raise ValueError("not a URL such as redis://HOST:6379/0 or unix:///PATH")
            _ = urlsplit(url).port  # raises ValueError unless it is a number up to 65535
        return url

    @property
    def allowed_webhook_hosts(self) -> tuple[str, ...]:
        """The hosts of `webhook_hosts`, in lower case."""
        return tuple(host.strip().lower() for host in self.webhook_hosts.split(",") if host.strip())

    @property
    def store_url(self) -> str:
        """The store's URL with the default filled in."""
        return self.store or str(self.data.resolve() / "store")


def without_key(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without the key of the front end, which no other process needs."""
    return _without((API_KEY,), environment)


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without all secrets that a job process does not need."""
    return _without((API_KEY, WEBHOOK_SECRET), environment)


def _without(names: tuple[str, ...], environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.upper() not in names}


def _check_utf_8(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("the name is not UTF-8") from None


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as err:
        raise ValueError(f"{err}") from None


def vitals_key(worker: str, role: str) -> str:
    """Return the Redis key of what a worker ("worker") or its job process ("job") uses."""
    return f"cattery:vitals:{worker}:{role}"


def lease_key(job: str) -> str:
    """Return the Redis key whose holder may write the job's state."""
    return f"cattery:lease:{job}"
