"""Which of the formats a client gets: the parameter first, then the Accept header.

RFC 9110, section 12.5.1: a range names a type exactly, by its family or not at
all; the most exact range that fits a format gives its quality.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum

from app.problems.errors import NotAcceptable
from models.images.formats import ENCODINGS, PictureFormat


class Format(StrEnum):
    """What pictures can be wrapped in; a picture's own format stands for one cat or a sheet."""

    PNG = "png"
    WEBP = "webp"
    ZIP = "zip"
    MULTIPART = "multipart"
    JSON = "json"

    @property
    def picture(self) -> PictureFormat | None:
        """The format of the one picture that this is; None for several files or links."""
        return _PICTURES.get(self)


_PICTURES = {Format.PNG: PictureFormat.PNG, Format.WEBP: PictureFormat.WEBP}


MEDIA_TYPES: Mapping[Format, str] = {
    Format.PNG: ENCODINGS[PictureFormat.PNG].media_type,
    Format.WEBP: ENCODINGS[PictureFormat.WEBP].media_type,
    Format.JSON: "application/json",
    Format.ZIP: "application/zip",
    Format.MULTIPART: "multipart/mixed",
}
"""Media type of each format; of equals, the earlier one is sent."""


def negotiate(accept: str | None) -> Format:
    """Return the format that an Accept header likes best.

    No header, `*/*` and `image/*` mean PNG. Of formats liked equally, one that is
    named exactly comes before one that only a wildcard covers.

    Raises:
        NotAcceptable: It takes none of ours; ours are told.
    """
    ranges = dict(_ranges(accept or "")) or {"*/*": 1.0}
    ranked = [(*_liking(media_type, ranges), kind) for kind, media_type in MEDIA_TYPES.items()]
    quality, _, best = max(ranked, key=lambda row: row[:2])
    if quality <= 0:
        raise NotAcceptable(
            f"Nothing that Accept: {(accept or '')[:200]!r} takes can be made.",
            "Accept one of "
            + ", ".join(MEDIA_TYPES.values())
            + ", or name a format: "
            + ", ".join(f"format={kind}" for kind in MEDIA_TYPES)
            + ".",
        )
    return best


def _liking(media_type: str, ranges: Mapping[str, float]) -> tuple[float, int]:
    """Return quality and exactness (2 exact, 1 family, 0 any) for a type."""
    family = media_type.partition("/")[0]
    for exactness, name in ((2, media_type), (1, f"{family}/*"), (0, "*/*")):
        if name in ranges:
            return ranges[name], exactness
    return 0.0, 0


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    """Yield media range and quality; a member that makes no sense is left out."""
    for member in accept.split(","):
        name, *parameters = [part.strip().lower() for part in member.split(";")]
        if name.count("/") == 1:
            yield name, _quality(parameters)


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0
