"""Why images were rejected, and the list of those that were."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from models.store.records import Json

LISTED_REJECTIONS = 100  # in a dataset's record; the others are only counted
LONGEST_NAME = 200  # characters of a file's name in a record


class Reason(StrEnum):
    """Why an image was rejected."""

    UNREADABLE = "unreadable"
    UNSUPPORTED = "unsupported"
    TOO_SMALL = "too small"
    TOO_LARGE = "too large"
    DUPLICATE = "duplicate"
    FLAT = "flat"
    NO_FACE = "no face"
    LANDMARKS = "damaged landmarks"
    LINK = "link"
    NAME = "unsafe name"


class Refused(Exception):  # caught within this package, so not part of the error tree
    """One image is rejected; the import goes on.

    Args:
        reason: By which rejections are counted.
        detail: What exactly was wrong, with the value.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass
class Ledger:
    """Counts rejections by reason and lists the first of them."""

    counts: Counter[str] = field(default_factory=Counter)
    first: list[Json] = field(default_factory=list)

    def enter(self, file: str, refused: Refused) -> None:
        """Add one rejected file."""
        self.counts[refused.reason.value] += 1
        if len(self.first) < LISTED_REJECTIONS:
            self.first.append(
                {
                    "file": printable(file),
                    "reason": refused.reason.value,
                    "detail": printable(refused.detail),
                }
            )


def printable(text: str) -> str:
    """Return text that any JSON file can hold: file names need not be valid Unicode."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")[-LONGEST_NAME:]
