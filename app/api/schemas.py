"""Bodies of requests and responses. Responses extend the records of the store."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.observability.rates import Rates
from models.inference.latents import MAX_SEED
from models.jobs.estimate import Estimate
from models.jobs.order import MAX_KIMG, MAX_MINUTES
from models.networks.scales import MAX_SIZE_PX, MIN_SIZE_PX
from models.store.records import (
    AliasMove,
    Budget,
    Card,
    DatasetRecord,
    JobRecord,
    Promote,
    TrainingOrder,
)
from models.store.votes import Tally
from worker.webhook_address import MAX_URL


class Body(BaseModel):
    """A request's body, without unknown fields and infinite numbers."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class BudgetBody(Body):
    """Training budget: exactly one of the two. Evaluation does not count."""

    # Strict: "400" and true are mistakes of a client, not numbers.
    kimg: float | None = Field(
        None,
        gt=0,
        le=MAX_KIMG,
        strict=True,
        description="Thousands of real images.",
        examples=[400],
    )
    minutes: float | None = Field(
        None, gt=0, le=MAX_MINUTES, strict=True, description="Minutes of training.", examples=[2]
    )

    def to_budget(self) -> Budget:
        """Return it as the store's record."""
        return Budget(kimg=self.kimg, minutes=self.minutes)


class TrainBody(Body):
    """A training order."""

    recipe: str = Field(max_length=100, description="Name of a recipe.", examples=["dcgan"])
    dataset: str = Field(max_length=100, description="Name of a dataset.", examples=["cats"])
    budget: BudgetBody
    model: str | None = Field(
        None,
        max_length=100,
        description="Model to add the version to; default: named after the recipe, and the size "
        "if that is not the recipe's default.",
    )
    size_px: int | None = Field(
        None,
        ge=MIN_SIZE_PX,
        le=MAX_SIZE_PX,
        strict=True,
        description="Image width and height, pixels, a power of two; default: the recipe's.",
    )
    seed: int = Field(
        0,
        ge=0,
        le=MAX_SEED,
        strict=True,
        description="Random seed of weights, latents and data order.",
    )
    overrides: dict[str, Any] = Field(
        default_factory=dict,
        description="Hyperparameters to override; GET /recipes lists them with their limits.",
        json_schema_extra={"additionalProperties": {"type": ["number", "boolean"]}},
    )
    promote: Promote = Field(
        Promote.IF_BETTER, description="When to put the new version into service."
    )
    resume_from: str | None = Field(
        None, max_length=100, description="Job id or model@version whose training to resume."
    )
    init_from: str | None = Field(
        None,
        max_length=100,
        description="Job id or model@version whose weights to start with: the same recipe "
        "and network hyperparameters, of this size or a smaller one.",
    )
    webhook: str | None = Field(
        None,
        max_length=MAX_URL,
        description="https URL that gets a signed POST when the job has ended, repeated until it "
        "answers 2xx. Not shown again.",
        examples=["https://example.org/hooks/cattery"],
    )


class EstimateView(BaseModel):
    """A checked order that was not placed, and what it would take."""

    order: TrainingOrder = Field(description="With defaults filled in.")
    hyperparameters: dict[str, float | bool] = Field(description="All of them.")
    images: int = Field(description="Images of that size to train on.", examples=[8339])
    epochs: float | None = Field(description="How often each is shown; null if unknown.")
    estimate: Estimate
    warnings: list[str] = Field(description="What may go wrong, a sentence each.")
    jobs_ahead: int = Field(description="Jobs that workers run or will run first.")


class PromoteBody(Body):
    """The version to put into service."""

    version: str = Field(
        pattern="^[0-9a-f]{4,12}$",
        description="Id of the version, or at least its first four digits.",
        examples=["0123456789ab"],
    )


class LimitView(BaseModel):
    """Limits of a hyperparameter."""

    minimum: float
    maximum: float
    default: float | bool
    description: str


