"""Parameters and responses of the cats' operations, for validation and OpenAPI."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

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
        description="Neighbors of this seed: each cat lies between it and the cat's own seed, on "
        "the great circle through their latents.",
        examples=[7],
    ),
]
Distance = Annotated[
    float | None,
    Field(
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="How far from that seed, as a fraction of the way, at most three decimals; "
        f"default: {DISTANCE:g}. Only with near.",
        examples=[0.2],
    ),
]
Truncation = Annotated[
    float,
    Field(
        ge=LEAST_TRUNCATION,
        le=1,
        allow_inf_nan=False,
        description="Factor of the latents, at most three decimals; the smaller, the less varied "
        "the cats and the nearer to the average one. Below 1 only for models whose pictures "
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

    model_config = ConfigDict(extra="forbid")

    model: Model = None
    n: int = Field(1, ge=1, le=MAX_CATS, description="How many cats.", examples=[16])
    seed: int | None = Field(
        None,
        ge=0,
        le=MAX_SEED,
        description="Seed of the first cat; the others follow. Default: a random one.",
        examples=[7],
    )
    columns: int | None = Field(
        None,
        ge=1,
        le=MAX_CATS,
        description="Cats in a row of a contact sheet; default: ceil(sqrt(n)).",
    )
    format: Format | None = Field(
        None,
        description="Format of the response; default: negotiated with Accept. "
        "png and webp are one cat or a contact sheet, both lossless.",
    )
    encoding: PictureFormat | None = Field(
        None,
        description="Format of the files in a zip, of the parts of a multipart message and of "
        "what json links to; default: png.",
    )
    near: Near = None
    distance: Distance = None
    truncation: Truncation = 1.0


class CatPath(BaseModel):
    """Path parameters of a permalink."""

    model: str = Field(examples=["dcgan"])
    version: str = Field(description="Full version id.", examples=["0123456789ab"])
    seed: int = Field(ge=0, le=MAX_SEED, examples=[7])
    format: PictureFormat = Field(description="Lossless format of the picture.", examples=["png"])


class CatQuery(BaseModel):
    """Query parameters of a permalink."""

    model_config = ConfigDict(extra="forbid")

    near: Near = None
    distance: Distance = None
    truncation: Truncation = 1.0


class WalkQuery(BaseModel):
    """Query parameters of a walk's own address."""

    model_config = ConfigDict(extra="forbid")

    frames: int = Field(
        FRAMES,
        ge=FEWEST_FRAMES,
        le=MOST_FRAMES,
        description="How many frames, the first and the last cat included. "
        "Together they have at most CATTERY_MAX_WALK_PIXELS pixels.",
    )
    truncation: Truncation = 1.0


class WalksQuery(BaseModel):
    """Query parameters of `GET /cats/walk`."""

    model_config = ConfigDict(extra="forbid")

    model: Model = None
    start: Seed | None = Field(
        None,
        alias="from",
        description="Seed of the first cat. Default: a random one.",
        examples=[3],
    )
    end: Seed | None = Field(
        None, alias="to", description="Seed of the last cat. Default: a random one.", examples=[11]
    )
    frames: int | None = Field(
        None,
        ge=FEWEST_FRAMES,
        le=MOST_FRAMES,
        description="How many frames, the first and the last cat included; "
        f"default: {FRAMES}, or as many as CATTERY_MAX_WALK_PIXELS allows.",
        examples=[24],
    )
    format: AnimationFormat = Field(
        AnimationFormat.WEBP, description="Format of the animation; only apng is lossless."
    )
    truncation: Truncation = 1.0


def variation_of(query: CatsQuery | CatQuery) -> Variation:
    """Return the variation that a query asks for.

    Raises:
        InvalidValue: It has a distance without `near`, or too many decimals.
    """
    return Variation.asked(query.near, query.distance, query.truncation)


class CatLink(BaseModel):
    """One cat of a JSON answer."""

    seed: int = Field(examples=[7])
    permalink: str = Field(examples=["/cats/dcgan@0123456789ab/7.png"])


class CatsListing(BaseModel):
    """The JSON answer of `GET /cats`."""

    model: str = Field(examples=["dcgan"])
    version: str = Field(examples=["0123456789ab"])
    size_px: int = Field(description="Side of each picture, pixels.", examples=[64])
    cats: list[CatLink]


_BINARY = {"schema": {"type": "string", "format": "binary"}}
_ORIGIN = {
    "Cattery-Model": "Model that generated the cats.",
    "Cattery-Version": "Full id of its version.",
}
_ALWAYS = {"Content-Location": "Permanent address of the same bytes."}
_CHANGED = {
    "Cattery-Near": "Seed whose neighbors they are, if any.",
    "Cattery-Distance": "How far from that seed, if any.",
    "Cattery-Truncation": "Factor of the latents, if not 1.",
}


def _headers(texts: dict[str, str]) -> dict[str, object]:
    return {
        name: {"description": text, "schema": {"type": "string"}} for name, text in texts.items()
    }


_HEADERS = _headers(
    {
        **_ORIGIN,
        "Cattery-Seeds": 'The seed, or first and last: "7-22".',
        **_CHANGED,
        **_ALWAYS,
        "ETag": "Known without rendering; absent if the seed was random.",
    }
)
_WALK_HEADERS = _headers(
    {
        **_ORIGIN,
        "Cattery-From": "Seed of the first frame.",
        "Cattery-To": "Seed of the last frame.",
        "Cattery-Frames": "How many frames.",
        "Cattery-Truncation": _CHANGED["Cattery-Truncation"],
        **_ALWAYS,
        "ETag": "Known without rendering.",
    }
)
_KNOWN = {"description": "Not modified: the client has it."}
_ELSEWHERE = {
    "description": "Its permanent address is another one.",
    "headers": {"Location": {"description": "That address.", "schema": {"type": "string"}}},
}
ONE_CAT: Responses = {
    200: {
        "description": "The cat.",
        "headers": _HEADERS,
        "content": {encoding.media_type: _BINARY for encoding in ENCODINGS.values()},
    },
    304: _KNOWN,
    307: _ELSEWHERE,
    **problems(404, 410, 422, 500, 503, 504),
}
SOME_CATS: Responses = {
    200: {
        "description": "One cat, a contact sheet, several files, or their permalinks.",
        "model": CatsListing,
        "headers": _HEADERS,
        "content": {
            media_type: _BINARY
            for kind, media_type in MEDIA_TYPES.items()
            if kind is not Format.JSON
        },
    },
    304: _KNOWN,
    **problems(404, 406, 410, 422, 500, 503, 504),
}
ONE_WALK: Responses = {
    200: {
        "description": "The walk, which loops.",
        "headers": _WALK_HEADERS,
        "content": {animation.media_type: _BINARY for animation in ANIMATIONS.values()},
    },
    304: _KNOWN,
    307: _ELSEWHERE,
    **problems(404, 410, 422, 500, 503, 504),
}
SOME_WALK: Responses = {307: _ELSEWHERE, **problems(404, 410, 422, 500, 503)}
