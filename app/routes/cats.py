"""Cats over HTTP: `GET /cats` and permalinks."""

import json
import secrets
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse

from app.answers import Answer, Freshness, file_name, permalink, sheet_columns
from app.bundles import multipart_of, zip_of
from app.etags import is_known
from app.hangups import HungUp, while_connected
from app.negotiation import MEDIA_TYPES, Format, negotiate
from app.pool import GeneratorPool
from app.rendering import Renderer
from app.telemetry import Telemetry
from models.errors import InvalidValue
from models.sampling import MAX_SEED
from models.store.names import is_version

MAX_CATS = 64
HUNG_UP = 499  # as nginx logs it; nobody reads it but the request counter

router = APIRouter(tags=["cats"])


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
_ONE_CAT: dict[int | str, dict[str, Any]] = {
    200: {"description": "The cat.", "headers": _HEADERS, "content": {"image/png": _BINARY}},
    304: {"description": "The client has it already."},
}
_CATS: dict[int | str, dict[str, Any]] = {
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
    304: _ONE_CAT[304],
}


@router.get("/cats", responses=_CATS, response_class=Response, summary="Some cats")
@router.head("/cats", include_in_schema=False)
async def get_cats(request: Request, query: Annotated[CatsQuery, Query()]) -> Response:
    """Cats with the seeds `seed` to `seed + n - 1`, as a picture, a zip, parts or links."""
    accept = ", ".join(request.headers.getlist("accept"))
    kind = query.format or negotiate(accept)
    seeds = _seeds(query)
    pool: GeneratorPool = request.app.state.pool
    answer = Answer(
        slot=await pool.take(query.model),
        seeds=seeds,
        format=kind,
        columns=(
            sheet_columns(query.n, query.columns) if kind is Format.PNG and query.n > 1 else None
        ),
        freshness=_freshness(query),
        root=_root(request),
        was_negotiated=query.format is None,
    )
    return await _respond(request, answer)


@router.get(
    "/cats/{model}@{version}/{seed}.png",
    responses=_ONE_CAT,
    response_class=Response,
    summary="One cat, for ever",
)
@router.head("/cats/{model}@{version}/{seed}.png", include_in_schema=False)
async def get_cat(
    request: Request,
    model: Annotated[str, Path(examples=["dcgan"])],
    version: Annotated[str, Path(description="Full version id.", examples=["0123456789ab"])],
    seed: Annotated[int, Path(ge=0, le=MAX_SEED, examples=[7])],
) -> Response:
    """The same cat for ever. An alias, a shortened id or a padded seed is redirected (307)."""
    for name, value in request.query_params.items():
        raise InvalidValue(name, value, "no parameters; a permalink has none")
    pool: GeneratorPool = request.app.state.pool
    slot = await pool.take(f"{model}@{version}")
    if (version, request.path_params["seed"]) != (slot.version, str(seed)):
        target = permalink(slot, seed, _root(request))
        return RedirectResponse(target, headers={"Cache-Control": Freshness.MOVABLE})
    answer = Answer(
        slot=slot,
        seeds=(seed,),
        format=Format.PNG,
        freshness=Freshness.FIXED,
        root=_root(request),
    )
    return await _respond(request, answer)


async def _respond(request: Request, answer: Answer) -> Response:
    """Render an answer, unless the client has it or wants to hear of it only."""
    headers = answer.headers()
    known = is_known(request.headers.get("if-none-match"), answer.etag)
    if known and answer.freshness is not Freshness.RANDOM:
        del headers["Content-Type"], headers["Content-Disposition"]
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    if request.method == "HEAD":
        response = Response(headers=headers)
        # RFC 9110, 9.3.2: a length that only rendering could tell may be left out.
        del response.headers["content-length"]
        return response
    renderer: Renderer = request.app.state.renderer
    try:
        body = await while_connected(request, _body(renderer, answer))
    except HungUp:
        telemetry: Telemetry = request.app.state.telemetry
        telemetry.refused.labels("hung_up").inc()
        return Response(status_code=HUNG_UP)
    return Response(body, headers=headers)


async def _body(renderer: Renderer, answer: Answer) -> bytes:
    slot, seeds = answer.slot, answer.seeds
    if answer.format is Format.JSON:
        return _listing(answer)
    if answer.format is Format.PNG and not answer.is_one_cat:
        return await renderer.sheet(slot, seeds, answer.columns)
    cats = await renderer.cats(slot, seeds)
    if answer.is_one_cat:
        return cats[0]
    names = [file_name(slot, seed) for seed in seeds]
    files = dict(zip(names, cats, strict=True))
    if answer.format is Format.ZIP:
        return zip_of(files)
    links = [permalink(slot, seed, answer.root) for seed in seeds]
    return multipart_of(files, answer.boundary, dict(zip(names, links, strict=True)))


def _listing(answer: Answer) -> bytes:
    slot = answer.slot
    listing = {
        "model": slot.model,
        "version": slot.version,
        "size_px": slot.card.size_px,
        "cats": [
            {"seed": seed, "permalink": permalink(slot, seed, answer.root)} for seed in answer.seeds
        ],
    }
    return json.dumps(listing).encode()


def _seeds(query: CatsQuery) -> range:
    """Return the seeds; random ones where none is given.

    Raises:
        InvalidValue: The last one would be no seed any more.
    """
    last_start = MAX_SEED - query.n + 1
    if query.seed is None:
        first = secrets.randbelow(last_start + 1)
    elif query.seed > last_start:
        raise InvalidValue("seed", query.seed, f"0 to {last_start} for n={query.n}")
    else:
        first = query.seed
    return range(first, first + query.n)


def _freshness(query: CatsQuery) -> Freshness:
    if query.seed is None:
        return Freshness.RANDOM
    _, _, version = (query.model or "").partition("@")
    return Freshness.FIXED if is_version(version) else Freshness.MOVABLE


def _root(request: Request) -> str:
    return str(request.scope.get("root_path", "")).rstrip("/")
