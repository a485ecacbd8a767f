"""A generator's images compared with real ones: every metric of a protocol, as on a card."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.errors import DatasetError
from models.metrics.blocks import as_rows
from models.metrics.features import Features
from models.metrics.frechet import Gaussian, frechet_distance
from models.metrics.kid import Projections, project
from models.metrics.neighbors import memorization, nearest, precision_recall, squared_radii
from models.metrics.protocols import NEIGHBORS, Protocol
from models.metrics.reference import Reference
from models.store.records import Json

CLOSEST = 8  # pairs to look at where memorization is suspected


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A sample and the training image nearest to it.

    Attributes:
        seed: Of the sample.
        picture: Row of the dataset's pack.
        distance: Between their features.
    """

    seed: int
    picture: int
    distance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The results of evaluating a generator.

    Attributes:
        rows: `{"name", "value", "protocol"}`, maybe "interval" and "details", as on a card.
        absent: Why a metric of the protocol is missing, a sentence, by name.
        projections: Each image's share of the kernel distance, for a paired comparison.
        closest: The samples nearest to a training image, nearest first; empty if the
            protocol has no neighbors.
    """

    rows: tuple[Json, ...]
    absent: Mapping[str, str]
    projections: Projections
    closest: tuple[Pair, ...]


class Comparison:
    """Real and fake features side by side on one device.

    Args:
        reference: Of the real images.
        fake: (M, D) float64 features of the fakes, on the device to compute on.
        seeds: Of the fakes.
    """

    def __init__(self, reference: Reference, fake: Tensor, seeds: Sequence[int]) -> None:
        self.reference, self.fake, self.seeds = reference, fake, seeds
        self.real = as_rows(reference.rows, fake.device)

    def measurement(self, protocol: Protocol, features: Features) -> Measurement:
        """Compute all metrics of the protocol."""
        device = self.fake.device
        means = self.reference.kernel_means.to(device)
        projections = project(self.real, means, self.fake)
        absent: dict[str, str] = {}
        found = _if_possible(("frechet_distance",), self._frechet_distance, absent)
        found["kid"] = {"value": _short(projections.value), "interval": _interval(projections)}
        closest: tuple[Pair, ...] = ()
        if protocol.has_neighbors:
            distances, indices = nearest(self.fake, self.real)
            closest = self._closest(distances, indices)
            found |= _if_possible(("precision", "recall"), self._precision_recall, absent)
            found |= _if_possible(
                ("memorization",), lambda: [self._memorization(distances, closest)], absent
            )
        described = self._described(protocol, features)
        return Measurement(
            rows=tuple({"name": n, **row, "protocol": described} for n, row in found.items()),
            absent=absent,
            projections=projections,
            closest=closest,
        )

    def _frechet_distance(self) -> list[Json]:
        device, kept = self.fake.device, self.reference.gaussian
        gaussian = Gaussian(mean=kept.mean.to(device), root=kept.root.to(device))
        return [{"value": round(frechet_distance(gaussian, self.fake), 4)}]

    def _precision_recall(self) -> list[Json]:
        if not len(self.reference.squared_radii):
            raise DatasetError("number of images", len(self.real), f"more than {NEIGHBORS}")
        real_radii = self.reference.squared_radii.to(self.fake.device)
        both = precision_recall(self.real, real_radii, self.fake, squared_radii(self.fake))
        return [{"value": round(value, 4)} for value in both]

    def _memorization(self, distances: Tensor, closest: Sequence[Pair]) -> Json:
        found = memorization(self.reference.heldout, distances.cpu())
        details = {
            "expected": _short(found.expected),
            "median_ratio": round(found.median_ratio, 4),
            "heldout": len(self.reference.heldout),
            "closest": [[pair.seed, pair.picture, _short(pair.distance)] for pair in closest],
        }
        return {"value": round(found.share, 4), "details": details}

    def _closest(self, distances: Tensor, indices: Tensor) -> tuple[Pair, ...]:
        # Stable, so that equal generators give equal cards.
        order = distances.argsort(stable=True)[:CLOSEST].tolist()
        pictures = self.reference.pictures[indices.cpu()].tolist()
        return tuple(
            Pair(seed=self.seeds[i], picture=pictures[i], distance=float(distances[i]))
            for i in order
        )

    def _described(self, protocol: Protocol, features: Features) -> Json:
        return {
            "name": protocol.name,
            **features.protocol,
            "size_px": self.reference.size_px,
            "fakes": len(self.fake),
            "seeds": f"{self.seeds[0]} to {self.seeds[-1]}",
            "reals": self.reference.count,
            "dataset": self.reference.dataset,
            "fingerprint": self.reference.fingerprint,
            "kid": protocol.kid,
        }


def _if_possible(
    names: Sequence[str], make: Callable[[], list[Json]], absent: dict[str, str]
) -> dict[str, Json]:
    """Return results by name, or record why there are none."""
    try:
        return dict(zip(names, make(), strict=True))
    except (DatasetError, torch.linalg.LinAlgError) as err:  # type: ignore[attr-defined]
        absent.update(dict.fromkeys(names, str(err)))
        return {}


def _interval(projections: Projections) -> list[float]:
    return [_short(end) for end in projections.interval]


def _short(value: float) -> float:
    """Round to six significant digits."""
    return float(f"{value:.6g}")
