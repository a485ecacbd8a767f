"""Training orders over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Response

from app.api.dependencies import QueueDep, RootDep, StoreDep, known_parameters_only
from app.api.schemas import JobView, TrainBody
from app.api.views import job_view
from app.jobs.service import hand_over
from app.problems.openapi import problems
from models.jobs.order import make_order
from models.store import Store
from models.store.records import JobKind, TrainingOrder

LOCATION = {"Location": {"description": "Path of the job.", "schema": {"type": "string"}}}

router = APIRouter(
    tags=["jobs"],
    dependencies=[Depends(known_parameters_only)],
    responses=problems(404, 409, 410, 422, 503),
)


@router.post(
    "/train",
    status_code=202,
    summary="Order a training job",
    operation_id="train",
    responses={202: {"description": "The job waits for its turn.", "headers": LOCATION}},
)
def train(
    body: TrainBody,
    response: Response,
    store: StoreDep,
    queue: QueueDep,
    root: RootDep,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            description="The same key and order again return the same job; with another order: "
            "409.",
            examples=["0b6b3c52-6c8e-4f4e-9d7b-7f6d3f1a2b11"],
        ),
    ] = None,
) -> JobView:
    """Check an order against its recipe and data, and queue it.

    While Redis is away nothing is written and the answer is 503.
    """
    order = _order(body, store)
    queue.check()  # before the job exists: a refused order leaves nothing behind
    record, _ = store.jobs.create(JobKind.TRAIN, order, key=key)
    hand_over(queue, record)
    response.headers["Location"] = f"{root}/jobs/{record.id}"
    return job_view(record, root)


def _order(body: TrainBody, store: Store) -> TrainingOrder:
    if body.resume_from is not None and "@" not in body.resume_from:
        store.jobs.get(body.resume_from)  # an unknown job is a 404 like any unknown thing
    return make_order(
        recipe=body.recipe,
        dataset=store.datasets.get(body.dataset),
        model=body.model,
        size_px=body.size_px,
        budget=body.budget.to_budget(),
        seed=body.seed,
        overrides=body.overrides,
        promote=body.promote,
        resume_from=body.resume_from,
        store=store,
    )
