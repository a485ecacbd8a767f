"""The training picture nearest to a cat, over HTTP."""

import asyncio
import hashlib
from enum import StrEnum
from typing import Annotated

from fastapi import Depends, Path, Request, Response

from app.api.dependencies import PoolDep, known_parameters_only
from app.api.responses import ETAG, REVALIDATE, head
from app.api.routing import Router
from app.api.schemas import NearestView
from app.cats.nearest import NearestPictures
from app.http.conditional import not_modified
from app.problems.openapi import Responses, problems
from models.images.formats import encode_png
from models.inference.latents import MAX_SEED

router = Router(
    tags=["cats"], dependencies=[Depends(known_parameters_only)], responses=problems(422, 503)
)


class NearestFormat(StrEnum):
    """Format of the response."""

    PNG = "png"
    JSON = "json"


_MEDIA_TYPES = {NearestFormat.PNG: "image/png", NearestFormat.JSON: "application/json"}

_HEADERS = {
    "Cattery-Distance": {
        "description": "Between the features of the two.",
        "schema": {"type": "number"},
    },
    "Cattery-Picture": {
        "description": "Number of the picture in its dataset.",
        "schema": {"type": "integer"},
    },
}
_NEAREST: Responses = {
    200: {
        "description": "The picture, at the size that the version was trained at, or its figures.",
        "content": {
            "image/png": {"schema": {"type": "string", "format": "binary"}},
            "application/json": {"schema": {"$ref": "#/components/schemas/NearestView"}},
        },
        "headers": ETAG | _HEADERS,
    },
    304: {"description": "Not modified: the client has it."},
}


@router.get(
    "/cats/{model}@{version}/{seed}/nearest.{format}",
    summary="The nearest training picture",
    operation_id="get_nearest_picture",
    response_model=NearestView,
    responses=_NEAREST | problems(404, 410, 504),
)
async def get_nearest_picture(
    request: Request,
    pool: PoolDep,
    model: Annotated[str, Path(examples=["dcgan"])],
    version: Annotated[str, Path(description="Version id.", examples=["0123456789ab"])],
    seed: Annotated[int, Path(ge=0, le=MAX_SEED, description="Seed of the cat.", examples=[7])],
    format: Annotated[NearestFormat, Path(description="png or json.", examples=["png"])],
) -> Response:
    """The picture that a cat is most like, by the features of the memorization check.

    404 unless the dataset that the version was trained on is in this store, with its features,
    which training on it or `cattery evaluate` has stored. Of larger datasets 10,000 pictures,
    evenly spaced, are compared.
    """
    finder: NearestPictures = request.app.state.nearest
    slot = await pool.take(f"{model}@{version}")
    dataset = await asyncio.to_thread(finder.dataset, slot.card)
    identity = (
        f"nearest-1, {slot.name}, {slot.engine.name}, {seed}, {dataset.fingerprint}, {format}"
    )
    etag = f'"{hashlib.sha256(identity.encode()).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": REVALIDATE}
    if known := not_modified(request, headers):
        return known
    if request.method == "HEAD":
        return head(headers, _MEDIA_TYPES[format])
    found = await finder.find(slot, seed, dataset)
    headers |= {
        "Cattery-Distance": f"{found.distance:.6g}",
        "Cattery-Picture": str(found.picture),
    }
    if format is NearestFormat.PNG:
        return Response(encode_png(found.pixels), 200, headers, _MEDIA_TYPES[format])
    view = NearestView(
        dataset=dataset.name,
        picture=found.picture,
        distance=float(f"{found.distance:.6g}"),
        heldout_closer=found.heldout_closer,
    )
    return Response(view.model_dump_json(), 200, headers, _MEDIA_TYPES[format])
