"""From a point to its latent, in the space of one version.

Each operation computes in float64 and rounds to float32, as `models.inference.latents` does.
Randomness is Philox's raw words, keyed by what the point is made from, so that it is the same on
every machine, and independent in every part of a family tree: with keys of the child's number
alone, a grandchild numbered as its parents would get the genes of two grandparents only.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import InvalidValue, NotFound
from models.inference.latents import between, normals
from models.latent_space.codes import decoded
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
)

Latent = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class LatentSpace:
    """What the points of one version mean.

    Attributes:
        z_dim: Length of the latents.
        directions: Unit vectors by name, (Z,) float32.
        truncates: Whether its images depend on the latent's length; if not, latents lie on a
            sphere, and moves along directions stay on it.
    """

    z_dim: int
    directions: Mapping[str, Latent]
    truncates: bool = True

    def check(self, point: Point) -> None:
        """Check that a point exists in this space.

        Raises:
            NotFound: A direction is not among the version's.
            InvalidValue: A code has another length, or the space has no truncation.
        """
        for one in ancestors(point):
            match one:
                case Moved():
                    self._check_moves(one)
                case Code() if len(one.data) != self.z_dim:
                    allowed = f"{self.z_dim} bytes for this model, not {len(one.data)}"
                    raise InvalidValue("code", one.text[:40], allowed)
                case Truncated() if not self.truncates:
                    allowed = "1: pictures of this model do not depend on the latent's length"
                    raise InvalidValue("truncation", float(one.factor), allowed)

    def latent(self, point: Point) -> Latent:
        """Return a point's latent, (Z,) float32; errors as `check`."""
        self.check(point)
        found: dict[str, Latent] = {}
        # Sources first: ancestors come before what they are made from.
        for one in sorted(ancestors(point), key=lambda each: each.depth):
            found[one.text] = self._made(one, [found[source.text] for source in one.sources])
        return found[point.text]

    def _made(self, point: Point, sources: list[Latent]) -> Latent:
        """Return the latent of a point from those of its sources."""
        match point:
            case Seed():
                return normals(point.number, self.z_dim)
            case Code():
                return decoded(point.data)
            case Child():
                key = _key(f"{point.first}x{point.second}.{point.number}")
                return _crossed(sources[0], sources[1], key)
            case Place():
                share = point.share.numerator / point.share.denominator
                return between(sources[0], sources[1], share)
            case Mutant():
                return _mutated(sources[0], point)
            case Moved():
                return self._moved(sources[0], point)
            case Truncated():
                # In float32, as truncated seeds are: their images must not change.
                return (sources[0] * float(point.factor)).astype(np.float32)
        raise TypeError(f"no point: {point!r}")

    def _moved(self, z: Latent, point: Moved) -> Latent:
        wide = z.astype(np.float64)
        for name, by in point.moves:
            wide += float(by) * self.directions[name].astype(np.float64)
        if not self.truncates:
            wide *= _length(z) / _length(wide)
        return wide.astype(np.float32)

    def _check_moves(self, point: Moved) -> None:
        for name, _ in point.moves:
            if name not in self.directions:
                raise NotFound("direction", name, sorted(self.directions))


@dataclass(frozen=True)
class BoundPoint:
    """A point of a version's space, for `models.inference.latents.latents` and the engines."""

    point: Point
    space: LatentSpace

    def latent(self, z_dim: int) -> Latent:
        """Return its latent, (Z,) float32; InvalidValue for a generator of another space."""
        if z_dim != self.space.z_dim:
            raise InvalidValue("z_dim", z_dim, f"{self.space.z_dim}, as in the point's space")
        return self.space.latent(self.point)


def _crossed(first: Latent, second: Latent, key: int) -> Latent:
    """Take each number from one of two latents, by a bit each."""
    words = np.random.Philox(key=key).random_raw((len(first) + 63) // 64)
    index = np.arange(len(first), dtype=np.uint64)
    bits = words[index // np.uint64(64)] >> (index % np.uint64(64))
    return np.where((bits & np.uint64(1)).astype(bool), second, first)


def _mutated(z: Latent, point: Mutant) -> Latent:
    """Turn a latent toward normals that are independent of it, which keeps it standard normal."""
    # Without the amount: a mutant grows along one way as the amount does.
    toward = normals(_key(f"{point.origin}m.{point.number}"), len(z)).astype(np.float64)
    angle = float(point.amount) * math.pi / 2
    return (math.cos(angle) * z.astype(np.float64) + math.sin(angle) * toward).astype(np.float32)


def _length(z: NDArray[np.floating]) -> float:
    return float(np.linalg.norm(z.astype(np.float64)))


def _key(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
