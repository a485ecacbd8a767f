"""The records of the store: orders, jobs, datasets, aliases and cards.

No torch, no redis, no pydantic: app, worker and command line share these. Every record is a
frozen dataclass, stored as JSON (`models.store.serialization`); unknown keys are ignored, so that
an older release can read a newer one's files.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Json = dict[str, Any]

PROMOTED = "promoted"  # the decision of a `Promotion`, or its opposite
NOT_PROMOTED = "not promoted"


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
        """Whether the job is over."""
        return self not in (JobStatus.QUEUED, JobStatus.STARTED)


class Phase(StrEnum):
    """What a started job is doing."""

    PREPARING = "preparing"
    TRAINING = "training"
    MEASURING = "measuring"
    PUBLISHING = "publishing"


class JobKind(StrEnum):
    """What a job produces."""

    TRAIN = "train"
    IMPORT = "import"


class Crop(StrEnum):
    """What an import cuts out of images that have no landmarks."""

    CENTER = "center"
    FACES = "faces"


class Promote(StrEnum):
    """When a finished version replaces the one in service."""

    IF_BETTER = "if_better"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How long to train, evaluation not counted: exactly one of the two is set."""

    kimg: float | None = None
    minutes: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOrder:
    """What a client asks a training job to do, already checked against its recipe.

    Attributes:
        model: The model that the new version joins.
        seed: Of weights, latents and data order, 0 to 2**53 - 1.
        overrides: Hyperparameters by name (`models.hyperparameters.LIMITS`).
        promote: When to promote the finished version.
        resume_from: Id of an ended job to resume from, or None.
        init_from: Id of an ended job whose weights the networks start with, or None.
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
    init_from: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOrder:
    """What a client asks an import job to do.

    Attributes:
        source: Local path of the uploaded zip, which the job deletes when it ends.
        license: The images' license according to the uploader; may be empty.
        origin: Where they come from, likewise.
        crop: What is cut out of images without landmarks.
        deduplicate: Whether to keep only the largest of images that look alike.
    """

    name: str
    source: str
    license: str = ""
    origin: str = ""
    crop: Crop = Crop.CENTER
    deduplicate: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Progress of a job; of an import, `done` and `total` images."""

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
class PhaseRecord:
    """One phase of a job, over or going on.

    Attributes:
        task: What is being done in it, in words; empty before that is known.
        done: How much of the task is done.
        total: Of how much, or None if that is not known.
        unit: Of both: "images", "kimg" or "s".
        eta_s: Estimated seconds until the task is done, or None.
    """

    name: Phase
    started_at: str
    ended_at: str | None = None
    task: str = ""
    done: float = 0.0
    total: float | None = None
    unit: str = ""
    eta_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """Whether a job put its version into service, and why.

    Attributes:
        decision: "promoted" or "not promoted".
        reason: In a sentence.
        compared: Version that was in service, if the two were compared.
        kid: Of the new version.
        compared_kid: Of the one in service, on the same images and seeds.
        difference: The new one's KID minus the other's; below zero is better.
        interval: 95 % interval of the difference; promoted if it lies below zero.
        protocol: How both were measured.
        dataset: Name of the dataset that both were compared with.
    """

    decision: str
    reason: str
    compared: str | None = None
    kid: float | None = None
    compared_kid: float | None = None
    difference: float | None = None
    interval: tuple[float, ...] | None = None
    protocol: str | None = None
    dataset: str | None = None

    @property
    def is_promoted(self) -> bool:
        """Whether the version went into service."""
        return self.decision == PROMOTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Collapse:
    """Why a training counts as collapsed.

    Attributes:
        rule: Name of the rule (`models.training.collapse`).
        meaning: What was measured, in words.
        value: What it was; None if it is not finite.
        limit: The last healthy value.
        is_floor: Whether values below the limit are bad, not those above.
        step: At which the rule fired.
        since_step: At which the value was first bad.
        kimg: At that moment.
        sample: Label of the sample sheet of that moment, if there is one.
        remedy: What to do about it, a sentence.
    """

    rule: str
    meaning: str
    value: float | None
    limit: float
    is_floor: bool
    step: int
    since_step: int
    kimg: float
    sample: str | None = None
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """One job as last written; the store's `jobs/{id}/job.json`.

    Attributes:
        id: Letters, digits and dashes; sorts by creation time unless made from
            an Idempotency-Key.
        runner: "worker" (the reaper may requeue it) or "cli".
        order: `TrainingOrder` or `ImportOrder`, by kind, as JSON.
        attempts: How often it was requeued.
        best: `{"kimg": ..., "metric": ..., ...}` of the best snapshot.
        samples: kimg labels of its sample sheets, in order of creation.
        reason: Why it ended or waits, a sentence.
        version: Id of the version it published.
        promoted: Whether that version goes into service; None if not decided.
        promotion: The decision on that, with what was compared.
        collapse: Which rule ended the training, if one did.
        phases: Of the current attempt, in order; the last one may be going on.
        gives_up: Whether it only publishes its best snapshot and then fails, since its
            processes died too often.
        events: Number of entries in its history. It grows with every change of the record.
        request_id: Of the request that submitted it; lines of the log have it.
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
    promotion: Promotion | None = None
    collapse: Collapse | None = None
    phases: tuple[PhaseRecord, ...] = ()
    gives_up: bool = False
    events: int = 0
    request_id: str | None = None

    @property
    def waits_for_worker(self) -> bool:
        """Whether it is queued for workers, not paused by the command line that runs it."""
        return self.status is JobStatus.QUEUED and self.runner == "worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One entry of a job's history; ids count from 1 without gaps."""

    id: int
    type: str
    at: str
    data: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasMove:
    """One move of a model's `serving`: "zoo", "promote", "rollback" or "withdraw"."""

    action: str
    version: str
    at: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aliases:
    """The movable pointers of one model.

    Attributes:
        history: The latest moves, oldest first.
        moves: How many there were in all; 0 in files of older releases.
    """

    serving: str | None = None
    previous: str | None = None
    history: tuple[AliasMove, ...] = ()
    moves: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRecord:
    """One imported dataset; the store's `datasets/{name}/dataset.json`.

    Attributes:
        fingerprint: SHA-256 over the sorted content hashes of all kept images.
        kept: Images accepted, held-out ones included.
        heldout: Images that no job trains on.
        counts: Training images by resolution, e.g. {"64": 8339}.
        rejected: How many were rejected, by reason.
        rejections: The first of them, `{"file": ..., "reason": ..., "detail": ...}`.
        pictured: Files on the sheet of rejected images, in order, by reason.
        source: Where the images come from, as far as known.
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
    pictured: dict[str, list[str]] = field(default_factory=dict)
    license: str = ""
    source: str = ""
    aligned: bool = False
    imported_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Everything known about a version; its `card.json`.

    Attributes:
        version: First 12 hex digits of `sha256`.
        settings: All hyperparameters, overrides applied.
        dataset: `{"name", "fingerprint", "license", "source", "pictures"}`.
        latent: Name of the seed-to-latent scheme.
        ema: Decay of the weights' moving average, or None if turned off.
        mirror: Whether training images were flipped at random.
        metrics: Results, each with its protocol.
        software: Versions of what trained it.
        hardware: The device that trained it.
        parent: Version it was resumed or packed from.
        promotion: The decision of the job that trained it, if it made one.
        order: Of the job that trained it, as JSON.
        picks: Hand-picked seeds worth showing.
        engine: Key in `models.inference.registry.ENGINES` that defines its pixels; empty on
            older cards, which means "torch-fp32".
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
    promotion: Promotion | None = None
    order: Json = field(default_factory=dict)
    picks: tuple[int, ...] = ()
    engine: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """An API key; the store's `keys/{id}.json`.

    Attributes:
        id: 12 hexadecimal digits, the public half of the key.
        name: Who or what uses it.
        scopes: What it allows (`models.store.keys.Scope`).
        salt: Of the hash, 32 hexadecimal digits.
        hash: Of the secret half, 64 hexadecimal digits.
        revoked_at: Since when it is invalid, or None.
    """

    id: str
    name: str
    scopes: tuple[str, ...]
    salt: str
    hash: str
    created_at: str
    revoked_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRecord:
    """Whom to tell when a job ends; the store's `webhooks/{job}.json`, until that is done.

    Attributes:
        attempts: Deliveries that failed.
        next_at: When to try again; None at first.
    """

    job: str
    url: str
    created_at: str
    attempts: int = 0
    next_at: str | None = None
