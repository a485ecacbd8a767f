"""Walks between cats over HTTP: `GET /cats/walk` and permanent addresses."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request, Response
from starlette.responses import RedirectResponse

from app.api.dependencies import LimitsDep, PoolDep, RootDep, SettingsDep, known_parameters_only
from app.api.routing import Router
from app.cats.latents import seed_or_random
from app.cats.parameters import ONE_WALK, SOME_WALK, WalkQuery, WalksQuery
from app.cats.request import Freshness
from app.cats.response import send
from app.cats.walks import FEWEST_FRAMES, FRAMES, Walk, most_frames
from models.images.animations import AnimationFormat
from models.inference.latents import MAX_SEED

PERMANENT = "/cats/{model}@{version}/walk/{from}-{to}.{format}"

router = Router(tags=["cats"], dependencies=[Depends(known_parameters_only)])


@router.get(
    "/cats/walk",
    responses=SOME_WALK,
    response_class=RedirectResponse,
    summary="The address of a walk",
)
async def find_walk(
    query: Annotated[WalksQuery, Query()], pool: PoolDep, root: RootDep, settings: SettingsDep
) -> Response:
    """Redirect (307) to the permanent address of a walk; nothing is rendered."""
    is_random = query.start is None or query.end is None
    slot = await pool.take(query.model)
    most = most_frames(slot.card.size_px, settings.max_walk_pixels)
    walk = Walk(
        slot=slot,
        start=seed_or_random(query.start),
        end=seed_or_random(query.end),
        frames=query.frames or max(FEWEST_FRAMES, min(FRAMES, most)),
        truncation=query.truncation,
        format=query.format,
        root=root,
    )
    walk.check_size(settings.max_walk_pixels)
    return _redirect(walk, Freshness.RANDOM if is_random else Freshness.MOVABLE)


@router.get(
    PERMANENT,
    responses=ONE_WALK,
    response_class=Response,
    summary="A walk from one cat to another",
)
async def get_walk(
    request: Request,
    query: Annotated[WalkQuery, Query()],
    pool: PoolDep,
    root: RootDep,
    settings: SettingsDep,
    limits: LimitsDep,
    model: Annotated[str, Path(examples=["dcgan"])],
    version: Annotated[str, Path(description="Full version id.", examples=["0123456789ab"])],
    start: Annotated[
        int,
        Path(alias="from", ge=0, le=MAX_SEED, description="Seed of the first cat.", examples=[3]),
    ],
    end: Annotated[
        int, Path(alias="to", ge=0, le=MAX_SEED, description="Seed of the last cat.", examples=[11])
    ],
    format: Annotated[
        AnimationFormat, Path(description="Format of the animation.", examples=["webp"])
    ],
) -> Response:
    """A looping animation of one cat turning into another; its bytes never change.

    An alias, a shortened id or a padded seed is redirected (307).
    """
    await limits.charge(limits.cats, request, query.frames)
    walk = Walk(
        slot=await pool.take(f"{model}@{version}"),
        start=start,
        end=end,
        frames=query.frames,
        truncation=query.truncation,
        format=format,
        root=root,
    )
    walk.check_size(settings.max_walk_pixels)
    # As for cats, each animation has one URL: caches would otherwise hold it several times.
    asked = [request.path_params[name] for name in ("version", "from", "to")]
    if asked != [walk.slot.version, str(start), str(end)]:
        return _redirect(walk, Freshness.MOVABLE)
    return await send(
        request,
        walk.headers(),
        lambda renderer: renderer.walk(walk.slot, walk.places, walk.format, walk.provenance),
    )


def _redirect(walk: Walk, freshness: Freshness) -> Response:
    return RedirectResponse(walk.address, headers={"Cache-Control": freshness})
