"""Models, their versions and their aliases over HTTP."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import BackgroundTasks, Depends, Path, Request, Response
from starlette.responses import FileResponse

from app.api.dependencies import (
    PoolDep,
    QueueDep,
    RootDep,
    SettingsDep,
    StoreDep,
    known_parameters_only,
)
from app.api.responses import CONTACT_SHEET, IMMUTABLE, png
from app.api.routing import Router
from app.api.schemas import ModelList, ModelView, PromoteBody, VersionView
from app.api.views import model_summary, model_view, version_view
from app.http.conditional import not_modified
from app.http.ranges import normalize_range
from app.inference.pool import GeneratorPool
from app.problems.openapi import Responses, problems
from models.errors import CheckpointError, Conflict

router = Router(
    prefix="/models",
    tags=["models"],
    dependencies=[Depends(known_parameters_only)],
    responses=problems(422, 503),
)

Name = Annotated[str, Path(description="Name of a model.", examples=["dcgan"])]
Version = Annotated[str, Path(description="Full version id.", examples=["0123456789ab"])]

_FILE = {"schema": {"type": "string", "format": "binary"}}
_WEIGHTS: Responses = {
    200: {
        "description": "Weights as a safetensors file.",
        "content": {"application/octet-stream": _FILE},
        "headers": {"ETag": {"description": "Its SHA-256.", "schema": {"type": "string"}}},
    },
    206: {"description": "The requested range."},
    304: {"description": "Not modified: the client has it."},
}


@dataclass(frozen=True, slots=True)
class _Aliases:
    """Moves a model's aliases and updates the front ends."""

    store: StoreDep
    pool: PoolDep
    queue: QueueDep
    root: RootDep
    later: BackgroundTasks

    async def move(self, model: str, to: str | None, move: Callable[[], object]) -> ModelView:
        """Load and check the version, move the alias and announce that to all front ends."""
        if to is not None:
            await self._check_servable(model, to)
        await asyncio.to_thread(move)
        await self.pool.refresh(model)
        self.later.add_task(self.queue.announce, model)  # after the response: Redis may be slow
        return await asyncio.to_thread(
            model_view, self.store, model, _loaded(self.pool, model), self.root
        )

    async def _check_servable(self, model: str, version: str) -> None:
        """Load a version beside the one in service, so that only what works is promoted."""
        try:
            await self.pool.take(f"{model}@{version}")
        except CheckpointError as err:
            raise Conflict(f"{model}@{version} cannot be served: {err.detail}", err.remedy) from err


AliasesDep = Annotated[_Aliases, Depends()]


@router.get("", summary="All models", operation_id="list_models")
def list_models(store: StoreDep, settings: SettingsDep, pool: PoolDep, root: RootDep) -> ModelList:
    """Models by name, with the version in service and whether it is loaded."""
    names = store.versions.models()
    found = [model_summary(store, name, _loaded(pool, name), root) for name in names]
    # None: its last version was deleted since the names were listed.
    return ModelList(default=settings.default_model, models=[one for one in found if one])


@router.get("/{model}", summary="One model", operation_id="get_model", responses=problems(404, 410))
def get_model(model: Name, store: StoreDep, pool: PoolDep, root: RootDep) -> ModelView:
    """Aliases, their history, and all versions with their cards."""
    return model_view(store, model, _loaded(pool, model), root)


@router.delete(
    "/{model}",
    status_code=204,
    summary="Delete a model",
    operation_id="delete_model",
    responses=problems(404, 409, 410),
)
async def delete_model(
    model: Name, store: StoreDep, pool: PoolDep, queue: QueueDep, settings: SettingsDep
) -> None:
    """Take a model out of service and delete all of its versions.

    Requests in progress are answered; later ones, permalinks included, get 410. The default model
    (`CATTERY_DEFAULT_MODEL`) is refused, and so is one that a queued or running job trains for.
    A model that came with Cattery stays deleted; a later release may bring new versions of it.
    """
    if model == settings.default_model.partition("@")[0]:
        raise Conflict(
            f"The model {model!r} answers requests that name none.",
            "Choose another one with CATTERY_DEFAULT_MODEL first.",
        )
    versions = await asyncio.to_thread(store.versions.delete_model, model)
    await pool.refresh(model)
    for version in versions:
        await pool.forget(model, version)
    await asyncio.to_thread(queue.announce, model)


@router.post(
    "/{model}/promote",
    summary="Put a version into service",
    operation_id="promote",
    responses=problems(404, 409, 410),
)
async def promote(model: Name, body: PromoteBody, aliases: AliasesDep) -> ModelView:
    """Load and check the version, then put it into service for the next request on."""
    store, ref = aliases.store, f"{model}@{body.version}"
    _, version = await asyncio.to_thread(store.versions.resolve, ref)
    return await aliases.move(
        model,
        version,
        lambda: store.aliases.promote(model, version, reason="requested through the API"),
    )


@router.post(
    "/{model}/rollback",
    summary="Restore the previous version",
    operation_id="rollback",
    responses=problems(404, 409, 410),
)
async def rollback(model: Name, aliases: AliasesDep) -> ModelView:
    """Swap `serving` and `previous`; the previous version is usually still loaded."""
    table = aliases.store.aliases
    previous = (await asyncio.to_thread(table.get, model)).previous
    return await aliases.move(model, previous, lambda: table.rollback(model))


@router.get(
    "/{model}/versions/{version}",
    summary="One version's card",
    operation_id="get_version",
    responses=problems(404, 410),
)
def get_version(model: Name, version: Version, store: StoreDep, root: RootDep) -> VersionView:
    """Everything known about a version: its origin, settings and metrics."""
    return version_view(store.versions.card(model, version), store.aliases.listed(model), root)


@router.get(
    "/{model}/versions/{version}/samples.png",
    summary="A version's contact sheet",
    operation_id="get_version_samples",
    response_class=Response,
    responses=CONTACT_SHEET | problems(404, 410),
)
def get_version_samples(
    request: Request, model: Name, version: Version, store: StoreDep
) -> Response:
    """Cats of fixed seeds, rendered when the version was published."""
    return png(request, store.versions.samples(model, version), IMMUTABLE)


@router.get(
    "/{model}/versions/{version}/generator.safetensors",
    summary="A version's weights",
    operation_id="get_version_weights",
    response_class=Response,
    responses=_WEIGHTS | problems(404, 410, 416),
)
def get_version_weights(
    request: Request, model: Name, version: Version, store: StoreDep, settings: SettingsDep
) -> Response:
    """The weights file, verified by its checksum before it is sent."""
    etag = f'"{store.versions.card(model, version).sha256}"'
    headers = {"ETag": etag, "Cache-Control": IMMUTABLE}
    known = not_modified(request, headers)
    if known is not None:
        return known
    path = store.versions.weights_path(model, version, settings.cache)
    normalize_range(request, path.stat().st_size, etag)
    return FileResponse(
        path,
        media_type="application/octet-stream",
        filename=f"{model}@{version}.safetensors",
        headers=headers,
    )


@router.delete(
    "/{model}/versions/{version}",
    status_code=204,
    summary="Delete a version",
    operation_id="delete_version",
    responses=problems(404, 409, 410),
)
async def delete_version(model: Name, version: Version, store: StoreDep, pool: PoolDep) -> None:
    """Delete a version that is neither serving nor previous."""
    await asyncio.to_thread(store.versions.delete, model, version)
    await pool.forget(model, version)


def _loaded(pool: GeneratorPool, model: str) -> str | None:
    slot = pool.serving().get(model)
    return slot.version if slot else None
