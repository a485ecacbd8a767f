"""What the cats' calls take and give, as OpenAPI says it."""

from pydantic import BaseModel, ConfigDict, Field

from app.negotiation import MEDIA_TYPES, Format
from app.problems import Responses, problems
from models.sampling import MAX_SEED

MAX_CATS = 64


class CatsQuery(BaseModel):
    """Parameters of `GET /cats`."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(
        None,
        max_length=100,
        description="Model, or model@version for one version; default: the service's default.",
        examples=["dcgan"],
    )
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
        None, description="What the cats are wrapped in; default: what Accept likes best."
    )


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
_HEADERS = {
    name: {"description": text, "schema": {"type": "string"}}
    for name, text in {
        "Cattery-Model": "Model that painted the cats.",
        "Cattery-Version": "Full id of its version.",
        "Cattery-Seeds": 'The seed, or first and last: "7-22".',
        "Content-Location": "Where the same bytes can be had for ever.",
        "ETag": "Known without rendering; absent where the seed was random.",
    }.items()
}
ONE_CAT: Responses = {
    200: {"description": "The cat.", "headers": _HEADERS, "content": {"image/png": _BINARY}},
    304: {"description": "The client has it already."},
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
    304: {"description": "The client has it already."},
    **problems(404, 406, 410, 422, 500, 503, 504),
}
