"""Cats over HTTP: `GET /cats` and permalinks."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.responses import RedirectResponse

from app.api.dependencies import PoolDep, RootDep, known_parameters_only
from app.cats.parameters import ONE_CAT, SOME_CATS, CatQuery, CatsQuery, variation_of
from app.cats.request import Freshness
from app.cats.service import one_cat, respond, some_cats
from models.images.formats import PictureFormat
from models.inference.latents import MAX_SEED

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
    answer = some_cats(query, accept, await pool.take(query.model), root)
    return await respond(request, answer)


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
    slot = await pool.take(f"{model}@{version}")
    answer = one_cat(slot, seed, format, variation_of(query), root)
    if (version, request.path_params["seed"]) != (slot.version, str(seed)):
        return RedirectResponse(answer.address, headers={"Cache-Control": Freshness.MOVABLE})
    return await respond(request, answer)
