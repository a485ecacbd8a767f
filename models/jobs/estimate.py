"""How long an order will take here, and what to know before it is placed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from models.errors import CatteryError
from models.gan.recipe import Recipe
from models.gan.recipes import resolve
from models.hyperparameters import Settings
from models.metrics.neighbors import FEWEST_HELDOUT
from models.store import Store
from models.store.records import Card, DatasetRecord, JobKind, JobRecord, Json, TrainingOrder
from models.store.serialization import from_json

LEAST_TRAINING_S = 5.0  # a shorter run's speed is mostly that of its start
RECENT = 5  # jobs that an estimate is made from

# With fewer, users of comparable projects got copies (lucidrains/lightweight-gan, issue 28).
FEW_IMAGES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """How long an order takes; None where nothing is known.

    Attributes:
        images_per_s: Training speed.
        training_s: Seconds of training.
        kimg: Thousand images shown in that time.
        other_s: Seconds of preparing, sampling, measuring and publishing.
        basis: What the figures come from, a sentence.
        jobs: Ids of the jobs that they come from.
    """

    images_per_s: float | None
    training_s: float | None
    kimg: float | None
    other_s: float | None
    basis: str
    jobs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Run:
    """An earlier training."""

    order: TrainingOrder
    hyperparameters: Json
    images_per_s: float
    other_s: float | None
    job: str


def estimate(store: Store, order: TrainingOrder, hyperparameters: Json) -> Estimate:
    """Estimate the duration of an order from earlier trainings of this store.

    Args:
        store: Holds the earlier jobs and versions.
        order: The order.
        hyperparameters: All of its hyperparameters, `Settings.given()`.

    Raises:
        StoreError: The store cannot be read.
    """
    runs = list(_runs(store.jobs.list()))
    for basis, is_alike in _ways(order, hyperparameters):
        if alike := [run for run in runs if is_alike(run)][:RECENT]:
            # By the number of pixels: convolutions dominate every network of the table.
            speed = median(run.images_per_s * _share(run.order, order) for run in alike)
            others = [run.other_s for run in alike if run.other_s is not None]
            jobs = tuple(run.job for run in alike)
            return _estimate(order, speed, median(others) if others else None, basis, jobs)
    return _from_a_card(store, order) or _estimate(
        order, None, None, "Unknown: nothing like it was trained here before."
    )


def warnings(
    order: TrainingOrder, row: Recipe, settings: Settings, data: DatasetRecord
) -> list[str]:
    """Return what may go wrong with a valid order, a sentence each, and what to do about it."""
    count = data.counts[str(order.size_px)]
    heldout = data.heldout_counts.get(str(order.size_px), 0)
    found = []
    if count < FEW_IMAGES:
        found.append(
            f"{data.name} has {count} images of {order.size_px} px to train on. With fewer than "
            f"{FEW_IMAGES} a generator tends to copy them: look at `memorization` among the "
            "version's metrics, or add images."
        )
    if heldout < FEWEST_HELDOUT:
        found.append(
            f"Only {heldout} images of {order.size_px} px are held out, of {FEWEST_HELDOUT} that "
            "the memorization check needs: it will be missing among the metrics."
        )
    if order.size_px not in row.sizes_px:
        sizes = " and ".join(map(str, row.sizes_px))
        found.append(f"{row.name} is tuned for {sizes} px, not for {order.size_px} px.")
    if order.budget.kimg is not None and order.budget.kimg * 1000 < count:
        found.append(
            f"{order.budget.kimg:g} kimg show only some of the {count} images, and none twice."
        )
    if settings.batch > count / 2:
        found.append(f"A batch of {settings.batch} is more than half of the {count} images.")
    return found


def _ways(
    order: TrainingOrder, hyperparameters: Json
) -> Iterable[tuple[str, Callable[[_Run], bool]]]:
    """Yield which earlier runs to learn from, the most similar ones first."""
    same = f"{order.recipe} at {order.size_px} px"
    yield (
        f"Earlier trainings of {same} with the same hyperparameters.",
        lambda run: (
            (run.order.recipe, run.order.size_px) == (order.recipe, order.size_px)
            and run.hyperparameters == hyperparameters
        ),
    )
    yield (
        f"Earlier trainings of {same} with other hyperparameters, a rough guide.",
        lambda run: (run.order.recipe, run.order.size_px) == (order.recipe, order.size_px),
    )
    yield (
        f"Earlier trainings of {order.recipe} at another size, scaled by the number of pixels: "
        "a rough guide.",
        lambda run: run.order.recipe == order.recipe,
    )


def _runs(records: Iterable[JobRecord]) -> Iterable[_Run]:
    for record in records:
        progress = record.progress
        is_telling = record.kind is JobKind.TRAIN and progress.training_s >= LEAST_TRAINING_S
        if not is_telling or not progress.images_per_s:
            continue
        try:
            order = from_json(TrainingOrder, record.order)
            given = resolve(order.recipe, order.overrides)[1].given()
        except CatteryError:  # of an older release, with a recipe or an override that is gone
            continue
        yield _Run(order, given, progress.images_per_s, _other_s(record), record.id)


def _other_s(record: JobRecord) -> float | None:
    """Return the seconds that a job spent on anything but training; None if it was interrupted."""
    if record.attempts or record.started_at is None or record.ended_at is None:
        return None
    began, ended = map(datetime.fromisoformat, (record.started_at, record.ended_at))
    return max((ended - began).total_seconds() - record.progress.training_s, 0.0)


def _share(run: TrainingOrder, order: TrainingOrder) -> float:
    return (run.size_px / order.size_px) ** 2


def _from_a_card(store: Store, order: TrainingOrder) -> Estimate | None:
    """Return the estimate from a version that was trained elsewhere, if there is one."""
    cards: list[Card] = [
        card for model in store.versions.models() for card in store.versions.list(model)
    ]
    for card in cards:
        alike = (card.recipe, card.size_px) == (order.recipe, order.size_px)
        if alike and card.training_s and card.parent is None:
            basis = (
                f"{card.model}@{card.version}, of the same recipe and size, was trained on "
                f"{card.hardware or 'another machine'}; nothing like it was trained here."
            )
            return _estimate(order, 1000 * card.kimg / card.training_s, None, basis)
    return None


def _estimate(
    order: TrainingOrder,
    speed: float | None,
    other_s: float | None,
    basis: str,
    jobs: tuple[str, ...] = (),
) -> Estimate:
    kimg, budget = order.budget.kimg, order.budget
    training_s = None if budget.minutes is None else 60 * budget.minutes
    if speed is not None:
        training_s = training_s or 1000 * (kimg or 0.0) / speed
        kimg = kimg or speed * training_s / 1000
    return Estimate(
        images_per_s=None if speed is None else round(speed, 1),
        training_s=None if training_s is None else round(training_s, 1),
        kimg=None if kimg is None else round(kimg, 1),
        other_s=None if other_s is None else round(other_s, 1),
        basis=basis,
        jobs=jobs,
    )
