"""Cats over HTTP: `GET /cats` and permalinks."""

from typing import Annotated

from fastapi import Path, Query, Request, Response
from starlette.responses import RedirectResponse

from app.api.dependencies import root_of
from app.api.routing import DirectRoute, Router
from app.cats.parameters import ONE_CAT, SOME_CATS, CatPath, CatQuery, CatsQuery, variation_of
from app.cats.request import Freshness
from app.cats.service import one_cat, respond, some_cats
from app.http.limits import Limits

PERMALINK = "/cats/{model}@{version}/{seed}.{format}"

# FastAPI matches routes of an included router twice. These become routes of the app itself.
router = Router(
    tags=["cats"],
    route_class=DirectRoute,
    default_response_class=Response,
    generate_unique_id_function=lambda route: route.name,
)


@router.get("/cats", responses=SOME_CATS, summary="Some cats")
async def get_cats(request: Request, query: Annotated[CatsQuery, Query()]) -> Response:
    """Cats with the seeds `seed` to `seed + n - 1`, as a picture, zip, multipart or links.

    With `near`, neighbors of that cat, each in the direction of one of the seeds.
    """
    limits: Limits = request.app.state.limits
    await limits.charge(limits.cats, request, query.n)
    slot = await request.app.state.pool.take(query.model)
    accept = ", ".join(request.headers.getlist("accept"))
    return await respond(request, some_cats(query, accept, slot, root_of(request)))


@router.get(PERMALINK, responses=ONE_CAT, summary="A permalink")
async def get_cat(
    request: Request, path: Annotated[CatPath, Path()], query: Annotated[CatQuery, Query()]
) -> Response:
    """A cat whose bytes never change; an alias, a short id or a padded seed is redirected (307)."""
    limits: Limits = request.app.state.limits
    await limits.charge(limits.cats, request)
    slot = await request.app.state.pool.take(f"{path.model}@{path.version}")
    cat = one_cat(slot, path.seed, path.format, variation_of(query), root_of(request))
    if (path.version, request.path_params["seed"]) != (slot.version, str(path.seed)):
        return RedirectResponse(cat.address, headers={"Cache-Control": Freshness.MOVABLE})
    return await respond(request, cat)
