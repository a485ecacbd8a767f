"""Jobs over HTTP: where they are, their history as it happens, their samples."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from starlette.responses import StreamingResponse

from app.api.dependencies import RootDep, SettingsDep, StoreDep, known_parameters_only
from app.api.responses import ASK_FIRST, png
from app.api.schemas import JobList, JobView
from app.api.views import job_view
from app.jobs.events import Pace, follow, is_all_told
from app.jobs.service import cancel
from app.problems.openapi import Responses, problems
from models.store.records import JobKind, JobStatus

router = APIRouter(
    prefix="/jobs",
    tags=["jobs"],
    dependencies=[Depends(known_parameters_only)],
    responses=problems(422, 503),
)

JobId = Annotated[str, Path(description="Id of a job.", examples=["20261123-101500-a1b2c3"])]
LastEventId = Annotated[
    int | None,
    Header(
        alias="Last-Event-ID",
        ge=0,
        description="Id of the last event that the client has.",
        examples=[17],
    ),
]
LastEventQuery = Annotated[
    int | None, Query(ge=0, description="As the header, for clients that cannot send one.")
]

_STREAM: Responses = {
    200: {
        "description": "One event per line of the job's history: its id, its type, its data "
        "as JSON. The stream ends with the job.",
        "content": {
            "text/event-stream": {
                "schema": {"type": "string"},
                "example": 'id: 1\nevent: queued\ndata: {"at":"2026-11-23T10:15:00.000000Z"}\n\n',
            }
        },
    },
    204: {"description": "The job has ended and the client has all of its events."},
}
_PNG: Responses = {
    200: {
        "description": "A contact sheet.",
        "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
    },
    304: {"description": "The client has it already."},
}


@router.get("", summary="All jobs", operation_id="list_jobs")
def list_jobs(
    store: StoreDep,
    root: RootDep,
    status: Annotated[JobStatus | None, Query(description="Only those.")] = None,
    kind: Annotated[JobKind | None, Query(description="Only those.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many at most.")] = 100,
) -> JobList:
    """Jobs, newest first."""
    found = [
        record
        for record in store.jobs.list()
        if status in (None, record.status) and kind in (None, record.kind)
    ]
    views = [job_view(record, root) for record in found[:limit]]
    return JobList(jobs=views, total=len(found))


@router.get("/{job}", summary="One job", operation_id="get_job", responses=problems(404, 410))
def get_job(job: JobId, store: StoreDep, root: RootDep) -> JobView:
    """Status and phase, kimg done and to do, images a second, what is left, losses, samples."""
    return job_view(store.jobs.get(job), root)


@router.get(
    "/{job}/events",
    summary="A job's history as it happens",
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
) -> Response:
    """Server-sent events from the job's first, or the one after Last-Event-ID, to its last."""
    # The header first: a client that reconnects repeats the address it began with.
    after = reached if reached is not None else last_event_id or 0
    if await is_all_told(store, job, after):
        return Response(status_code=204)  # tells an EventSource not to come again
    pace = Pace(
        poll_s=settings.events_poll_s,
        keep_alive_s=settings.events_keep_alive_s,
        stopping=request.app.state.stopping,
        has_left=request.is_disconnected,
    )
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        follow(store, job, after, pace), headers=headers, media_type="text/event-stream"
    )


@router.get(
    "/{job}/samples/{kimg}.png",
    summary="A sample sheet",
    operation_id="get_job_sample",
    response_class=Response,
    responses=_PNG | problems(404, 410),
)
def get_job_sample(
    request: Request,
    job: JobId,
    kimg: Annotated[str, Path(description="One of the job's `samples`.", examples=["20"])],
    store: StoreDep,
) -> Response:
    """What the generator painted at that moment, always of the same seeds."""
    return png(request, store.jobs.sample(job, kimg), ASK_FIRST)


@router.post(
    "/{job}/cancel",
    status_code=202,
    summary="Cancel a job",
    operation_id="cancel_job",
    responses=problems(404, 409, 410),
)
def cancel_job(job: JobId, store: StoreDep, root: RootDep) -> JobView:
    """Ask a job to stop. What it has learned is published as a version, never promoted."""
    return job_view(cancel(store, job), root)


@router.delete(
    "/{job}",
    status_code=204,
    summary="Delete an ended job",
    operation_id="delete_job",
    responses=problems(404, 409, 410),
)
def delete_job(job: JobId, store: StoreDep) -> None:
    """Delete its history, samples and training state; what it published stays."""
    store.jobs.delete(job)
