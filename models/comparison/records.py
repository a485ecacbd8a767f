"""What a comparison is of and how far it is, as a folder's `comparison.json` keeps it."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from models.errors import InvalidValue
from models.store.names import timestamp
from models.store.records import JobStatus, Json, TrainingOrder
from models.store.serialization import dumps, loads

RECORD = "comparison.json"
SIZE_PX = 64

# What the command line calls a field, where that is not the field's own name.
FLAGS: Mapping[str, str] = {
    "recipes": "RECIPE",
    "dataset": "data",
    "fingerprint": "fingerprint of the dataset",
    "size_px": "size",
    "overrides": "set",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a comparison is of.

    Attributes:
        recipes: Names, in the order of training.
        dataset: Name of the dataset.
        fingerprint: The dataset's.
        kimg: Budget of each recipe.
        size_px: Resolution of all images.
        seed: Of every recipe.
        overrides: Numbers by name, for each recipe that has them.
        fakes: Images generated to evaluate a version; the protocol's own number if None.
    """

    recipes: tuple[str, ...]
    dataset: str
    fingerprint: str
    kimg: float
    size_px: int = SIZE_PX
    seed: int = 0
    overrides: Json = field(default_factory=dict)
    fakes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How far one recipe is, or how it ended.

    Attributes:
        recipe: Its name.
        lacks: Numbers that were asked for and that it does not have.
        model: The model that its version joins.
        size_px: Image resolution.
        job: Its job's id; None before there is one.
        status: The job's.
        reason: Why the job ended or waits, if it said so.
        version: Id of the version it published.
        kimg: Thousand images shown.
        best_kimg: Where its best snapshot, the version, was taken.
        steps: Updates of the generator.
        images_per_s: Images shown a second of training.
        training_s: Seconds of training alone.
        wall_s: Seconds of everything, measuring included.
        peak_bytes: Most memory in use at once.
        peak_of: Which memory, in words.
        metrics: As the version's card has them.
        note: The card's.
        hardware: Device in words.
        software: Versions of what trained it.
    """

    recipe: str
    lacks: tuple[str, ...] = ()
    model: str = ""
    size_px: int = SIZE_PX
    job: str | None = None
    status: JobStatus = JobStatus.QUEUED
    reason: str | None = None
    version: str | None = None
    kimg: float = 0.0
    best_kimg: float | None = None
    steps: int = 0
    images_per_s: float | None = None
    training_s: float = 0.0
    wall_s: float = 0.0
    peak_bytes: int = 0
    peak_of: str = ""
    metrics: tuple[Json, ...] = ()
    note: str = ""
    hardware: str = ""
    software: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What was asked, and a row a recipe; the folder's `comparison.json`."""

    asked: Asked
    rows: tuple[Row, ...]
    changed_at: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether every recipe has ended, well or not."""
        return all(row.status.has_ended for row in self.rows)

    def with_row(self, row: Row) -> "Comparison":
        """Return this with a recipe's row replaced."""
        rows = tuple(row if old.recipe == row.recipe else old for old in self.rows)
        return replace(self, rows=rows, changed_at=timestamp())


def read_comparison(folder: Path) -> Comparison | None:
    """Return the comparison that a folder holds, if there is one.

    Raises:
        StoreError: Its file is damaged.
    """
    try:
        return loads(Comparison, (folder / RECORD).read_bytes())
    except (FileNotFoundError, NotADirectoryError):  # the latter is said when it is written
        return None


def begun(asked: Asked, folder: Path, wanted: Mapping[str, TrainingOrder]) -> Comparison:
    """Return the folder's comparison, to go on with it, or a new one.

    Raises:
        InvalidValue: The folder's comparison is of something else.
        StoreError: Its file is damaged.
    """
    kept = read_comparison(folder)
    if kept is None:
        rows = tuple(
            new_row(name, [n for n in asked.overrides if n not in order.overrides], order)
            for name, order in wanted.items()
        )
        return Comparison(asked=asked, rows=rows, changed_at=timestamp())
    before, now = asdict(kept.asked), asdict(asked)
    for name in before:
        if before[name] != now[name]:
            allowed = (
                f"{before[name]!r}, as the comparison in {str(folder)!r} has it; "
                f"for another comparison, another --output"
            )
            raise InvalidValue(FLAGS.get(name, name), now[name], allowed)
    return kept


def new_row(recipe: str, lacks: Iterable[str], order: TrainingOrder) -> Row:
    """Return the row of a recipe of which nothing is done yet."""
    return Row(recipe=recipe, lacks=tuple(lacks), model=order.model, size_px=order.size_px)


def write_record(comparison: Comparison, folder: Path) -> None:
    """Write the folder's `comparison.json`.

    Raises:
        InvalidValue: The folder cannot be written.
    """
    place(folder / RECORD, dumps(comparison))


def place(path: Path, data: bytes) -> None:
    """Write a file of a comparison's folder in one step.

    Raises:
        InvalidValue: The folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as err:
        allowed = f"a folder that can be written ({err.strerror})"
        raise InvalidValue("output", str(path.parent), allowed) from err
