"""A resolved request for cats: which images, in which format, with which headers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from math import ceil
from urllib.parse import urlencode

from app.cats.etags import etag_of
from app.cats.latents import PLAIN, Variation
from app.cats.renderer import SOFTWARE, labels
from app.http.negotiation import MEDIA_TYPES, Format
from app.inference.slot import Slot
from models.errors import InvalidValue
from models.images.formats import ENCODINGS, WEBP_LARGEST_PX, PictureFormat


class Freshness(StrEnum):
    """How long a response may be cached, as a Cache-Control value."""

    RANDOM = "no-store"
    MOVABLE = "no-cache"
    FIXED = "public, max-age=31536000, immutable"


@dataclass(frozen=True, kw_only=True)
class ImageRequest:
    """Cats of one version in one format, before they are rendered.

    Attributes:
        slot: The version that renders them.
        seeds: One per cat, consecutive.
        format: Format of the response.
        freshness: How long the response may be cached.
        variation: How the cats differ from those that the seeds alone make.
        columns: Cats in a row of a contact sheet; None for everything else.
        encoding: Format of each cat's file, of the sheet, or of what the links lead to.
        kept: Seeds whose first rendering the store keeps or will keep; see `app.cats.cache`.
        root: Path that the app is mounted at, "" or without a trailing slash.
        was_negotiated: Whether the Accept header chose the format.

    Raises:
        InvalidValue: A contact sheet is too large for its format.
    """

    slot: Slot
    seeds: Sequence[int]
    format: Format
    freshness: Freshness
    variation: Variation = PLAIN
    columns: int | None = None
    encoding: PictureFormat = PictureFormat.PNG
    kept: frozenset[int] = frozenset()
    root: str = ""
    was_negotiated: bool = False

    def __post_init__(self) -> None:
        """Reject a WebP sheet that is too wide or too high."""
        if self.format is Format.WEBP and self.columns is not None:
            most = WEBP_LARGEST_PX // self.slot.card.size_px
            if self.columns > most or ceil(len(self.seeds) / self.columns) > most:
                allowed = f"such that rows and columns are at most {most} (WebP's limit)"
                raise InvalidValue("columns", self.columns, allowed)

    @cached_property
    def is_single(self) -> bool:
        """Whether the response is, byte for byte, what a permalink returns."""
        return self.format.picture is not None and len(self.seeds) == 1

    @property
    def has_files(self) -> bool:
        """Whether the response consists of permalinks' files: one, a zip or multipart."""
        return self.is_single or self.format in (Format.ZIP, Format.MULTIPART)

    @property
    def bypasses_cache(self) -> bool:
        """Whether everything has to be rendered: no cache can hold any of it."""
        is_uncached = not self.has_files or self.freshness is Freshness.RANDOM
        return is_uncached and self.format is not Format.JSON

    def for_seed(self, seed: int) -> "ImageRequest":
        """Return the request that the permalink of one of the cats makes."""
        if self.is_single:
            return self
        return replace(self, seeds=(seed,), format=Format(self.encoding), columns=None)

    @cached_property
    def etag(self) -> str:
        """Strong entity tag, known without rendering."""
        shape = (self.format, self.encoding, self.seeds[0], len(self.seeds), self.columns)
        parts = (*shape, self.root, *self.variation.query().items())
        kept = [seed in self.kept for seed in self.seeds]
        if self.is_single and all(kept):
            return etag_of(self.slot, *parts, is_kept=True)
        if all(kept):
            # The files stay the same, but a release may change the archive around them.
            return etag_of(self.slot, *parts, SOFTWARE, is_kept=True)
        encoder = ENCODINGS[self.encoding].encoder
        return etag_of(self.slot, *parts, encoder, *(kept if any(kept) else ()))

    @property
    def address(self) -> str:
        """Where the same bytes are available for ever."""
        if self.is_single:
            return self.link(self.seeds[0])
        query: dict[str, object] = {
            "model": self.slot.name,
            "n": len(self.seeds),
            "seed": self.seeds[0],
            "format": self.format,
        }
        if self.columns is not None:
            query["columns"] = self.columns
        # Defaults stay out of the address: it must not change when a parameter is added.
        if self.format.picture is None and self.encoding is not PictureFormat.PNG:
            query["encoding"] = self.encoding
        query |= self.variation.query()
        return f"{self.root}/cats?{urlencode(query, safe='@')}"

    def link(self, seed: int) -> str:
        """Return the permalink of one of the cats."""
        query = self.variation.query()
        path = f"{self.root}/cats/{self.slot.name}/{seed}.{self.encoding}"
        return f"{path}?{urlencode(query)}" if query else path

    def file_name(self, seed: int) -> str:
        """Return the file name of one of the cats, unique across versions."""
        return f"{self.slot.name}-{self.short_name(seed)}"

    def short_name(self, seed: int) -> str:
        """Return the file name of one of the cats, unique within its version."""
        return f"{seed}{self._suffix}.{self.encoding}"

    @property
    def boundary(self) -> str:
        """Boundary of a multipart message; deterministic, so that the bytes are."""
        return "cattery-" + self.etag.strip('"')

    def headers(self) -> dict[str, str]:
        """Return all response headers but Content-Length."""
        headers = {
            "Content-Type": self._content_type(),
            "Content-Disposition": self._disposition(),
            "Content-Location": self.address,
            "Cache-Control": self.freshness,
            **labels(self.slot, {"seeds": self._seeds_text, **self.variation.query()}),
        }
        # Nobody can ask again for a random cat by this URL, so a tag would never match.
        if self.freshness is not Freshness.RANDOM:
            headers["ETag"] = self.etag
        if self.was_negotiated:
            headers["Vary"] = "Accept"
        return headers

    def _content_type(self) -> str:
        media_type = MEDIA_TYPES[self.format]
        if self.format is Format.MULTIPART:
            return f"{media_type}; boundary={self.boundary}"
        return media_type

    def _disposition(self) -> str:
        if self.format is Format.MULTIPART:
            return "inline"
        kind = "attachment" if self.format is Format.ZIP else "inline"
        stem = f"{self.slot.name}-{self._seeds_text}{self._suffix}"
        return f'{kind}; filename="{stem}.{self.format}"'

    @property
    def _suffix(self) -> str:
        """The part of a file name that spells the variation; empty for none."""
        return "".join(f"-{name}-{value}" for name, value in self.variation.query().items())

    @property
    def _seeds_text(self) -> str:
        """The seeds as "7" or "7-22"."""
        first, last = self.seeds[0], self.seeds[-1]
        return str(first) if first == last else f"{first}-{last}"
