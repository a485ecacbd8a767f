"""What app and worker share: queue, Redis keys and settings.

Plain data: imports neither torch nor redis nor rq.
"""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

QUEUE = "cattery"
RUN_JOB = "worker.jobs.run"
ANNOUNCEMENTS = "cattery:announcements"  # pub/sub channel: JSON {"model": name}

LEASE_TTL_S = 10.0  # a job process that does not renew its lease for this long counts as dead


class SharedSettings(BaseSettings):
    """Settings that front end and worker share; each adds its own."""

    model_config = SettingsConfigDict(env_prefix="CATTERY_", frozen=True, extra="ignore")

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

    @property
    def store_url(self) -> str:
        """The store's URL with the default filled in."""
        return self.store or str(self.data.resolve() / "store")


def vitals_key(worker: str, role: str) -> str:
    """Return the Redis key of what a worker ("worker") or its job process ("job") uses."""
    return f"cattery:vitals:{worker}:{role}"


def lease_key(job: str) -> str:
    """Return the Redis key whose holder may write the job's state."""
    return f"cattery:lease:{job}"
