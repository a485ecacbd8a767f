"""What is asked of each contender: the table of cases."""

from dataclasses import dataclass

CLIENTS = (1, 32, 256)


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of request.

    Attributes:
        images: Cats a request.
        format: "png" (a sheet, if they are several) or "zip".
        title: What it is, for the table.
    """

    images: int
    format: str
    title: str


CASES = {
    "one": Case(1, "png", "one cat a request"),
    "sheet": Case(16, "png", "sixteen as a sheet"),
    "zip": Case(16, "zip", "sixteen as a zip"),
}
