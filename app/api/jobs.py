"""Jobs over HTTP: submitting, following, canceling and deleting them."""

import asyncio
from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request, Response
from pydantic import BeforeValidator, Field
from starlette.responses import StreamingResponse

from app.api.dependencies import (
    ClientDep,
    LimitsDep,
    QueueDep,
    RootDep,
    SettingsDep,
    StoreDep,
    known_parameters_only,
)
from app.api.responses import (
    CONTACT_SHEET,
    ETAG,
    EVENT_STREAM,
    LOCATION,
    REVALIDATE,
    content,
    event_content,
    head,
    png,
)
from app.api.routing import Router
from app.api.schemas import EstimateView, JobList, JobView, TrainBody
from app.api.views import job_view
from app.http.conditional import not_modified
from app.jobs.curves import COLUMNS, curves
from app.jobs.events import follow, has_seen_all, wire
from app.jobs.films import Films
from app.jobs.quota import owner_of, place_in_queue
from app.jobs.service import cancel, check_webhook, submit
from app.problems.openapi import Responses, problems
from models.gan.recipes import resolve
from models.jobs.estimate import estimate, warnings
from models.jobs.order import check_budget, make_order
from models.store import Store
from models.store.records import JobKind, JobStatus, TrainingOrder

router = Router(
    tags=["jobs"],
    dependencies=[Depends(known_parameters_only)],
    responses=problems(422, 503),
)

JobId = Annotated[str, Path(description="Id of a job.", examples=["20261123-101500-a1b2c3"])]
# Empty is what an EventSource has before its first event (HTML, section 9.2).
EventId = Annotated[
    Annotated[int, Field(ge=0)] | None,
    BeforeValidator(lambda value: None if value == "" else value),
]
LastEventId = Annotated[
    EventId,
    Header(
        alias="Last-Event-ID",
        description="Id of the last event that the client has received.",
        examples=[17],
    ),
]
LastEventQuery = Annotated[
    EventId,
    Query(description="Same as the header Last-Event-ID, for clients that cannot send it."),
]

_QUEUED: Responses = {202: {"description": "The job is queued.", "headers": LOCATION}}
_EXAMPLE = ("1", "queued", '{"at":"2026-11-23T10:15:00.000000Z"}')
_STREAM: Responses = {
    200: {
        "description": "One event per entry of the job's history: id, type and data as JSON. "
        "The stream ends with the job.",
        "content": event_content(*_EXAMPLE),
    },
    204: {"description": "The job has ended and the client has received all of its events."},
}


_CSV: Responses = {
    200: {
        "description": "A table with the header " + ",".join(COLUMNS),
        "content": {"text/csv": {"schema": {"type": "string"}}},
        "headers": ETAG,
    },
    304: {"description": "Not modified: the client has it."},
}
_FILM: Responses = {
    200: {
        "description": "An animated WebP.",
        "content": {"image/webp": {"schema": {"type": "string", "format": "binary"}}},
        "headers": ETAG,
    },
    304: {"description": "Not modified: the client has it."},
}


@router.post(
    "/train",
    status_code=202,
    summary="Submit a training job",
    operation_id="train",
    responses=_QUEUED | problems(404, 409, 410, 429),
)
def train(
    body: TrainBody,
    response: Response,
    store: StoreDep,
    queue: QueueDep,
    root: RootDep,
    client: ClientDep,
    limits: LimitsDep,
    settings: SettingsDep,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            description="A repeated key returns the job of the first request, or 409 if the "
            "order differs.",
            examples=["0b6b3c52-6c8e-4f4e-9d7b-7f6d3f1a2b11"],
        ),
    ] = None,
) -> JobView:
    """Check an order against its recipe and dataset, and queue it; 503 without Redis."""
    order = _order(body, store)
    check_webhook(body.webhook, settings)
    queue.check()  # before the job exists: a rejected order leaves nothing behind
    with place_in_queue(store, owner_of(client), limits.queued_jobs, key) as placed:
        record = submit(store, queue, order, key=key, webhook=body.webhook)
        placed(record.id)
    response.headers["Location"] = f"{root}/jobs/{record.id}"
    return job_view(record, root)


@router.post(
    "/train/estimate",
    summary="Check and estimate a training order",
    operation_id="estimate_training",
    responses=problems(404, 409, 410),
)
def estimate_training(body: TrainBody, store: StoreDep) -> EstimateView:
    """Check an order as `POST /train` does, without placing it; no Redis is needed.

    Returns the order with its defaults filled in, all of its hyperparameters, warnings, and the
    time that it will take, from the speed of earlier trainings of this store where there are any.
    """
    order = _order(body, store)
    row, settings = resolve(order.recipe, order.overrides)
    dataset = store.datasets.get(order.dataset)
    found = estimate(store, order, settings.given())
    count = dataset.counts[str(order.size_px)]
    return EstimateView(
        order=order,
        hyperparameters=settings.given(),
        images=count,
        epochs=None if found.kimg is None else round(1000 * found.kimg / count, 1),
        estimate=found,
        warnings=warnings(order, row, settings, dataset),
        jobs_ahead=sum(
            not record.status.has_ended and record.runner == "worker"
            for record in store.jobs.list()
        ),
    )


