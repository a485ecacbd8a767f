"""A walk from one cat to another: its frames, address, headers and provenance."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from app.cats.etags import etag_of
from app.cats.latents import Variation
from app.cats.renderer import labels, provenance
from app.cats.request import Freshness
from app.inference.slot import Slot
from models.errors import InvalidValue
from models.images.animations import ANIMATIONS, Animation, AnimationFormat
from models.inference.latents import Interpolated, check_seed, walk

FRAMES = 48  # of an address without a number: never change it, those addresses are permanent
FEWEST_FRAMES = 2
MOST_FRAMES = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """Frames at equal steps along the great circle between two seeds, before they are rendered.

    Attributes:
        slot: Version that renders it.
        start: Seed of the first frame.
        end: Seed of the last frame.
        frames: Number of frames, both included.
        truncation: See `Variation`.
        format: Format of the animation.
        root: Path that the app is mounted at, "" or without a trailing slash.

    Raises:
        InvalidValue: A seed or the truncation is out of range, or the version does not
            support the truncation.
    """

    slot: Slot
    start: int
    end: int
    frames: int = FRAMES
    truncation: float = 1.0
    format: AnimationFormat = AnimationFormat.WEBP
    root: str = ""

    def __post_init__(self) -> None:
        """Check seeds and truncation."""
        check_seed(self.start, "from")
        check_seed(self.end, "to")
        self._variation.check(self.slot)

    def check_size(self, max_pixels: int) -> None:
        """Check the size.

        Args:
            max_pixels: Maximum size of all frames together, pixels.

        Raises:
            InvalidValue: It is too large; the message has the maximum number of frames.
        """
        side = self.slot.card.size_px
        most = most_frames(side, max_pixels)
        if self.frames > most:
            range_ = f"{FEWEST_FRAMES} to {most}" if most >= FEWEST_FRAMES else "no walk"
            allowed = f"{range_} at {side} px (CATTERY_MAX_WALK_PIXELS)"
            raise InvalidValue("frames", self.frames, allowed)

    @property
    def places(self) -> list[Interpolated]:
        """Where each frame lies between the seeds."""
        return walk(self.start, self.end, self.frames, truncation=self.truncation)

    @property
    def animation(self) -> Animation:
        """How to encode it."""
        return ANIMATIONS[self.format]

    @property
    def etag(self) -> str:
        """Strong entity tag, known without rendering."""
        facts = ("walk", self.format, self.animation.encoder, *self._facts.items())
        return etag_of(self.slot, *facts)

    @property
    def address(self) -> str:
        """Its permanent address."""
        frames = {} if self.frames == FRAMES else {"frames": str(self.frames)}
        query = urlencode({**frames, **self._variation.query()})
        path = f"{self.root}/cats/{self.slot.name}/walk/{self.start}-{self.end}.{self.format}"
        return f"{path}?{query}" if query else path

    @property
    def provenance(self) -> dict[str, str]:
        """Metadata of its file."""
        return provenance(self.slot, self._facts)

    def headers(self) -> dict[str, str]:
        """Return all headers but Content-Length."""
        name = f"{self.slot.name}-walk-{self.start}-{self.end}.{self.format}"
        return {
            "Content-Type": self.animation.media_type,
            "Content-Disposition": f'inline; filename="{name}"',
            "Content-Location": self.address,
            "Cache-Control": Freshness.FIXED,
            **labels(self.slot, self._facts),
            "ETag": self.etag,
        }

    @property
    def _variation(self) -> Variation:
        return Variation(truncation=self.truncation)

    @property
    def _facts(self) -> Mapping[str, str]:
        return {
            "from": str(self.start),
            "to": str(self.end),
            "frames": str(self.frames),
            **self._variation.query(),
        }


def most_frames(size_px: int, max_pixels: int) -> int:
    """Return the maximum number of frames of a walk; with fewer than two none is possible.

    Args:
        size_px: Width and height of a frame, pixels.
        max_pixels: Maximum size of all frames together, pixels.
    """
    return min(MOST_FRAMES, max_pixels // size_px**2)
