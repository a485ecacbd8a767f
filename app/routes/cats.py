"""Cats over HTTP: `GET /cats` and permalinks."""

import asyncio
import json
import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.responses import RedirectResponse

from app.answers import Answer, Freshness
from app.bundles import multipart_of, zip_of
from app.deps import PoolDep, RootDep, known_parameters_only
from app.negotiation import MEDIA_TYPES, Format, negotiate
from app.offer import ONE_CAT, SOME_CATS, CatQuery, CatsQuery, variation_of
from app.rendered import Rendered
from app.rendering import Renderer
from app.sending import send
from app.telemetry import Telemetry
from models.errors import InvalidValue
from models.images import PictureFormat, default_columns
from models.sampling import MAX_SEED
from models.store.names import is_version

router = APIRouter(tags=["cats"])


@router.get("/cats", responses=SOME_CATS, response_class=Response, summary="Some cats")
@router.head("/cats", include_in_schema=False)
async def get_cats(
    request: Request, query: Annotated[CatsQuery, Query()], pool: PoolDep, root: RootDep
) -> Response:
    """Cats with the seeds `seed` to `seed + n - 1`, as a picture, a zip, parts or links.

    With `near` they are the neighbors of one cat, each toward one of the seeds.
    """
    accept = ", ".join(request.headers.getlist("accept"))
    kind = query.format or negotiate(accept)
    seeds, variation = _seeds(query), variation_of(query)
    slot = await pool.take(query.model)
    variation.check(slot)
    answer = Answer(
        slot=slot,
        seeds=seeds,
        format=kind,
        freshness=_freshness(query),
        variation=variation,
        columns=_columns(query, kind),
        encoding=_encoding(query, kind),
        root=root,
        was_negotiated=query.format is None,
    )
    return await _respond(request, answer)


@router.get(
    "/cats/{model}@{version}/{seed}.{format}",
    responses=ONE_CAT,
    response_class=Response,
    summary="One cat, for ever",
    dependencies=[Depends(known_parameters_only)],
)
@router.head(
    "/cats/{model}@{version}/{seed}.{format}",
    include_in_schema=False,
    dependencies=[Depends(known_parameters_only)],
)
async def get_cat(
    request: Request,
    query: Annotated[CatQuery, Query()],
    pool: PoolDep,
    root: RootDep,
    model: Annotated[str, Path(examples=["dcgan"])],
    version: Annotated[str, Path(description="Full version id.", examples=["0123456789ab"])],
    seed: Annotated[int, Path(ge=0, le=MAX_SEED, examples=[7])],
    format: Annotated[
        PictureFormat,
        Path(description="What the cat is encoded as, without loss.", examples=["png"]),
    ],
) -> Response:
    """The same cat for ever. An alias, a shortened id or a padded seed is redirected (307)."""
    variation = variation_of(query)
    slot = await pool.take(f"{model}@{version}")
    variation.check(slot)
    answer = Answer(
        slot=slot,
        seeds=(seed,),
        format=Format(format),
        freshness=Freshness.FIXED,
        variation=variation,
        encoding=format,
        root=root,
    )
    if (version, request.path_params["seed"]) != (slot.version, str(seed)):
        return RedirectResponse(answer.address, headers={"Cache-Control": Freshness.MOVABLE})
    return await _respond(request, answer)


async def _respond(request: Request, answer: Answer) -> Response:
    rendered: Rendered = request.app.state.rendered
    telemetry: Telemetry = request.app.state.telemetry
    settled = await rendered.settled(answer)

    async def render(renderer: Renderer) -> bytes:
        body = await _body(renderer, rendered, settled)
        telemetry.cats.labels(answer.slot.model, answer.format).inc(len(answer.seeds))
        return body

    return await send(request, settled.headers(), render)


async def _body(renderer: Renderer, rendered: Rendered, answer: Answer) -> bytes:
    seeds = answer.seeds
    if answer.format is Format.JSON:
        return _listing(answer)
    if not answer.is_of_files:
        return await renderer.sheet(
            answer.slot, seeds, answer.columns, answer.variation, answer.encoding
        )
    cats = await rendered.cats(answer)
    if answer.is_one_cat:
        return cats[0]
    names = [answer.file_name(seed) for seed in seeds]
    files = dict(zip(names, cats, strict=True))
    if answer.format is Format.ZIP:
        return await asyncio.to_thread(zip_of, files)
    locations = {name: answer.link(seed) for name, seed in zip(names, seeds, strict=True)}
    media_type = MEDIA_TYPES[Format(answer.encoding)]
    return await asyncio.to_thread(multipart_of, files, answer.boundary, locations, media_type)


def _listing(answer: Answer) -> bytes:
    slot = answer.slot
    listing = {
        "model": slot.model,
        "version": slot.version,
        "size_px": slot.card.size_px,
        "cats": [{"seed": seed, "permalink": answer.link(seed)} for seed in answer.seeds],
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


def _columns(query: CatsQuery, kind: Format) -> int | None:
    """Return the columns of a contact sheet; one cat, or another format, has none."""
    if kind.picture is None or query.n == 1:
        return None
    return query.columns or default_columns(query.n)


def _encoding(query: CatsQuery, kind: Format) -> PictureFormat:
    """Return what the cats' files are.

    Raises:
        InvalidValue: The format is a picture's and another one is named.
    """
    wanted = query.encoding or kind.picture or PictureFormat.PNG
    if kind.picture not in (None, wanted):
        raise InvalidValue("encoding", wanted, "only beside format=zip, multipart or json")
    return wanted
