"""Turns a client's request into a valid training order."""

from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite

from models.errors import Conflict, DatasetError, Gone, InvalidValue, NotFound, RecipeError
from models.gan.recipe import Recipe
from models.gan.recipes import resolve
from models.hyperparameters import Settings
from models.inference.latents import check_seed
from models.networks.scales import check_size
from models.store import Store
from models.store.names import check_name
from models.store.records import Budget, DatasetRecord, JobKind, JobRecord, Promote, TrainingOrder

MAX_KIMG = 1_000_000.0
MAX_MINUTES = 7 * 24 * 60.0


def make_order(
    *,
    recipe: str,
    dataset: DatasetRecord,
    store: Store,
    budget: Budget,
    model: str | None = None,
    size_px: int | None = None,
    seed: int = 0,
    overrides: Mapping[str, object] | None = None,
    promote: Promote = Promote.IF_BETTER,
    resume_from: str | None = None,
    init_from: str | None = None,
) -> TrainingOrder:
    """Check an order against recipe, dataset and store, and fill in defaults.

    Args:
        recipe: Its name.
        dataset: What to train on.
        store: Holds the model's other versions and earlier jobs.
        budget: Exactly one of kimg and minutes.
        model: The model that the version joins; by default the recipe's name, with the size
            unless that is the recipe's default.
        size_px: Resolution; by default the recipe's.
        seed: Of all random numbers.
        overrides: Hyperparameters by name.
        promote: When to promote the version.
        resume_from: Id of an ended job, or `model@version`, to resume from.
        init_from: Id of an ended job, or `model@version`, whose weights to start with: of
            the same recipe and hyperparameters that shape the networks, of this size or a
            smaller one (`models.training.warm_start`).

    Raises:
        NotFound: Unknown recipe or job.
        InvalidValue: A value is out of range; maybe a RecipeError or DatasetError.
    """
    # Everything is checked before a job exists: a refused order leaves nothing behind.
    row, settings = resolve(recipe, overrides or {})
    size = check_size(size_px or row.default_size_px)
    _check_networks(row, size, settings, overrides or {})
    name = check_name("model", model or row.default_model(size))
    _check_data(dataset, size, settings, is_default=size_px is None)
    _check_joins(store, name, size, is_default=size_px is None)
    order = TrainingOrder(
        recipe=row.name,
        dataset=dataset.name,
        model=name,
        size_px=size,
        budget=check_budget(budget),
        seed=check_seed(seed),
        overrides={key: settings.given()[key] for key in overrides or {}},
        promote=promote,
        resume_from=resume_from and source_job(store, resume_from),
        init_from=init_from and source_job(store, init_from, "init_from"),
    )
    if order.resume_from and order.init_from:
        allowed = "without resume_from: a job resumes, or starts from weights"
        raise InvalidValue("init_from", init_from, allowed)
    if order.resume_from:
        _check_resumable(store, order, settings)
        _check_state(store, "resume_from", order.resume_from)
    if order.init_from:
        _check_weights(store, order, settings)
        _check_state(store, "init_from", order.init_from)
    return order


def _check_networks(
    row: Recipe, size_px: int, settings: Settings, overrides: Mapping[str, object]
) -> None:
    """Reject impossible networks, naming the field as the client wrote it."""
    try:
        row.network_config(size_px, settings)
    except RecipeError as err:
        field = f"overrides.{err.field}" if err.field in overrides else err.field
        raise RecipeError(field, err.value, err.allowed) from None


def check_budget(budget: Budget) -> Budget:
    """Return the budget; InvalidValue unless exactly one of its fields is set and in range."""
    given = {field: value for field, value in asdict(budget).items() if value is not None}
    if len(given) != 1:
        detail = "The budget has both kimg and minutes." if given else "The budget is missing."
        raise InvalidValue("budget", given or None, "exactly one of kimg and minutes", detail)
    for field, value, most in (
        ("budget.kimg", budget.kimg, MAX_KIMG),
        ("budget.minutes", budget.minutes, MAX_MINUTES),
    ):
        if value is not None and not (isfinite(value) and 0 < value <= most):
            raise InvalidValue(field, value, f"more than 0, at most {most:g}")
    return budget


