"""Content negotiation: the format that an Accept header prefers (RFC 9110, section 12.5.1)."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import lru_cache

from app.problems.errors import NotAcceptable
from models.images.formats import ENCODINGS, PictureFormat


class Format(StrEnum):
    """Format of a response; that of a picture means one cat or a contact sheet."""

    PNG = "png"
    WEBP = "webp"
    ZIP = "zip"
    MULTIPART = "multipart"
    JSON = "json"

    @property
    def picture(self) -> PictureFormat | None:
        """The picture's format; None for several files or links."""
        return _PICTURES.get(self)


_PICTURES = {Format.PNG: PictureFormat.PNG, Format.WEBP: PictureFormat.WEBP}


# In order of preference: of formats that a client likes equally, the first one is sent.
MEDIA_TYPES: Mapping[Format, str] = {
    Format.PNG: ENCODINGS[PictureFormat.PNG].media_type,
    Format.WEBP: ENCODINGS[PictureFormat.WEBP].media_type,
    Format.JSON: "application/json",
    Format.ZIP: "application/zip",
    Format.MULTIPART: "multipart/mixed",
}


@lru_cache(maxsize=64)  # needed by every request, and there are few browsers
def negotiate(accept: str | None) -> Format:
    """Return the format that an Accept header prefers; PNG without one.

    Of formats with equal quality, one that is named exactly is preferred to a wildcard's.

    Raises:
        NotAcceptable: It accepts none; the message lists all formats.
    """
    ranges = dict(_ranges(accept or "")) or {"*/*": 1.0}
    ranked = [(*_preference(media_type, ranges), kind) for kind, media_type in MEDIA_TYPES.items()]
    quality, _, best = max(ranked, key=lambda row: row[:2])
    if quality <= 0:
        raise NotAcceptable(
            f"No format matches Accept: {(accept or '')[:200]!r}.",
            f"Accept one of {', '.join(MEDIA_TYPES.values())}, or use the parameter format: "
            f"{', '.join(MEDIA_TYPES)}.",
        )
    return best


def prefers_page(accept: str | None) -> bool:
    """Return whether an Accept header prefers HTML to JSON, as browsers do; tools get JSON."""
    ranges = dict(_ranges(accept or ""))
    return _preference("text/html", ranges) > _preference("application/json", ranges)


def _preference(media_type: str, ranges: Mapping[str, float]) -> tuple[float, int]:
    """Return quality and specificity (2 type, 1 family, 0 any) of a media type."""
    # The most specific range counts, even if a wildcard has a higher quality.
    family = media_type.partition("/")[0]
    for specificity, name in ((2, media_type), (1, f"{family}/*"), (0, "*/*")):
        if name in ranges:
            return ranges[name], specificity
    return 0.0, 0


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    """Yield media ranges and their quality; invalid members are left out."""
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
