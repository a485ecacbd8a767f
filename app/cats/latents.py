"""Seeds and variations of their pictures: neighbors of another seed, and truncation."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from app.inference.slot import Slot
from models.errors import InvalidValue
from models.inference.latents import MAX_SEED, Interpolated, Point, check_seed

DISTANCE = 0.2
LEAST_TRUNCATION = 0.1
DECIMALS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """A variation of the pictures of seeds.

    Attributes:
        near: Seed whose neighbors to render; None for the seeds themselves.
        distance: Distance from `near`, as a fraction of the great circle to each seed, 0 to 1;
            ignored without `near`.
        truncation: Factor of the latents, 0.1 to 1; smaller ones give less varied cats.

    Raises:
        InvalidValue: A value is out of range or has more than three decimals.
    """

    near: int | None = None
    distance: float = DISTANCE
    truncation: float = 1.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.near is not None:
            check_seed(self.near, "near")
        _check("distance", self.distance, 0.0)
        _check("truncation", self.truncation, LEAST_TRUNCATION)

    @classmethod
    def asked(cls, near: int | None, distance: float | None, truncation: float) -> "Variation":
        """Return the variation that optional parameters describe; a distance may be None.

        Raises:
            InvalidValue: As `Variation`, or there is a distance without `near`.
        """
        if near is None and distance is not None:
            raise InvalidValue("distance", distance, "only with near, the seed to stay close to")
        if near is None and truncation == 1:
            return PLAIN  # of nearly all requests; it has been checked
        distance = DISTANCE if distance is None else distance
        return cls(near=near, distance=distance, truncation=truncation)

    def check(self, slot: Slot) -> None:
        """Check that a version supports it.

        Raises:
            InvalidValue: There is a truncation, and its pictures do not depend on the latent's
                length.
        """
        if self.truncation != 1 and not slot.engine.truncates:
            allowed = f"1: pictures of {slot.model} do not depend on the latent's length"
            raise InvalidValue("truncation", self.truncation, allowed)

    def points(self, seeds: Sequence[int]) -> list[Point]:
        """Return the points to render: the seeds themselves without a variation."""
        if self.near is None and self.truncation == 1:
            return list(seeds)
        return [self._point(seed) for seed in seeds]

    def _point(self, seed: int) -> Interpolated:
        if self.near is None:
            return Interpolated(start=seed, end=seed, truncation=self.truncation)
        return Interpolated(
            start=self.near, end=seed, share=self.distance, truncation=self.truncation
        )

    def query(self) -> dict[str, str]:
        """Return it as query parameters, without defaults and always in the same order."""
        query = {}
        if self.near is not None:
            query = {"near": str(self.near), "distance": _spelled(self.distance)}
        if self.truncation != 1:
            query["truncation"] = _spelled(self.truncation)
        return query


def consecutive_seeds(first: int | None, count: int) -> range:
    """Return consecutive seeds, starting at a random one for None.

    Raises:
        InvalidValue: The last one would be out of range.
    """
    last_start = MAX_SEED - count + 1
    if first is None:
        first = secrets.randbelow(last_start + 1)
    elif first > last_start:
        raise InvalidValue("seed", first, f"0 to {last_start} for n={count}")
    return range(first, first + count)


def seed_or_random(seed: int | None) -> int:
    """Return the seed, or a random one for None."""
    return secrets.randbelow(MAX_SEED + 1) if seed is None else seed


def _check(field: str, value: float, least: float) -> None:
    # A number must have a single spelling, since a permalink is the only URL of its picture.
    if not least <= value <= 1 or round(value, DECIMALS) != value:
        raise InvalidValue(field, value, f"{least:g} to 1 with at most {DECIMALS} decimals")


def _spelled(value: float) -> str:
    return f"{value:z.{DECIMALS}g}"


PLAIN = Variation()
"""No variation."""
