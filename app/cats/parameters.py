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
        description="Neighbors of this seed: each cat lies on the way from it to the cat's own "
        "seed, along the great circle between their latents.",
        examples=[7],
    ),
]
Distance = Annotated[
    float | None,
    Field(
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="How far on that way, a share of it, at most three decimals; "
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
        description="What latents are multiplied by, at most three decimals: less varied cats, "
        "nearer to the average one. Below 1 only for models whose pictures depend on the "
        "latent's length.",
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
        description="What the cats are wrapped in; default: what Accept likes best. "
        "png and webp are one cat or a contact sheet, both without loss.",
    )
    encoding: PictureFormat | None = Field(
        None,
        description="What the files of a zip or the parts of a multipart message are, and where "
        "the links of json lead; default: png.",
    )
    near: Near = None
    distance: Distance = None
    truncation: Truncation = 1.0


class CatPath(BaseModel):
    """Path parameters of a permalink."""

    model: str = Field(examples=["dcgan"])
    version: str = Field(description="Full version id.", examples=["0123456789ab"])
    seed: int = Field(ge=0, le=MAX_SEED, examples=[7])
    format: PictureFormat = Field(
        description="What the cat is encoded as, without loss.", examples=["png"]
    )


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
        description="How many pictures, the first and the last cat included. "
        "All together have at most CATTERY_MAX_WALK_PIXELS pixels.",
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
        description="How many pictures, the first and the last cat included; "
        f"default: {FRAMES}, or as many as CATTERY_MAX_WALK_PIXELS lets through.",
        examples=[24],
    )
    format: AnimationFormat = Field(
        AnimationFormat.WEBP, description="What they are wrapped in; apng alone loses nothing."
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
    "Cattery-Model": "Model that painted the cats.",
    "Cattery-Version": "Full id of its version.",
}
_ALWAYS = {"Content-Location": "Where the same bytes can be had for ever."}
_CHANGED = {
    "Cattery-Near": "Whose neighbors they are, where that was asked for.",
    "Cattery-Distance": "How far away, where neighbors were asked for.",
    "Cattery-Truncation": "What the latents were multiplied by, where it is not 1.",
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
        "ETag": "Known without rendering; absent where the seed was random.",
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
_KNOWN = {"description": "The client has it already."}
_ELSEWHERE = {
    "description": "It has another address, which stays for ever.",
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
        "description": "The walk, which plays endlessly.",
        "headers": _WALK_HEADERS,
        "content": {animation.media_type: _BINARY for animation in ANIMATIONS.values()},
    },
    304: _KNOWN,
    307: _ELSEWHERE,
    **problems(404, 410, 422, 500, 503, 504),
}
SOME_WALK: Responses = {307: _ELSEWHERE, **problems(404, 410, 422, 500, 503)}
