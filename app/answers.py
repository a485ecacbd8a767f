"""What an answer with cats says about itself: where it came from, how long it may be kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlencode

from app.etags import etag_of
from app.negotiation import MEDIA_TYPES, Format
from app.rendering import labels
from app.slots import Slot
from app.variations import PLAIN, Variation


class Freshness(StrEnum):
    """How long an answer may be kept, as Cache-Control says it."""

    RANDOM = "no-store"
    MOVABLE = "no-cache"
    FIXED = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Cats of one version in one format, before they are rendered.

    Attributes:
        slot: The version.
        seeds: One per cat, consecutive.
        format: What they are wrapped in.
        freshness: How long it may be kept.
        variation: How the cats differ from the seeds' own.
        columns: Cats in a row of a contact sheet; None elsewhere.
        root: Path that the app is mounted at, "" or without a slash at its end.
        was_negotiated: Whether the Accept header chose the format.
    """

    slot: Slot
    seeds: Sequence[int]
    format: Format
    freshness: Freshness
    variation: Variation = PLAIN
    columns: int | None = None
    root: str = ""
    was_negotiated: bool = False

    @property
    def is_one_cat(self) -> bool:
        """Whether it is, byte for byte, a permalink's picture."""
        return self.format is Format.PNG and len(self.seeds) == 1

    @property
    def etag(self) -> str:
        """Strong entity tag, known without rendering."""
        shape = (self.format, self.seeds[0], len(self.seeds), self.columns, self.root)
        return etag_of(self.slot, *shape, *self.variation.query().items())

    @property
    def address(self) -> str:
        """Where the same bytes can be had for ever."""
        if self.is_one_cat:
            return permalink(self.slot, self.seeds[0], self.root, self.variation)
        query: dict[str, object] = {
            "model": self.slot.name,
            "n": len(self.seeds),
            "seed": self.seeds[0],
            "format": self.format,
        }
        if self.columns is not None:
            query["columns"] = self.columns
        query |= self.variation.query()
        return f"{self.root}/cats?{urlencode(query, safe='@')}"

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
        ending = {Format.PNG: "png", Format.ZIP: "zip", Format.JSON: "json"}.get(self.format)
        if ending is None:
            return "inline"
        kind = "attachment" if self.format is Format.ZIP else "inline"
        stem = f"{self.slot.name}-{seeds_text(self.seeds)}{suffix(self.variation)}"
        return f'{kind}; filename="{stem}.{ending}"'


def permalink(slot: Slot, seed: int, root: str, variation: Variation = PLAIN) -> str:
    """Return the address of one cat, the same for ever."""
    path, query = f"{root}/cats/{slot.name}/{seed}.png", variation.query()
    return f"{path}?{urlencode(query)}" if query else path


def file_name(slot: Slot, seed: int, variation: Variation = PLAIN) -> str:
    """Return the name of one cat's file."""
    return f"{slot.name}-{seed}{suffix(variation)}.png"


def suffix(variation: Variation) -> str:
    """Return what tells a file's name from that of the seed's own cat; nothing for that one."""
    return "".join(f"-{name}-{value}" for name, value in variation.query().items())


def seeds_text(seeds: Sequence[int]) -> str:
    """Return "7" or "7-22"."""
    return str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]}-{seeds[-1]}"
