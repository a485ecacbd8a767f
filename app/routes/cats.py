"""Cats over HTTP: `GET /cats` and permalinks."""

import asyncio
import json
import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.responses import RedirectResponse

from app.answers import Answer, Freshness, file_name, permalink
from app.bundles import multipart_of, zip_of
from app.deps import PoolDep, RootDep, known_parameters_only
from app.negotiation import Format, negotiate
from app.offer import ONE_CAT, SOME_CATS, CatQuery, CatsQuery, variation_of
from app.rendering import Renderer
from app.sending import send
from models.errors import InvalidValue
from models.images import default_columns
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
        root=root,
        was_negotiated=query.format is None,
    )
    return await _respond(request, answer)


@router.get(
    "/cats/{model}@{version}/{seed}.png",
    responses=ONE_CAT,
    response_class=Response,
    summary="One cat, for ever",
    dependencies=[Depends(known_parameters_only)],
)
@router.head(
    "/cats/{model}@{version}/{seed}.png",
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
) -> Response:
    """The same cat for ever. An alias, a shortened id or a padded seed is redirected (307)."""
    variation = variation_of(query)
    slot = await pool.take(f"{model}@{version}")
    variation.check(slot)
    if (version, request.path_params["seed"]) != (slot.version, str(seed)):
        target = permalink(slot, seed, root, variation)
        return RedirectResponse(target, headers={"Cache-Control": Freshness.MOVABLE})
    answer = Answer(
        slot=slot,
        seeds=(seed,),
        format=Format.PNG,
        freshness=Freshness.FIXED,
        variation=variation,
        root=root,
    )
    return await _respond(request, answer)


async def _respond(request: Request, answer: Answer) -> Response:
    return await send(request, answer.headers(), lambda renderer: _body(renderer, answer))


async def _body(renderer: Renderer, answer: Answer) -> bytes:
    slot, seeds, variation = answer.slot, answer.seeds, answer.variation
    if answer.format is Format.JSON:
        return _listing(answer)
    if answer.format is Format.PNG and not answer.is_one_cat:
        return await renderer.sheet(slot, seeds, answer.columns, variation)
    cats = await renderer.cats(slot, seeds, variation)
    if answer.is_one_cat:
        return cats[0]
    names = [file_name(slot, seed, variation) for seed in seeds]
    files = dict(zip(names, cats, strict=True))
    if answer.format is Format.ZIP:
        return await asyncio.to_thread(zip_of, files)
    links = [permalink(slot, seed, answer.root, variation) for seed in seeds]
    locations = dict(zip(names, links, strict=True))
    return await asyncio.to_thread(multipart_of, files, answer.boundary, locations)


def _listing(answer: Answer) -> bytes:
    slot = answer.slot
    listing = {
        "model": slot.model,
        "version": slot.version,
        "size_px": slot.card.size_px,
        "cats": [
            {"seed": seed, "permalink": permalink(slot, seed, answer.root, answer.variation)}
            for seed in answer.seeds
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


def _columns(query: CatsQuery, kind: Format) -> int | None:
    """Return the columns of a contact sheet; one cat, or another format, has none."""
    if kind is not Format.PNG or query.n == 1:
        return None
    return query.columns or default_columns(query.n)
