"""The schema of problem documents, and the error responses of operations."""

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field

from app.problems.errors import KINDS, MEDIA_TYPE

Responses = dict[int | str, dict[str, Any]]

_RATE_LIMIT = {
    "description": "Limit and what is left of it (draft-ietf-httpapi-ratelimit-headers-10).",
    "schema": {"type": "string"},
}


class FieldProblem(BaseModel):
    """One of several invalid fields."""

    field: str = Field(description="Dotted name, as in the request.", examples=["n"])
    value: Any = Field(
        description="The value in the request, cut to 200 characters.", examples=[65]
    )
    allowed: str = Field(description="Allowed values, in words.", examples=["from 1 to 64"])
    detail: str = Field(description="What is wrong, one sentence.")


class Problem(BaseModel):
    """The body of every error response (RFC 9457)."""

    type: str = Field(description="Kind of problem.", examples=["urn:cattery:problem:not-found"])
    title: str = Field(description="The type in words.", examples=["Not found"])
    status: int = Field(description="HTTP status.", examples=[404])
    detail: str = Field(
        description="What happened, with the value that caused it.",
        examples=["There is no model 'dgcan'."],
    )
    instance: str | None = Field(
        None, description="Path of the request.", examples=["/models/dgcan"]
    )
    remedy: str | None = Field(None, description="What to do about it.", examples=["Known: dcgan."])
    field: str | None = Field(None, description="The invalid field, if there is one.")
    value: Any = Field(None, description="The value in the request.")
    allowed: str | None = Field(None, description="Allowed values, in words.")
    errors: list[FieldProblem] | None = Field(
        None, description="The invalid fields, if there are several."
    )
    known: list[str] | None = Field(None, description="Existing names.", examples=[["dcgan"]])
    missing: list[str] | None = Field(
        None, description="What is missing for serving cats, one sentence each."
    )


def problems(*statuses: int) -> Responses:
    """Return the `responses=` of an operation for these statuses."""
    return {status: _response(status) for status in statuses}


def _response(status: int) -> dict[str, Any]:
    titles = "; or: ".join(kind.title for kind in KINDS.values() if kind.status == status)
    response: dict[str, Any] = {
        "description": titles or HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        seconds = {"description": "Seconds to wait.", "schema": {"type": "integer"}}
        response["headers"] = {"Retry-After": seconds}
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        response["headers"] |= dict.fromkeys(("RateLimit", "RateLimit-Policy"), _RATE_LIMIT)
    return response
