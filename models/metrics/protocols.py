"""The one table of evaluation protocols. Imports no torch: command line help reads it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from models.errors import InvalidValue
from models.store.records import Json

HEADLINE = "kid"  # decides: unlike the Fréchet distance, unbiased and with an interval
SINGLE_FACE = "single_face"
HELD_OUT = "held-out"  # the protocol that nothing is selected by

REALS_AT_MOST = 10_000  # all pairs are compared: cost grows with the square
KID = "kernel (x.y / D + 1)^3, unbiased, all pairs"
NEIGHBORS = 3
LARGE_PX = 256  # from this resolution on a protocol may use fewer fakes


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What a metric means.

    Attributes:
        name: Key of its rows on a card.
        meaning: What it is, in words.
        better: "lower" or "higher".
        source: The paper, if there is one.
    """

    name: str
    meaning: str
    better: str
    source: str


METRICS = (
    Metric(
        name="kid",
        meaning="Kernel Inception Distance: unbiased MMD with a cubic polynomial kernel, over all "
        "images, with a 95 % confidence interval. It selects snapshots and decides promotion",
        better="lower",
        source="Binkowski et al. 2018, arXiv:1801.01401",
    ),
    Metric(
        name="frechet_distance",
        meaning="Fréchet distance of Gaussians fitted to the features; falls with sample size",
        better="lower",
        source="Heusel et al. 2017, arXiv:1706.08500",
    ),
    Metric(
        name="precision",
        meaning="Fidelity: share of fakes on the manifold of real images (3 neighbors)",
        better="higher",
        source="Kynkäänniemi et al. 2019, arXiv:1904.06991",
    ),
    Metric(
        name="recall",
        meaning="Diversity: share of real images on the manifold of fakes (3 neighbors)",
        better="higher",
        source="Kynkäänniemi et al. 2019, arXiv:1904.06991",
    ),
    Metric(
        name="memorization",
        meaning="Share of fakes closer to a training image than the closest 1 % of held-out "
        "images; about 0.01 without memorization",
        better="lower",
        source="",
    ),
    Metric(
        name=SINGLE_FACE,
        meaning="Anatomy: share of fakes in which a classifier cascade finds exactly one cat face; "
        "expected is the same share of real images. With the extra `faces`, for datasets of cats. "
        "A snapshot below nine tenths of what is expected is passed over for one above",
        better="higher",
        source="Viola and Jones 2001, doi:10.1109/CVPR.2001.990517",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """Everything that a result depends on besides the generator and the dataset.

    The resizer is the feature network's, in `models.metrics.features.FEATURES`.

    Attributes:
        name: Identifies results.
        features: Name of a feature network.
        fakes: Images generated, from consecutive seeds.
        fakes_large: The same at 256 px and more, if different.
        reals_at_most: Training images compared with, evenly spaced if there are more.
        has_neighbors: Whether precision, recall and memorization are measured as well.
        faces: Fakes that `SINGLE_FACE` is counted in, and as many real images; 0 for none.
        kid: How the kernel distance is estimated.
        note: What it is for, half a sentence.
    """

    name: str
    features: str
    fakes: int
    fakes_large: int | None = None
    first_seed: int = 0
    reals_at_most: int = REALS_AT_MOST
    has_neighbors: bool = True
    faces: int = 0
    kid: str = KID
    note: str

    def seeds(self, size_px: int) -> range:
        """Return the seeds to evaluate at this resolution."""
        count = (self.fakes_large if size_px >= LARGE_PX else None) or self.fakes
        return range(self.first_seed, self.first_seed + count)


_ROWS = (
    Protocol(
        name="cattery",
        features="efficientnet-lite0",
        fakes=2_000,
        faces=256,
        note="default; decides promotion",
    ),
    Protocol(
        name="snapshot",
        features="efficientnet-lite0",
        fakes=512,
        has_neighbors=False,
        faces=256,
        note="fast; selects a job's best snapshot",
    ),
    Protocol(
        name=HELD_OUT,
        features="efficientnet-lite2",
        fakes=2_000,
        note="independent check: nothing is trained with or selected by its features, though they "
        "are related to the default's (docs/zoo-log.md); extra `judge`",
    ),
    Protocol(
        name="lab",
        features="efficientnet-lite0-imagenet",
        fakes=7_000,
        fakes_large=5_000,
        has_neighbors=False,
        note="reproduces this project's early results",
    ),
    Protocol(
        name="inception",
        features="inception-v3",
        fakes=10_000,
        note="FID as in the literature; you provide the weights",
    ),
)

PROTOCOLS: Mapping[str, Protocol] = {row.name: row for row in _ROWS}


def protocol(name: str) -> Protocol:
    """Return a protocol by its name.

    Raises:
        InvalidValue: There is none of that name.
    """
    if name not in PROTOCOLS:
        raise InvalidValue("protocol", name, ", ".join(PROTOCOLS))
    return PROTOCOLS[name]


def headline(rows: Iterable[Json]) -> Json | None:
    """Return the result that versions are compared by: the default protocol's if measured.

    Results of `HELD_OUT` never count.
    """
    found = [row for row in rows if row.get("name") == HEADLINE and _protocol_of(row) != HELD_OUT]
    return next((row for row in found if _protocol_of(row) == "cattery"), next(iter(found), None))


def merged(kept: Iterable[Json], new: Iterable[Json]) -> tuple[Json, ...]:
    """Return a card's results with new ones added, in place of those of equal protocol."""
    return tuple({_identity(row): row for row in (*kept, *new)}.values())


def _identity(row: Json) -> str:
    return json.dumps([row.get("name"), row.get("protocol")], sort_keys=True)


def _protocol_of(row: Json) -> object:
    of = row.get("protocol")
    return of.get("name") if isinstance(of, dict) else None
