"""Events of all jobs, in one stream of server-sent events."""

from typing import Annotated, Any

from fastapi import Depends, Header, Query, Request, Response
from starlette.responses import StreamingResponse

from app.api.dependencies import RootDep, SettingsDep, StoreDep, known_parameters_only
from app.api.responses import EVENT_STREAM, event_content
from app.api.routing import Router
from app.api.views import job_view
from app.jobs.cursor import Cursor, is_cursor
from app.jobs.feed import Feed, Pace
from app.problems.openapi import Responses, problems
from models.errors import InvalidValue
from models.store.records import JobRecord
from models.store.serialization import to_json

LISTED = 100  # ended jobs in a snapshot; `GET /jobs` lists the others

router = Router(
    tags=["jobs"],
    dependencies=[Depends(known_parameters_only)],
    responses=problems(422, 503),
)

_EXAMPLE = (
    "1795515300-00000000-20261123.101500.a1b2c3.7.0badcafe",
    "progress",
    '{"job":"20261123-101500-a1b2c3","seq":7,"at":"2026-11-23T10:15:00.000000Z","kimg":3.2}',
)
_STREAM: Responses = {
    200: {
        "description": "Events without end: `jobs`, `job`, `deleted`, and every entry of the "
        "jobs' histories.",
        "content": event_content(*_EXAMPLE),
    }
}


@router.get(
    "/events",
    summary="Events of all jobs",
    operation_id="follow_jobs",
    response_class=Response,
    responses=_STREAM,
)
async def follow_jobs(
    request: Request,
    store: StoreDep,
    settings: SettingsDep,
    root: RootDep,
    reached: Annotated[
        str | None,
        Header(
            alias="Last-Event-ID",
            max_length=20_000,
            description="Id of the last event that the client has received.",
        ),
    ] = None,
    last_event_id: Annotated[
        str | None,
        Query(
            max_length=20_000,
            description="Same as the header Last-Event-ID, for clients that cannot send it.",
        ),
    ] = None,
) -> Response:
    """One stream for all jobs, which goes on where a client left off.

    Without Last-Event-ID, or with one that can no longer be used, it begins with `jobs`: what
    `GET /jobs` returns, the newest ended jobs and all others, which replaces what the client has.
    Then, and after a Last-Event-ID at once: `job`, a job's new state as `GET /jobs/{job}` returns
    it, which replaces the state before; `deleted`, with the id of a deleted `job`; and each entry
    of a job's history by its type, with `job` and `seq`, its number in that history, exactly once.
    Ids are opaque; every front end of a store understands those of the others.
    """
    text = reached if reached is not None else last_event_id
    if text and not is_cursor(text):
        raise InvalidValue("Last-Event-ID", text, "the id of an event of this stream, or none")
    if request.method == "HEAD":  # or it would not end
        return Response(headers=EVENT_STREAM, media_type="text/event-stream")

    def view(record: JobRecord) -> dict[str, Any]:
        return to_json(job_view(record, root))

    def listing(records: list[JobRecord]) -> dict[str, Any]:
        ended = [record for record in records if record.status.has_ended][:LISTED]
        shown = {record.id for record in ended}
        jobs = [view(r) for r in records if r.id in shown or not r.status.has_ended]
        return {"jobs": jobs, "total": len(records)}

    feed = Feed(store, request.app.state.job_table, view, listing)
    pace = Pace(
        poll_s=settings.events_poll_s,
        keep_alive_s=settings.events_keep_alive_s,
        stopping=request.app.state.stopping,
        has_left=request.is_disconnected,
    )
    return StreamingResponse(
        feed.follow(Cursor.parse(text or ""), pace),
        headers=EVENT_STREAM,
        media_type="text/event-stream",
    )
