"""A comparison's request and progress, as in its folder's `comparison.json`."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from models.errors import InvalidValue
from models.store.names import timestamp
from models.store.records import JobStatus, Json, TrainingOrder
from models.store.serialization import dumps, loads

RECORD = "comparison.json"
SIZE_PX = 64

# What the command line calls a field, where the name differs.
FLAGS: Mapping[str, str] = {
    "recipes": "RECIPE",
    "dataset": "data",
    "fingerprint": "fingerprint of the dataset",
    "size_px": "size",
    "overrides": "set",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What to compare.

    Attributes:
        recipes: Names, in the order of training.
        dataset: Its name.
        fingerprint: The dataset's.
        kimg: Budget of each recipe.
        overrides: Hyperparameters by name, for each recipe that has them.
        fakes: Images generated to evaluate a version; the protocol's number if None.
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
        lacks: Overrides that the recipe does not have.
        model: The model that its version joins.
        job: Its job's id, once there is one.
        reason: Why the job ended or waits.
        version: Id of the version it published.
        kimg: Thousand images shown.
        best_kimg: Where its best snapshot, the version, was taken.
        steps: Updates of the generator.
        images_per_s: Images shown per second of training.
        training_s: Seconds of training alone.
        wall_s: Seconds in total, evaluation included.
        peak_bytes: Peak memory.
        peak_of: Of which memory, in words.
        metrics: As on the version's card.
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
    """The request, and a row per recipe; the folder's `comparison.json`."""

    asked: Asked
    rows: tuple[Row, ...]
    changed_at: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether every recipe has ended, successfully or not."""
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
    except (FileNotFoundError, NotADirectoryError):  # the latter is reported on writing
        return None


def begun(asked: Asked, folder: Path, wanted: Mapping[str, TrainingOrder]) -> Comparison:
    """Return the folder's comparison, to be resumed, or a new one.

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
    """Return the row of a recipe that has not started."""
    return Row(recipe=recipe, lacks=tuple(lacks), model=order.model, size_px=order.size_px)


def write_record(comparison: Comparison, folder: Path) -> None:
    """Write the folder's `comparison.json`; InvalidValue as `place`."""
    place(folder / RECORD, dumps(comparison))


def place(path: Path, data: bytes) -> None:
    """Write a file of a comparison's folder atomically; InvalidValue if that is impossible."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(path)  # whoever has the page open, or resumes, sees whole files
    except OSError as err:
        allowed = f"a writable folder ({err.strerror})"
        raise InvalidValue("output", str(path.parent), allowed) from err
