"""Addresses of points of the latent space: one grammar, one spelling each (docs/addresses.md)."""

from models.latent_space.grammar import PointError, canonical, parse
from models.latent_space.points import (
    Child,
    Code,
    Moved,
    Mutant,
    Place,
    Point,
    Seed,
    Truncated,
    ancestors,
    child,
    code,
    mutant,
    of_interpolated,
    place,
    seed,
    shifted,
    truncated,
)
from models.latent_space.resolution import BoundPoint, LatentSpace

__all__ = [
    "BoundPoint",
    "Child",
    "Code",
    "LatentSpace",
    "Moved",
    "Mutant",
    "Place",
    "Point",
    "PointError",
    "Seed",
    "Truncated",
    "ancestors",
    "canonical",
    "child",
    "code",
    "mutant",
    "of_interpolated",
    "parse",
    "place",
    "seed",
    "shifted",
    "truncated",
]