@router.get("/jobs", summary="All jobs", operation_id="list_jobs")
def list_jobs(
    store: StoreDep,
    root: RootDep,
    status: Annotated[JobStatus | None, Query(description="Only with this status.")] = None,
    kind: Annotated[JobKind | None, Query(description="Only of this kind.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Maximum number of jobs.")] = 100,
) -> JobList:
    """Jobs, newest first."""
    found = [
        record
        for record in store.jobs.list()
        if status in (None, record.status) and kind in (None, record.kind)
    ]
    views = [job_view(record, root) for record in found[:limit]]
    return JobList(jobs=views, total=len(found))


@router.get("/jobs/{job}", summary="One job", operation_id="get_job", responses=problems(404, 410))
def get_job(job: JobId, store: StoreDep, root: RootDep) -> JobView:
    """Status, phase, progress, speed, remaining time, losses and samples."""
    return job_view(store.jobs.get(job), root)


@router.get(
    "/jobs/{job}/events",
    summary="A job's events",
    operation_id="follow_job",
    response_class=Response,
    responses=_STREAM | problems(404, 410),
)
async def follow_job(
    request: Request,
    job: JobId,
    store: StoreDep,
    settings: SettingsDep,
    reached: LastEventId = None,
    last_event_id: LastEventQuery = None,
    is_followed: Annotated[
        bool,
        Query(alias="follow", description="false: end after the events that there are now."),
    ] = True,
) -> Response:
    """Server-sent events from the first, or the one after Last-Event-ID, to the job's last."""
    # The header wins: an EventSource reconnects with the original URL and adds the header.
    after = reached if reached is not None else last_event_id or 0
    if await has_seen_all(store, job, after):
        return Response(status_code=204)  # tells an EventSource not to reconnect
    if request.method == "HEAD":  # or it would last as long as the job
        return Response(headers=EVENT_STREAM, media_type="text/event-stream")
    if not is_followed:
        now = await asyncio.to_thread(store.jobs.events, job, after)
        return Response(b"".join(map(wire, now)), 200, EVENT_STREAM, "text/event-stream")
    events = follow(
        store,
        job,
        after,
        poll_s=settings.events_poll_s,
        keep_alive_s=settings.events_keep_alive_s,
        stopping=request.app.state.stopping,
        has_left=request.is_disconnected,
    )
    return StreamingResponse(events, headers=EVENT_STREAM, media_type="text/event-stream")


@router.get(
    "/jobs/{job}/samples/{kimg}.png",
    summary="A sample sheet",
    operation_id="get_job_sample",
    response_class=Response,
    responses=CONTACT_SHEET | problems(404, 410),
)
def get_job_sample(
    request: Request,
    job: JobId,
    kimg: Annotated[str, Path(description="Label of one of the job's `samples`.", examples=["20"])],
    store: StoreDep,
) -> Response:
    """Images generated at that point of the training, always from the same seeds."""
    return png(request, store.jobs.sample(job, kimg), REVALIDATE)


@router.get(
    "/jobs/{job}/metrics.csv",
    summary="A job's losses and metrics",
    operation_id="get_job_metrics",
    response_class=Response,
    responses=_CSV | problems(404, 410),
)
def get_job_metrics(request: Request, job: JobId, store: StoreDep) -> Response:
    """The points logged so far, a row each: losses by step, kimg and minutes, and KIDs.

    `seq` is the number of the event in the job's history, by which `GET /events` goes on.
    Empty cells are values that the row's `event`, progress or snapshot, does not have.
    """
    text = curves(store.jobs.events(job)).encode()
    return content(request, text, "text/csv; charset=utf-8; header=present", REVALIDATE)


@router.get(
    "/jobs/{job}/film.webp",
    summary="A film of the training",
    operation_id="get_job_film",
    response_class=Response,
    responses=_FILM | problems(404, 410),
)
def get_job_film(request: Request, job: JobId) -> Response:
    """The sample sheets one after the other as a looping animation, at most 60 of them.

    They are of the same seeds throughout, and shrunk where all frames together would exceed
    `CATTERY_MAX_WALK_PIXELS`.
    """
    films: Films = request.app.state.films
    sheets = films.sheets(job)
    headers = {"ETag": films.tag(sheets), "Cache-Control": REVALIDATE}
    if known := not_modified(request, headers):
        return known
    if request.method == "HEAD":
        return head(headers, "image/webp")
    return Response(films.film(sheets), headers=headers, media_type="image/webp")


@router.post(
    "/jobs/{job}/cancel",
    status_code=202,
    summary="Cancel a job",
    operation_id="cancel_job",
    responses=problems(404, 409, 410),
)
def cancel_job(job: JobId, store: StoreDep, root: RootDep) -> JobView:
    """Stop a job. What it has learned is saved and published, but never promoted."""
    return job_view(cancel(store, job), root)


@router.delete(
    "/jobs/{job}",
    status_code=204,
    summary="Delete an ended job",
    operation_id="delete_job",
    responses=problems(404, 409, 410),
)
def delete_job(job: JobId, store: StoreDep) -> None:
    """Delete its history, samples and training state, but not what it published."""
    store.jobs.delete(job)


def _order(body: TrainBody, store: Store) -> TrainingOrder:
    budget = check_budget(body.budget.to_budget())  # before anything is looked up in the store
    for source in (body.resume_from, body.init_from):
        if source is not None and "@" not in source:
            store.jobs.get(source)  # an unknown job is a 404, not a 422 of the order
    return make_order(
        recipe=body.recipe,
        dataset=store.datasets.get(body.dataset),
        model=body.model,
        size_px=body.size_px,
        budget=budget,
        seed=body.seed,
        overrides=body.overrides,
        promote=body.promote,
        resume_from=body.resume_from,
        init_from=body.init_from,
        store=store,
    )
