"""Datasets over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import Depends, Path, Query, Request, Response

from app.api.dependencies import (
    ClientDep,
    LimitsDep,
    QueueDep,
    RootDep,
    StoreDep,
    known_parameters_only,
)
from app.api.responses import CONTACT_SHEET, LOCATION, REVALIDATE, png
from app.api.routing import Router
from app.api.schemas import DatasetList, DatasetView, JobView
from app.api.views import dataset_view, job_view
from app.jobs.queue import JobQueue
from app.jobs.quota import owner_of, place_in_queue
from app.jobs.service import submit
from app.jobs.uploads import Uploads
from app.problems.openapi import Responses, problems
from models.errors import Conflict
from models.store import Store
from models.store.names import check_name
from models.store.records import Crop, ImportOrder, JobKind, JobRecord

router = Router(
    prefix="/datasets",
    tags=["datasets"],
    dependencies=[Depends(known_parameters_only)],
    responses=problems(422, 503),
)

Name = Annotated[str, Path(description="Name of a dataset.", examples=["cats"])]

_ZIP = {
    "requestBody": {
        "required": True,
        "description": "Zip file of pictures, optionally with `.cat` landmark files.",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_QUEUED: Responses = {202: {"description": "The import is queued.", "headers": LOCATION}}


@router.get("", summary="All datasets", operation_id="list_datasets")
def list_datasets(store: StoreDep, root: RootDep) -> DatasetList:
    """Datasets by name, with pictures per resolution."""
    return DatasetList(datasets=[dataset_view(record, root) for record in store.datasets.list()])


@router.get(
    "/{name}",
    summary="One dataset",
    operation_id="get_dataset",
    responses=problems(404, 410),
)
def get_dataset(name: Name, store: StoreDep, root: RootDep) -> DatasetView:
    """Pictures per resolution, rejected pictures with reasons, and the fingerprint."""
    return dataset_view(store.datasets.get(name), root)


@router.get(
    "/{name}/preview.png",
    summary="A dataset's preview sheet",
    operation_id="get_dataset_preview",
    response_class=Response,
    responses=CONTACT_SHEET | problems(404, 410),
)
def get_dataset_preview(request: Request, name: Name, store: StoreDep) -> Response:
    """A contact sheet of some of its pictures."""
    return png(request, store.datasets.preview(name), REVALIDATE)


@router.get(
    "/{name}/rejected/{reason}.png",
    summary="A sheet of rejected pictures",
    operation_id="get_rejected_pictures",
    response_class=Response,
    responses=CONTACT_SHEET | problems(404, 410),
)
def get_rejected_pictures(
    request: Request,
    name: Name,
    reason: Annotated[str, Path(description="A reason of `pictured`.", examples=["duplicate"])],
    store: StoreDep,
) -> Response:
    """Up to 16 pictures that an import rejected, in the order of the dataset's `pictured`.

    There is none for pictures that cannot be decoded, and none for imports of older releases.
    """
    return png(request, store.datasets.rejected(name, reason), REVALIDATE)


@router.post(
    "/{name}",
    status_code=202,
    summary="Upload a dataset",
    operation_id="import_dataset",
    openapi_extra=_ZIP,
    responses=_QUEUED | problems(409, 429),
)
async def import_dataset(
    request: Request,
    response: Response,
    name: Name,
    store: StoreDep,
    queue: QueueDep,
    root: RootDep,
    client: ClientDep,
    limits: LimitsDep,
    license: Annotated[
        str,
        Query(max_length=500, description="License of the pictures.", examples=["CC BY 4.0"]),
    ] = "",
    crop: Annotated[
        Crop,
        Query(
            description="What to cut out of pictures without landmarks: the `center` square, or "
            "the `faces` of all cats in them, for which the worker needs the extra `faces`."
        ),
    ] = Crop.CENTER,
    deduplicate: Annotated[
        bool, Query(description="Whether to keep only the largest of pictures that look alike.")
    ] = True,
    source: Annotated[
        str,
        Query(
            max_length=500,
            description="Where the pictures come from: an address, a title, people.",
            examples=["https://example.org/cats"],
        ),
    ] = "",
) -> JobView:
    """Upload a zip file and queue its import. Datasets are immutable: the name must be new."""
    # Everything that can be checked before the body is read, which may be gigabytes.
    check_name("name", name)
    uploads: Uploads = request.app.state.uploads
    with uploads.reserved(name):
        await asyncio.to_thread(_refuse_taken, store, name)
        await asyncio.to_thread(queue.check)
        chunks: AsyncIterator[bytes] = request.stream()
        if limits.uploads is not None:
            declared = request.headers.get("content-length", "0")
            await limits.uploads.check(client, int(declared) if declared.isdecimal() else 0)
            chunks = limits.uploads.charged(chunks, client)
        path = await uploads.keep(chunks)
        order = ImportOrder(
            name=name,
            source=str(path),
            license=license,
            origin=source,
            crop=crop,
            deduplicate=deduplicate,
        )
        owner = owner_of(client)
        record = await asyncio.to_thread(_submit, store, queue, order, owner, limits.queued_jobs)
    response.headers["Location"] = f"{root}/jobs/{record.id}"
    return job_view(record, root)


@router.delete(
    "/{name}",
    status_code=204,
    summary="Delete a dataset",
    operation_id="delete_dataset",
    responses=problems(404, 409, 410),
)
def delete_dataset(name: Name, store: StoreDep) -> None:
    """Delete a dataset, unless a queued or running job uses it; its name becomes available."""
    store.datasets.delete(name)


def _submit(store: Store, queue: JobQueue, order: ImportOrder, owner: str, most: int) -> JobRecord:
    """Submit the import job; delete the upload if that fails."""
    try:
        _refuse_taken(store, order.name)  # again: a large upload takes its time
        with place_in_queue(store, owner, most) as placed:
            record = submit(store, queue, order)
            placed(record.id)
        return record
    except BaseException:
        FilePath(order.source).unlink(missing_ok=True)
        raise


def _refuse_taken(store: Store, name: str) -> None:
    store.datasets.check_vacant(name)
    for job in store.jobs.list():
        is_import = job.kind is JobKind.IMPORT and not job.status.has_ended
        if is_import and job.order.get("name") == name:
            raise Conflict(
                f"The job {job.id} is already importing a dataset {name!r}.",
                "Choose another name, or cancel that job.",
            )
