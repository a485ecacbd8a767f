"""Why an image was not taken, and the ledger of all that were not."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from models.store.records import Json

# A dataset's record tells this many refusals one by one; the rest are only counted.
TOLD_REJECTIONS = 100

LONGEST_NAME = 200  # characters of a file's name that a record repeats


class Reason(StrEnum):
    """Why an image was not taken."""

    UNREADABLE = "unreadable"
    UNSUPPORTED = "unsupported"
    TOO_SMALL = "too small"
    TOO_LARGE = "too large"
    DUPLICATE = "duplicate"
    LANDMARKS = "damaged landmarks"
    LINK = "link"


class Refused(Exception):  # a verdict on one image, caught within this package
    """One image cannot be taken; the import goes on.

    Args:
        reason: The kind of refusal, which is counted.
        detail: What exactly was wrong, with the value.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass
class Ledger:
    """Counts refusals by reason and remembers the first of them."""

    counts: Counter[str] = field(default_factory=Counter)
    first: list[Json] = field(default_factory=list)

    def enter(self, file: str, refused: Refused) -> None:
        """Add one refused file."""
        self.counts[refused.reason.value] += 1
        if len(self.first) < TOLD_REJECTIONS:
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
