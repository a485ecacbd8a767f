"""Blind votes between versions over HTTP."""

import asyncio
import re
from typing import Annotated

from fastapi import Depends, Header, Request

from app.api.dependencies import LimitsDep, StoreDep, known_parameters_only
from app.api.routing import Router
from app.api.schemas import VoteBody, VoteView
from app.problems.openapi import problems
from models.errors import InvalidValue
from models.store import Store
from models.store.votes import Ref, Tally

router = Router(
    tags=["votes"],
    dependencies=[Depends(known_parameters_only)],
    responses=problems(422, 503),
)

# Also behind a path, or as a whole address: what a page has at hand.
_PERMALINK = re.compile(r"(?:.{0,500})/cats/([^/@?#]{1,63})@([0-9a-f]{12})/\d{1,16}\.(?:png|webp)")


@router.post(
    "/votes",
    summary="Vote for one of two cats",
    operation_id="vote",
    responses=problems(404, 409, 410, 429),
)
async def vote(
    request: Request,
    body: VoteBody,
    store: StoreDep,
    limits: LimitsDep,
    key: Annotated[
        str,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            description="A new one for each pair that is shown: a repeated vote counts once.",
            examples=["0b6b3c52-6c8e-4f4e-9d7b-7f6d3f1a2b11"],
        ),
    ],
) -> VoteView:
    """Count a vote between two versions, and return the tally of the first against the second.

    `GET /models/{model}` has the tallies of all versions. A pair keeps 2000 votes.
    """
    await limits.charge(limits.votes, request)
    return await asyncio.to_thread(_vote, body, store, key)


def _vote(body: VoteBody, store: Store, key: str) -> VoteView:
    one, other = (_shown(store, f"shown.{n}", link) for n, link in enumerate(body.shown))
    if one == other:
        raise InvalidValue("shown", body.shown, "permalinks of two different versions")
    chosen = None if body.chosen is None else _version("chosen", body.chosen)
    if chosen not in (one, other, None):
        raise InvalidValue("chosen", body.chosen, "one of the permalinks in `shown`, or null")
    counted = store.votes.add((one, other), chosen, key)
    tally = store.votes.tallies(one[0]).get(one[1], {}).get(other)
    return VoteView(counted=counted, votes=tally or Tally.of(0, 0, 0))


def _shown(store: Store, field: str, link: str) -> Ref:
    model, version = _version(field, link)
    store.versions.card(model, version)  # raises for one that is unknown or deleted
    return model, version


def _version(field: str, link: str) -> Ref:
    found = _PERMALINK.fullmatch(link)
    if found is None:
        raise InvalidValue(field, link, "a permalink, /cats/{model}@{version}/{seed}.png")
    return found[1], found[2]
