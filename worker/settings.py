"""The worker's settings, from `CATTERY_*` variables."""

from pydantic import Field

from worker.protocol import LEASE_TTL_S, SharedSettings


class WorkerSettings(SharedSettings):
    """What the worker and its job processes need to know."""

    device: str = Field(
        default="auto", description="Device that trains: auto, cpu, cuda, or cuda:N."
    )
    threads: int | None = Field(
        default=None, gt=0, description="CPU threads of a training job; empty: one per core."
    )
    nice: int = Field(
        default=19,
        ge=0,
        le=19,
        description="Niceness of job processes: 0 to 19, the lowest priority.",
    )
    checkpoint_s: float = Field(
        default=30.0, gt=0, description="Seconds between two checkpoints of a training job."
    )
    fakes: int | None = Field(
        default=None,
        ge=16,
        description="Images to generate for evaluating a version; empty: the protocol's number.",
    )
    state_keep_s: float = Field(
        default=86400.0,
        ge=0,
        description="How long an ended job keeps its training state, seconds.",
    )
    reap_s: float = Field(
        default=5.0, gt=0, description="Seconds between two checks for interrupted jobs."
    )
    lease_s: float = Field(
        default=LEASE_TTL_S,
        ge=1,
        description="Seconds without a renewed lease after which a job process counts as dead.",
    )
    shutdown_s: float = Field(
        default=60.0,
        gt=0,
        description="How long a stopping worker waits for its job's checkpoint, seconds.",
    )

    def environment(self) -> dict[str, str]:
        """Return these settings as the variables that a job process reads them from."""
        prefix = self.model_config.get("env_prefix", "")
        values = self.model_dump(mode="json", exclude={"webhook_secret"})
        return {
            f"{prefix}{name}".upper(): str(value)
            for name, value in values.items()
            if value is not None
        }
