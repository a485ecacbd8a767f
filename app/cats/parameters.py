"""Parameters and responses of the operations on cats, for validation and OpenAPI."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, Field

from app.cats.latents import DISTANCE, LEAST_TRUNCATION, Variation
from app.cats.walks import FEWEST_FRAMES, FRAMES, MOST_FRAMES
from app.http.negotiation import MEDIA_TYPES, Format
from app.problems.openapi import Responses, problems
from models.images.animations import ANIMATIONS, AnimationFormat
from models.images.formats import ENCODINGS, PictureFormat
from models.inference.latents import MAX_SEED

MAX_CATS = 64

Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Near = Annotated[
    Seed | None,
    Field(
        description="Return neighbors of this seed's cat. Each lies between it and the cat of its "
        "own seed, on the great circle through their latents.",
        examples=[7],
    ),
]
Distance = Annotated[
    float | None,
    Field(
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Distance from near, as a fraction of the way to the cat's own seed, with up "
        f"to three decimals; default: {DISTANCE:g}. Only with near.",
        examples=[0.2],
    ),
]
Truncation = Annotated[
    float,
    Field(
        ge=LEAST_TRUNCATION,
        le=1,
        allow_inf_nan=False,
        description="Truncation factor of the latents, with up to three decimals. Below 1, cats "
        "are less varied and closer to the average. Below 1 only for models whose pictures "
        "depend on the latent's length.",
        examples=[0.7],
    ),
]
Model = Annotated[
    str | None,
    Field(
        max_length=100,
        description="Model, or model@version for one version; default: the service's default.",
        examples=["dcgan"],
    ),
]


class CatsQuery(BaseModel):
    """Query parameters of `GET /cats`."""

    model: Model = None
    n: int = Field(
        1, ge=1, le=MAX_CATS, description="Number of cats, with consecutive seeds.", examples=[16]
    )
    seed: Seed | None = Field(
        None, description="Seed of the first cat; default: random.", examples=[7]
    )
    columns: int | None = Field(
        None,
        ge=1,
        le=MAX_CATS,
        description="Cats per row of a contact sheet; default: ceil(sqrt(n)).",
    )
    format: Format | None = Field(
        None,
        description="Format of the response; default: negotiated with Accept. "
        "png and webp mean one cat or a contact sheet, both lossless.",
    )
    encoding: PictureFormat | None = Field(
        None,
        description="Format of the files in a zip, the parts of a multipart message and the "
        "links in json; default: png.",
    )
    near: Near = None
    distance: Distance = None
    truncation: Truncation = 1.0


class CatPath(BaseModel):
    """Path parameters of a permalink."""

    model: str = Field(examples=["dcgan"])
    version: str = Field(description="Full version id.", examples=["0123456789ab"])
    seed: Seed = Field(examples=[7])
    format: PictureFormat = Field(description="Lossless format of the picture.", examples=["png"])


class CatQuery(BaseModel):
    """Query parameters of a permalink."""

    near: Near = None
    distance: Distance = None
    truncation: Truncation = 1.0


class WalkQuery(BaseModel):
    """Query parameters of a walk's permanent address."""

    frames: int = Field(
        FRAMES,
        ge=FEWEST_FRAMES,
        le=MOST_FRAMES,
        description="Number of frames, both cats included; "
        "CATTERY_MAX_WALK_PIXELS limits their pixels in all.",
    )
    truncation: Truncation = 1.0


class WalksQuery(BaseModel):
    """Query parameters of `GET /cats/walk`."""

    model: Model = None
    start: Seed | None = Field(
        None, alias="from", description="Seed of the first cat; default: random.", examples=[3]
    )
    end: Seed | None = Field(
        None, alias="to", description="Seed of the last cat; default: random.", examples=[11]
    )
    frames: int | None = Field(
        None,
        ge=FEWEST_FRAMES,
        le=MOST_FRAMES,
        description=f"Number of frames, both cats included; default: {FRAMES}, "
        "or as many as CATTERY_MAX_WALK_PIXELS allows.",
        examples=[24],
    )
    format: AnimationFormat = Field(
        AnimationFormat.WEBP, description="Format of the animation; only apng is lossless."
    )
    truncation: Truncation = 1.0


def variation_of(query: CatsQuery | CatQuery) -> Variation:
    """Return the variation that a query describes.

    Raises:
        InvalidValue: There is a distance without `near`, or a number has too many decimals.
    """
    return Variation.asked(query.near, query.distance, query.truncation)


class CatLink(BaseModel):
    """A cat of a JSON response."""

    seed: int = Field(examples=[7])
    permalink: str = Field(examples=["/cats/dcgan@0123456789ab/7.png"])


class CatsListing(BaseModel):
    """The JSON response of `GET /cats`."""

    model: str = Field(examples=["dcgan"])
    version: str = Field(examples=["0123456789ab"])
    size_px: int = Field(description="Side of each picture, pixels.", examples=[64])
    cats: list[CatLink]


_BINARY = {"schema": {"type": "string", "format": "binary"}}
_VERSION = {
    "Cattery-Model": "Model that generated the cats.",
    "Cattery-Version": "Full id of its version.",
}
_TRUNCATION = {"Cattery-Truncation": "Truncation factor of the latents, unless 1."}
_ADDRESS = {"Content-Location": "Permanent address of the same bytes."}
_CATS = {
    **_VERSION,
    "Cattery-Seeds": 'The seed, or first and last: "7-22".',
    "Cattery-Near": "Seed whose neighbors they are, if any.",
    "Cattery-Distance": "Distance from that seed, if any.",
    **_TRUNCATION,
    **_ADDRESS,
    "ETag": "Known without rendering; absent if the seed was random.",
}
_WALK = {
    **_VERSION,
    "Cattery-From": "Seed of the first frame.",
    "Cattery-To": "Seed of the last frame.",
    "Cattery-Frames": "Number of frames.",
    **_TRUNCATION,
    **_ADDRESS,
    "ETag": "Known without rendering.",
}


def _headers(texts: dict[str, str]) -> dict[str, object]:
    return {
        name: {"description": text, "schema": {"type": "string"}} for name, text in texts.items()
    }


def _rendered(
    description: str, headers: dict[str, str], media_types: Iterable[str], **more: object
) -> Responses:
    """Return the responses of an operation that renders."""
    content = dict.fromkeys(media_types, _BINARY)
    found = {"description": description, "headers": _headers(headers), "content": content, **more}
    known = {"description": "Not modified: the client has it."}
    return {200: found, 304: known, **problems(404, 410, 422, 429, 500, 503, 504)}


_ELSEWHERE: Responses = {
    307: {
        "description": "Redirect to the permanent address.",
        "headers": _headers({"Location": "That address."}),
    }
}
_PICTURES = [encoding.media_type for encoding in ENCODINGS.values()]
_ANIMATIONS = [animation.media_type for animation in ANIMATIONS.values()]
_FILES = [media_type for kind, media_type in MEDIA_TYPES.items() if kind is not Format.JSON]

ONE_CAT = _rendered("The cat.", _CATS, _PICTURES) | _ELSEWHERE
SOME_CATS = problems(406) | _rendered(
    "One cat, a contact sheet, several files, or their permalinks.",
    _CATS,
    _FILES,
    model=CatsListing,
)
ONE_WALK = _rendered("The walk, in a loop.", _WALK, _ANIMATIONS) | _ELSEWHERE
SOME_WALK = _ELSEWHERE | problems(404, 410, 422, 500, 503)