class RecipeView(BaseModel):
    """A recipe."""

    name: str = Field(examples=["dcgan"])
    title: str
    source: str = Field(description="Paper that it follows.")
    note: str = Field(description="Advice on when to use it; may be empty.")
    default_size_px: int
    sizes_px: list[int] = Field(description="Sizes that it is tuned and measured for, pixels.")
    defaults: dict[str, float | bool] = Field(description="Hyperparameters.")
    limits: dict[str, LimitView] = Field(description="Hyperparameters that may be overridden.")


class RecipeList(BaseModel):
    """All recipes."""

    recipes: list[RecipeView]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLinks:
    """Links of a job."""

    self: str
    events: str
    cancel: str
    samples: list[str]
    version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView(JobRecord):
    """A job: its order, progress and outcome."""

    links: JobLinks


class JobList(BaseModel):
    """Jobs, newest first."""

    jobs: list[JobView]
    total: int = Field(description="Number of matching jobs, including those beyond the limit.")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetLinks:
    """Links of a dataset."""

    self: str
    preview: str
    rejected: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetView(DatasetRecord):
    """A dataset: its pictures per resolution, and which ones were rejected."""

    links: DatasetLinks


class DatasetList(BaseModel):
    """All datasets, by name."""

    datasets: list[DatasetView]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionLinks:
    """Links of a version."""

    self: str
    samples: str
    weights: str
    cats: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionView(Card):
    """A version's card, its alias ("serving", "previous" or none) and links.

    Attributes:
        truncates: Whether its pictures depend on the latent's length, so that `truncation` can be
            below 1; None for an unknown recipe.
    """

    alias: str | None
    truncates: bool | None
    links: VersionLinks


class ModelSummary(BaseModel):
    """A model in brief."""

    name: str = Field(examples=["dcgan"])
    size_px: int = Field(description="Image width and height, pixels.", examples=[64])
    serving: str | None = Field(description="Version in service.", examples=["0123456789ab"])
    previous: str | None = Field(description="Version that a rollback restores.")
    loaded: str | None = Field(
        description="Version in service, if it is loaded on this process's device now; otherwise "
        "the next request loads it."
    )
    versions: int = Field(description="Number of versions.")
    license: str = Field(
        description="License of the pictures that the version in service, or else the newest one, "
        "was trained on, as far as known; it also applies to its cats.",
        examples=["CC BY 4.0"],
    )
    picks: list[str] = Field(
        description="Permalinks of cats of that version, picked by hand; may be empty.",
        examples=[["/cats/dcgan@0123456789ab/7.png"]],
    )
    links: dict[str, str]


class ModelList(BaseModel):
    """All models, by name."""

    default: str = Field(description="Model of requests that do not name one.")
    models: list[ModelSummary]


class VoteBody(Body):
    """Somebody's choice between two cats, shown without their versions."""

    shown: tuple[str, str] = Field(
        description="Permalinks of the two cats, of different versions.",
        examples=[["/cats/dcgan@0123456789ab/7.png", "/cats/dcgan@ba9876543210/7.png"]],
    )
    chosen: str | None = Field(
        description="The one that is better; null if neither is.",
        examples=["/cats/dcgan@0123456789ab/7.png"],
    )


class VotesAgainst(BaseModel):
    """Votes of a version against one other."""

    model: str
    version: str
    votes: Tally


class VersionVotes(BaseModel):
    """Votes of a version."""

    version: str
    total: Tally
    against: list[VotesAgainst] = Field(description="By the other version; may be deleted ones.")


class VoteView(BaseModel):
    """A vote that was received."""

    counted: bool = Field(description="False if the pair has as many votes as are kept.")
    votes: Tally = Field(description="Of the first shown version against the second one.")


