"""The errors of models, as one tree.

    CatteryError
    ├── InvalidValue        a value from outside is not allowed (also a ValueError)
    │   ├── RecipeError     an invalid recipe, or an invalid override
    │   └── DatasetError    pictures that cannot become a dataset
    ├── NotFound            no such model, version, dataset, job or recipe
    ├── Gone                it existed and was deleted
    ├── Conflict            it already exists, or is in use
    ├── CheckpointError     a damaged file of weights or state
    ├── StoreError          the store cannot be reached, read or written
    │   └── BadEntry        one file of it is damaged or unreadable; the others are not
    ├── LeaseLost           another process holds this job now
    └── TrainingCollapsed   training has failed by one of its rules (models/training/collapse.py)

Attributes are data, from which the message is made: what happened, with which value, and what
to do.
"""

from collections.abc import Sequence


class CatteryError(Exception):
    """Base of all Cattery errors.

    Args:
        detail: What happened, with the value, one sentence.
        remedy: What to do about it, one sentence; may be empty.
    """

    def __init__(self, detail: str, remedy: str = "") -> None:
        self.detail = detail
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.detail} {self.remedy}".strip()


class InvalidValue(CatteryError, ValueError):
    """A value from outside is not allowed.

    Args:
        field: Dotted name of the field, as in the request.
        value: What was given.
        allowed: The range or the list of choices, in words.
        detail: What is wrong, where the field and its value do not say it.
    """

    def __init__(self, field: str, value: object, allowed: str, detail: str = "") -> None:
        remedy = f"Use {allowed}." if detail else f"Allowed: {allowed}."
        super().__init__(detail or f"{field} is {value!r}.", remedy)
        self.field = field
        self.value = value
        self.allowed = allowed


class RecipeError(InvalidValue):
    """An invalid recipe, or an invalid override of one of its hyperparameters."""


class DatasetError(InvalidValue):
    """Images that cannot become, or serve as, a dataset."""


class NotFound(CatteryError):
    """There is no such thing.

    Args:
        kind: "model", "version", "dataset", "job", "recipe", "sample", ...
        name: What was asked for.
        known: Names that do exist; the first twenty are listed.
    """

    def __init__(self, kind: str, name: str, known: Sequence[str] = ()) -> None:
        names = ", ".join(known[:20]) or "none"
        super().__init__(f"There is no {kind} {name!r}.", f"Known: {names}.")
        self.kind = kind
        self.name = name
        self.known = tuple(known[:20])


class Gone(CatteryError):
    """It existed and was deleted."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"The {kind} {name!r} was deleted.")
        self.kind = kind
        self.name = name


class Conflict(CatteryError):
    """It already exists, or is in use."""


class CheckpointError(CatteryError):
    """A weights or state file is damaged, incomplete or of another kind."""


class StoreError(CatteryError):
    """The store cannot be reached, read or written."""


class BadEntry(StoreError):
    """One file of the store is damaged, unreadable or in the way; the others are not.

    Args:
        path: The file, relative to the store.
        detail: What is wrong with it, one sentence.
    """

    def __init__(self, path: str, detail: str) -> None:
        super().__init__(detail, "`cattery doctor --repair` mends it or moves it aside.")
        self.path = path


class LeaseLost(CatteryError):
    """Another process holds this job now, or may hold it; this one must stop writing."""

    def __init__(self, job: str) -> None:
        super().__init__(f"This process no longer holds the lease on job {job}.")
        self.job = job


class TrainingCollapsed(CatteryError):
    """Training has failed by one of the rules of `models.training.collapse`.

    Args:
        step: Generator update at which the rule fired.
        rule: "non_finite", "discriminator_won", "alike" or "spots".
        detail: What was measured, the limit and since when.
        remedy: What to do about it, one sentence.
        value: What was measured.
        since: Step at which it was first bad.
    """

    def __init__(
        self,
        step: int,
        rule: str,
        detail: str,
        remedy: str = "",
        *,
        value: float = float("nan"),
        since: int | None = None,
    ) -> None:
        super().__init__(f"Training collapsed at step {step} ({rule}): {detail}.", remedy)
        self.step = step
        self.rule = rule
        self.value = value
        self.since = step if since is None else since