def _check_data(
    dataset: DatasetRecord, size_px: int, settings: Settings, *, is_default: bool
) -> None:
    """Refuse a dataset with too few images, naming the size if the client chose it."""
    count = dataset.counts.get(str(size_px), 0)
    if count >= settings.batch:
        return
    enough = [int(px) for px, images in dataset.counts.items() if images >= settings.batch]
    sizes = ", ".join(map(str, sorted(enough)))
    field, value = ("dataset", dataset.name) if is_default else ("size_px", size_px)
    detail = (
        f"The dataset {dataset.name!r} has {count} training images of {size_px} px, less than a "
        f"batch of {settings.batch}."
    )
    allowed = f"a size with enough of them: {sizes}" if sizes else "a larger dataset"
    raise DatasetError(field, value, allowed, detail)


def _check_joins(store: Store, model: str, size_px: int, *, is_default: bool) -> None:
    """Refuse a size that the model's versions do not have, even if no client chose it."""
    try:
        store.versions.check_size(model, size_px)
    except InvalidValue as err:
        if not is_default:
            raise
        detail = f"The recipe's default size is {size_px} px, and {model!r} has another."
        raise InvalidValue("size_px", None, str(err.allowed), detail) from None


def source_job(store: Store, source: str, field: str = "resume_from") -> str:
    """Return the id of the job to resume from, which may be named by the version it trained.

    Raises:
        NotFound, Gone: There is no such version.
        InvalidValue: No job of this store trained the version.
    """
    if "@" not in source:
        return source
    card = store.versions.card(*store.versions.resolve(source))
    if card.job is None:
        allowed = "a version that a job of this store trained, or a job"
        raise InvalidValue(field, source, allowed)
    return card.job


def _check_resumable(store: Store, order: TrainingOrder, settings: Settings) -> None:
    source = _source_order(store, "resume_from", order.resume_from or "")
    theirs = _shape(source, resolve(source.recipe, source.overrides)[1])
    ours = _shape(order, settings)
    if theirs != ours:  # a saved state fits only networks of the same shape
        raise _misfit("resume_from", order.resume_from, theirs, ours)


def _check_weights(store: Store, order: TrainingOrder, settings: Settings) -> None:
    """Refuse weights that cannot fit, naming what differs; shapes are compared at the start."""
    source = _source_order(store, "init_from", order.init_from or "")
    if source.recipe != order.recipe:
        raise _misfit("init_from", order.init_from, source.recipe, order.recipe)
    row, theirs = resolve(source.recipe, source.overrides)
    before = asdict(row.network_config(source.size_px, theirs))
    after = asdict(row.network_config(order.size_px, settings))
    if source.size_px > order.size_px:
        sizes = f"{source.size_px} px", f"at most {order.size_px} px"
        raise _misfit("init_from", order.init_from, *sizes)
    for name in before.keys() - {"size_px"}:
        if before[name] != after[name]:
            values = f"{name} {before[name]}", f"{name} {after[name]}"
            raise _misfit("init_from", order.init_from, *values)


def _misfit(field: str, job: str | None, theirs: str, ours: str) -> RecipeError:
    """Return the error for a source job that differs from the order."""
    return RecipeError(field, job, f"a job of {ours}", f"The job {job} is one of {theirs}.")


def _source_order(store: Store, field: str, job: str) -> TrainingOrder:
    record = _ended_job(store, field, job)
    source = store.jobs.order(record)
    if not isinstance(source, TrainingOrder):
        raise InvalidValue(field, record.id, "a training job")
    return source


def _check_state(store: Store, field: str, job: str) -> None:
    """Refuse a job whose training state has been dropped since it ended."""
    if not store.jobs.state(job).exists():
        allowed = "a job whose training state still exists (CATTERY_STATE_KEEP_S, a day by default)"
        raise InvalidValue(field, job, allowed)


def _ended_job(store: Store, field: str, job: str) -> JobRecord:
    try:
        record = store.jobs.get(job)
    except (NotFound, Gone) as err:
        raise InvalidValue(field, job, f"an ended training job ({err})") from err
    if record.kind is not JobKind.TRAIN:
        raise InvalidValue(field, job, "a training job")
    if not record.status.has_ended:
        raise Conflict(
            f"The job {job} is still {record.status.value}.", "Wait, or cancel it first."
        )
    return record


def _shape(order: TrainingOrder, settings: Settings) -> str:
    return f"{order.recipe}, {order.size_px} px, width {settings.width}, z_dim {settings.z_dim}"
