"""Bodies of requests and answers. Answers extend the store's own records."""

from dataclasses import dataclass
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.inference.latents import MAX_SEED
from models.jobs.order import MAX_KIMG, MAX_MINUTES
from models.networks.scales import MAX_SIZE_PX, MIN_SIZE_PX
from models.store.records import (
    AliasMove,
    Budget,
    Card,
    DatasetRecord,
    JobRecord,
    Promote,
)


class Body(BaseModel):
    """A request's body: nothing unknown, nothing infinite."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class BudgetBody(Body):
    """How long to train: exactly one of the two. Training alone counts."""

    kimg: float | None = Field(
        None, gt=0, le=MAX_KIMG, strict=True, description="Thousand real images.", examples=[400]
    )
    minutes: float | None = Field(
        None, gt=0, le=MAX_MINUTES, strict=True, description="Minutes of training.", examples=[2]
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.kimg is None) == (self.minutes is None):
            raise ValueError("give kimg or minutes, one of the two")
        return self

    def to_budget(self) -> Budget:
        """Return it as the store's record."""
        return Budget(kimg=self.kimg, minutes=self.minutes)


class TrainBody(Body):
    """A training order."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"recipe": "dcgan", "dataset": "cats", "budget": {"minutes": 2}},
                {
                    "recipe": "dcgan",
                    "dataset": "cats",
                    "model": "kittens",
                    "size_px": 64,
                    "budget": {"kimg": 400},
                    "seed": 7,
                    "overrides": {"width": 64},
                    "promote": "always",
                },
            ]
        }
    )

    recipe: str = Field(max_length=100, description="A name of GET /recipes.", examples=["dcgan"])
    dataset: str = Field(max_length=100, description="A name of GET /datasets.", examples=["cats"])
    budget: BudgetBody
    model: str | None = Field(
        None,
        max_length=100,
        description="The model that the new version joins; default: named for its recipe, and "
        "its size where that is not the recipe's default.",
    )
    size_px: int | None = Field(
        None,
        ge=MIN_SIZE_PX,
        le=MAX_SIZE_PX,
        strict=True,
        description="Side of the pictures, a power of two; default: the recipe's.",
    )
    seed: int = Field(
        0, ge=0, le=MAX_SEED, strict=True, description="Seeds weights, latents and data order."
    )
    overrides: dict[str, Any] = Field(
        default_factory=dict,
        description="The recipe's numbers that shall be others; GET /recipes tells their limits.",
        json_schema_extra={"additionalProperties": {"type": ["number", "boolean"]}},
    )
    promote: Promote = Field(
        Promote.IF_BETTER, description="When the new version goes into service."
    )
    resume_from: str | None = Field(
        None, max_length=100, description="Ended job, or model@version, to resume from."
    )
    init_from: str | None = Field(
        None,
        max_length=100,
        description="Ended job, or model@version, whose weights to start with: the same recipe "
        "and network hyperparameters, of this size or a smaller one.",
    )


class PromoteBody(Body):
    """Which version goes into service."""

    version: str = Field(
        min_length=1,
        max_length=64,
        description="A version's id, or at least four of its first digits.",
        examples=["0123456789ab"],
    )


class LimitView(BaseModel):
    """What an overridable number may be."""

    minimum: float
    maximum: float
    default: float | bool
    description: str


class RecipeView(BaseModel):
    """One row of the table of recipes."""

    name: str = Field(examples=["dcgan"])
    title: str
    source: str = Field(description="The paper.")
    note: str = Field(description="What to know before choosing it; may be empty.")
    default_size_px: int
    sizes_px: list[int] = Field(description="Sizes that it is tuned and measured for.")
    defaults: dict[str, float | bool] = Field(description="Its numbers.")
    limits: dict[str, LimitView] = Field(description="Which of them an order may override.")


class RecipeList(BaseModel):
    """All recipes."""

    recipes: list[RecipeView]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLinks:
    """Where to go on from a job."""

    self: str
    events: str
    cancel: str
    samples: list[str]
    version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView(JobRecord):
    """One job: its order, how far it is and how it ended."""

    links: JobLinks


class JobList(BaseModel):
    """Jobs, newest first."""

    jobs: list[JobView]
    total: int = Field(description="How many match, those beyond the limit included.")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetLinks:
    """Where to go on from a dataset."""

    self: str
    preview: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetView(DatasetRecord):
    """One dataset: its counts per resolution, and what was refused."""

    links: DatasetLinks


class DatasetList(BaseModel):
    """All datasets, by name."""

    datasets: list[DatasetView]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionLinks:
    """Where to go on from a version."""

    self: str
    samples: str
    weights: str
    cats: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionView(Card):
    """One version's card, whether it is "serving" or "previous", and its links."""

    alias: str | None
    links: VersionLinks


class ModelSummary(BaseModel):
    """One model."""

    name: str = Field(examples=["dcgan"])
    size_px: int = Field(description="Side of its pictures, pixels.", examples=[64])
    serving: str | None = Field(description="Version in service.", examples=["0123456789ab"])
    previous: str | None = Field(description="Version that a rollback brings back.")
    loaded: str | None = Field(
        description="Version in service that is on this process's device at this moment; none "
        "where the next request has it loaded."
    )
    versions: int = Field(description="How many versions it has.")
    license: str = Field(
        description="What is known of the license of the pictures that the version in service, "
        "or else the newest one, was trained on; it binds whoever uses its cats.",
        examples=["CC BY 4.0"],
    )
    picks: list[str] = Field(
        description="Permalinks of cats of the version in service worth showing, chosen by "
        "somebody who looked; empty where nobody did.",
        examples=[["/cats/dcgan@0123456789ab/7.png"]],
    )
    links: dict[str, str]


class ModelList(BaseModel):
    """All models, by name."""

    default: str = Field(description="Model of a request that names none.")
    models: list[ModelSummary]


class ModelView(BaseModel):
    """One model with all its versions, newest first."""

    name: str = Field(examples=["dcgan"])
    serving: str | None = Field(description="Version in service.")
    previous: str | None = Field(description="Version that a rollback brings back.")
    loaded: str | None = Field(description="Version that this process serves at this moment.")
    history: list[AliasMove] = Field(description="Moves of `serving`, oldest first.")
    versions: list[VersionView]


class Live(BaseModel):
    """The process lives."""

    status: str = Field(examples=["alive"])
    version: str = Field(description="Release of Cattery.", examples=["0.1.0"])


class Ready(BaseModel):
    """Cats can be had; what else works, part by part."""

    status: str = Field(examples=["ready"])
    checks: dict[str, str] = Field(
        description="Each part, with `ok` or what is wrong.",
        examples=[{"store": "ok", "default_model": "ok", "queue": "ok"}],
    )
    loaded: list[str] = Field(
        description="Versions in service that are on this process's device at this moment.",
        examples=[["dcgan@0123456789ab"]],
    )
