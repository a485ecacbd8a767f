"""The plain data of the store: orders, job records, aliases, cards.

No torch, no redis, no pydantic: app, worker and command line share these.
Every record is a frozen dataclass that travels as JSON (`to_json`,
`from_json` in `models.store.serialization`); unknown keys in a file of a newer
release are ignored, so that an older release can still read it.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Json = dict[str, Any]


class JobStatus(StrEnum):
    """Status of a job."""

    QUEUED = "queued"
    STARTED = "started"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELED = "canceled"
    COLLAPSED = "collapsed"

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self not in (JobStatus.QUEUED, JobStatus.STARTED)


class Phase(StrEnum):
    """What a started job is doing."""

    PREPARING = "preparing"
    TRAINING = "training"
    MEASURING = "measuring"
    PUBLISHING = "publishing"


class JobKind(StrEnum):
    """What a job makes."""

    TRAIN = "train"
    IMPORT = "import"


class Promote(StrEnum):
    """When a finished version replaces the one in service."""

    IF_BETTER = "if_better"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How long to train: exactly one of the two is set; training alone counts."""

    kimg: float | None = None
    minutes: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOrder:
    """What a client asks a training job to do, already checked against its recipe.

    Attributes:
        recipe: Name in `models.gan.recipes.RECIPES`.
        dataset: Name of an imported dataset.
        model: The model that the new version joins.
        size_px: Image resolution, a power of two from 32 up.
        budget: How long to train.
        seed: Seeds weights, latents and data order, 0 to 2**53 - 1.
        overrides: Hyperparameters by name (`models.hyperparameters.LIMITS`).
        promote: When to promote the finished version.
        resume_from: Id of an ended job to resume from, or None.
    """

    recipe: str
    dataset: str
    model: str
    size_px: int
    budget: Budget
    seed: int = 0
    overrides: Json = field(default_factory=dict)
    promote: Promote = Promote.IF_BETTER
    resume_from: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOrder:
    """What a client asks an import job to do.

    Attributes:
        name: Name of the dataset to be.
        source: Local path of the uploaded zip (the job deletes it when it ends).
        license: What the uploader says of the images' license; may be empty.
    """

    name: str
    source: str
    license: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Progress of a job. For an import, `done` and `total` count images."""

    kimg: float = 0.0
    kimg_total: float | None = None
    training_s: float = 0.0
    training_s_total: float | None = None
    step: int = 0
    images_per_s: float | None = None
    eta_s: float | None = None
    losses: dict[str, float] = field(default_factory=dict)
    done: int = 0
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """One job as last written; the store's `jobs/{id}/job.json`.

    Attributes:
        id: Letters, digits and dashes; sorts by creation time unless made from
            an Idempotency-Key.
        runner: "worker" (the reaper may queue it again) or "cli".
        order: The order as JSON (`TrainingOrder` or `ImportOrder` by kind).
        attempts: How often it was queued again after the first time.
        best: `{"kimg": ..., "frechet_distance": ...}` of the best snapshot.
        samples: kimg labels of its sample sheets, in order of creation.
        reason: Why it ended, or why it waits again; a sentence.
        version: Id of the version it published.
        promoted: Whether that version went into service; None if not decided.
    """

    id: str
    kind: JobKind
    order: Json
    created_at: str
    status: JobStatus = JobStatus.QUEUED
    phase: Phase | None = None
    runner: str = "worker"
    attempts: int = 0
    started_at: str | None = None
    ended_at: str | None = None
    progress: Progress = field(default_factory=Progress)
    best: Json | None = None
    samples: tuple[str, ...] = ()
    reason: str | None = None
    version: str | None = None
    promoted: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of a job's history. `id` is its line number, from 1."""

    id: int
    type: str
    at: str
    data: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasMove:
    """One move of a model's `serving`: "zoo", "promote" or "rollback"."""

    action: str
    version: str
    at: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aliases:
    """The movable pointers of one model. `history` is oldest first."""

    serving: str | None = None
    previous: str | None = None
    history: tuple[AliasMove, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRecord:
    """One imported dataset; the store's `datasets/{name}/dataset.json`.

    Attributes:
        fingerprint: SHA-256 over the sorted content hashes of all kept images.
        kept: Images taken, held-out ones included.
        heldout: Images no job ever trains on.
        counts: Training images by resolution, e.g. {"64": 8339}.
        heldout_counts: Held-out images by resolution.
        rejected: How many were refused, by reason.
        rejections: The first refusals, `{"file": ..., "reason": ..., "detail": ...}`.
        imported_at: ISO 8601, UTC.
    """

    name: str
    fingerprint: str
    kept: int
    heldout: int
    counts: dict[str, int]
    heldout_counts: dict[str, int]
    rejected: dict[str, int] = field(default_factory=dict)
    rejections: tuple[Json, ...] = ()
    license: str = ""
    aligned: bool = False
    imported_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Everything known about a version; its `card.json`.

    Attributes:
        version: First 12 hex digits of `sha256`.
        settings: The recipe's full settings, overrides applied.
        dataset: `{"name", "fingerprint", "license", "images"}`.
        latent: Name of the seed-to-latent scheme.
        ema: Decay of the weights' moving average, or None if switched off.
        mirror: Whether training images were mirrored at random.
        metrics: Results, each with its protocol.
        software: Versions of what trained it.
        hardware: Device it was trained on, in words.
        parent: Version it was resumed or packed from.
        promotion: `{"decision", "reason"}`, if a job decided on it.
        order: What was asked of the job that trained it, as JSON.
        picks: Seeds of cats worth showing, chosen by somebody who looked.
        engine: Key in `models.inference.registry.ENGINES` that its pixels are defined by; empty on
            cards older than the field, which means "torch-fp32".
    """

    model: str
    version: str
    sha256: str
    recipe: str
    size_px: int
    z_dim: int
    latent: str
    settings: Json
    kimg: float
    seed: int
    created_at: str
    dataset: Json = field(default_factory=dict)
    ema: float | None = None
    mirror: bool = False
    metrics: tuple[Json, ...] = ()
    software: dict[str, str] = field(default_factory=dict)
    hardware: str = ""
    training_s: float | None = None
    parent: str | None = None
    job: str | None = None
    promotion: Json | None = None
    order: Json = field(default_factory=dict)
    picks: tuple[int, ...] = ()
    engine: str = ""
    note: str = ""
