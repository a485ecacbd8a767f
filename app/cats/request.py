"""What an answer with cats says about itself: where it came from, how long it may be kept."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from math import ceil
from urllib.parse import urlencode

from app.cats.etags import etag_of, kept_etag_of
from app.cats.latents import PLAIN, Variation
from app.cats.renderer import SOFTWARE, labels
from app.http.negotiation import MEDIA_TYPES, Format
from app.inference.slot import Slot
from models.errors import InvalidValue
from models.images.formats import ENCODINGS, WEBP_LARGEST_PX, PictureFormat


class Freshness(StrEnum):
    """How long an answer may be kept, as Cache-Control says it."""

    RANDOM = "no-store"
    MOVABLE = "no-cache"
    FIXED = "public, max-age=31536000, immutable"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Cats of one version in one format, before they are rendered.

    Attributes:
        slot: The version.
        seeds: One per cat, consecutive.
        format: What they are wrapped in.
        freshness: How long it may be kept.
        variation: How the cats differ from the seeds' own.
        columns: Cats in a row of a contact sheet; None elsewhere.
        encoding: What each cat's file is, or the sheet's, or where the links lead.
        kept: Seeds whose first rendering the store keeps, or will; see `app.cats.cache`.
        root: Path that the app is mounted at, "" or without a slash at its end.
        was_negotiated: Whether the Accept header chose the format.

    Raises:
        InvalidValue: A sheet is too large for its format.
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
        """Refuse a WebP sheet that is too wide or too high."""
        if self.format is Format.WEBP and self.columns is not None:
            most = WEBP_LARGEST_PX // self.slot.card.size_px
            if self.columns > most or ceil(len(self.seeds) / self.columns) > most:
                allowed = f"such that rows and columns are at most {most} (WebP's limit)"
                raise InvalidValue("columns", self.columns, allowed)

    @cached_property
    def is_one_cat(self) -> bool:
        """Whether it is, byte for byte, a permalink's picture."""
        return self.format.picture is not None and len(self.seeds) == 1

    @property
    def is_of_files(self) -> bool:
        """Whether it is made of permalinks' files: one, a zip or parts."""
        return self.is_one_cat or self.format in (Format.ZIP, Format.MULTIPART)

    @property
    def is_made_anew(self) -> bool:
        """Whether it must be rendered, for none of it can be at hand."""
        is_unknown = not self.is_of_files or self.freshness is Freshness.RANDOM
        return is_unknown and self.format is not Format.JSON

    def alone(self, seed: int) -> "Answer":
        """Return what a cat's permalink answers."""
        if self.is_one_cat:
            return self
        return replace(self, seeds=(seed,), format=Format(self.encoding), columns=None)

    @cached_property
    def etag(self) -> str:
        """Strong entity tag, known without rendering."""
        shape = (self.format, self.encoding, self.seeds[0], len(self.seeds), self.columns)
        parts = (*shape, self.root, *self.variation.query().items())
        kept = [seed in self.kept for seed in self.seeds]
        if self.is_one_cat and all(kept):
            return kept_etag_of(self.slot, *parts)
        if all(kept):  # the files stay, what is around them may change with a release
            return kept_etag_of(self.slot, *parts, SOFTWARE)
        encoder = ENCODINGS[self.encoding].encoder
        return etag_of(self.slot, *parts, encoder, *(kept if any(kept) else ()))

    @property
    def address(self) -> str:
        """Where the same bytes can be had for ever."""
        if self.is_one_cat:
            return self.link(self.seeds[0])
        query: dict[str, object] = {
            "model": self.slot.name,
            "n": len(self.seeds),
            "seed": self.seeds[0],
            "format": self.format,
        }
        if self.columns is not None:
            query["columns"] = self.columns
        if self.format.picture is None and self.encoding is not PictureFormat.PNG:
            query["encoding"] = self.encoding
        query |= self.variation.query()
        return f"{self.root}/cats?{urlencode(query, safe='@')}"

    def link(self, seed: int) -> str:
        """Return the permalink of one of the cats."""
        return permalink(self.slot, seed, self.root, self.variation, self.encoding)

    def file_name(self, seed: int) -> str:
        """Return the name of one cat's file, wherever it goes."""
        return file_name(self.slot, seed, self.variation, self.encoding)

    def short_name(self, seed: int) -> str:
        """Return the name of one cat's file among those of its version."""
        return short_name(seed, self.variation, self.encoding)

    @property
    def boundary(self) -> str:
        """What separates the parts of a multipart message, the same each time."""
        return "cattery-" + self.etag.strip('"')

    def headers(self) -> dict[str, str]:
        """Return all headers but Content-Length."""
        headers = {
            "Content-Type": self._content_type(),
            "Content-Disposition": self._disposition(),
            "Content-Location": self.address,
            "Cache-Control": self.freshness,
            **labels(self.slot, {"seeds": seeds_text(self.seeds), **self.variation.query()}),
        }
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
        stem = f"{self.slot.name}-{seeds_text(self.seeds)}{suffix(self.variation)}"
        return f'{kind}; filename="{stem}.{self.format}"'


def permalink(
    slot: Slot,
    seed: int,
    root: str,
    variation: Variation = PLAIN,
    encoding: PictureFormat = PictureFormat.PNG,
) -> str:
    """Return the address of one cat, the same for ever."""
    path, query = f"{root}/cats/{slot.name}/{seed}.{encoding}", variation.query()
    return f"{path}?{urlencode(query)}" if query else path


def file_name(
    slot: Slot,
    seed: int,
    variation: Variation = PLAIN,
    encoding: PictureFormat = PictureFormat.PNG,
) -> str:
    """Return the name of one cat's file, wherever it goes."""
    return f"{slot.name}-{short_name(seed, variation, encoding)}"


def short_name(seed: int, variation: Variation, encoding: PictureFormat) -> str:
    """Return the name of one cat's file among those of its version."""
    return f"{seed}{suffix(variation)}.{encoding}"


def suffix(variation: Variation) -> str:
    """Return what tells a file's name from that of the seed's own cat; nothing for that one."""
    return "".join(f"-{name}-{value}" for name, value in variation.query().items())


def seeds_text(seeds: Sequence[int]) -> str:
    """Return "7" or "7-22"."""
    return str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]}-{seeds[-1]}"