class ModelView(BaseModel):
    """A model with all its versions, newest first."""

    name: str = Field(examples=["dcgan"])
    serving: str | None = Field(description="Version in service.")
    previous: str | None = Field(description="Version that a rollback restores.")
    loaded: str | None = Field(
        description="Version in service, if it is loaded on this process's device now."
    )
    history: list[AliasMove] = Field(description="Changes of the version in service, oldest first.")
    versions: list[VersionView]
    votes: list[VersionVotes] = Field(
        description="Blind votes of its versions, by the share of wins; without those that have "
        "none."
    )


class DeviceView(BaseModel):
    """A device and its memory; null for a CPU, and for a GPU that was not used yet."""

    name: str = Field(description="As in the settings.", examples=["cuda"])
    own_bytes: int | None = Field(description="Reserved by this process.")
    used_bytes: int | None = Field(description="Used by all processes.")
    total_bytes: int | None


class ServiceView(BaseModel):
    """The front end that responds."""

    host: str
    pid: int
    rss_bytes: int | None = Field(description="Resident memory; null where that is not known.")
    device: DeviceView
    loaded: list[str] = Field(description="Versions in service that are loaded now.")
    weights_bytes: int = Field(description="Weights on the device.")
    cache_bytes: int = Field(description="Rendered files in memory.")
    waiting_images: int = Field(description="Images waiting for a forward pass.")
    max_waiting_images: int
    encoding_images: int
    connections: int
    max_connections: int


class WorkerView(BaseModel):
    """A worker that is alive."""

    name: str
    state: str = Field(description="idle, busy or suspended.", examples=["busy"])
    host: str | None
    job: str | None = Field(description="The job that it runs.")
    started_at: str | None
    seen_at: str | None = Field(description="Its last heartbeat.")
    rss_bytes: int | None = Field(
        description="Resident memory of the worker and its job; null if it does not report any."
    )
    device: DeviceView


class QueuedJob(BaseModel):
    """A job in the queue."""

    position: int = Field(description="From 1, the next one.")
    waiting_s: float = Field(description="Seconds since it was ordered.")
    job: JobView


class StatusView(BaseModel):
    """The state of the service."""

    status: str = Field(description="ready or not ready, as `GET /readyz`.", examples=["ready"])
    version: str = Field(description="Release of Cattery.", examples=["0.1.0"])
    started_at: str
    uptime_s: float
    checks: dict[str, str] = Field(description="State of each part: `ok`, or what is wrong.")
    traffic: Rates = Field(description="Of this front end, in the last minute.")
    service: ServiceView
    workers: list[WorkerView]
    running: list[JobView]
    queue: list[QueuedJob] = Field(description="In the order in which workers take them.")
    queue_note: str | None = Field(
        description="What happened to a queue that works; null if nothing did."
    )
    store_free_bytes: int | None = Field(description="Null where there is no such limit.")
    data_free_bytes: int | None = Field(
        description="Of the data folder's disk; null if it cannot be read."
    )
    min_free_bytes: int = Field(
        description="Free space below which no job starts: `CATTERY_MIN_FREE_MB`, as this front "
        "end has it."
    )


class NearestView(BaseModel):
    """The training picture nearest to a cat."""

    dataset: str
    picture: int = Field(description="Number of the picture in its dataset.")
    distance: float = Field(description="Between the features of the two; 0 for a copy.")
    heldout_closer: float | None = Field(
        description="Share of the held-out pictures that are closer to a training picture; near 0 "
        "the cat is suspiciously close. Null if none were held out."
    )


class Live(BaseModel):
    """The process is alive."""

    status: str = Field(examples=["alive"])
    version: str = Field(description="Release of Cattery.", examples=["0.1.0"])


class Ready(BaseModel):
    """The service is ready, with the state of each part."""

    status: str = Field(examples=["ready"])
    checks: dict[str, str] = Field(
        description="State of each part: `ok`, or what is wrong.",
        examples=[{"store": "ok", "default_model": "ok", "queue": "ok"}],
    )
    loaded: list[str] = Field(
        description="Versions in service that are loaded on this process's device now.",
        examples=[["dcgan@0123456789ab"]],
    )
