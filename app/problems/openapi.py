"""The problem document's schema and how operations say which problems they answer with."""

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field

from app.problems.errors import KINDS, MEDIA_TYPE

Responses = dict[int | str, dict[str, Any]]


class FieldProblem(BaseModel):
    """One wrong field of several."""

    field: str = Field(description="Dotted name, as the client wrote it.", examples=["n"])
    value: Any = Field(description="What came, cut to 200 characters.", examples=[65])
    allowed: str = Field(description="What may come, in words.", examples=["from 1 to 64"])
    detail: str = Field(description="What is wrong, one sentence.")


class Problem(BaseModel):
    """What every error answers with (RFC 9457)."""

    type: str = Field(description="Kind of problem.", examples=["urn:cattery:problem:not-found"])
    title: str = Field(description="The kind in words.", examples=["There is no such thing"])
    status: int = Field(description="HTTP status.", examples=[404])
    detail: str = Field(
        description="What happened, with the value.", examples=["There is no model 'dgcan'."]
    )
    instance: str | None = Field(None, description="Path called.", examples=["/models/dgcan"])
    remedy: str | None = Field(None, description="What to do.", examples=["Known: dcgan."])
    field: str | None = Field(None, description="The wrong field, if it is one.")
    value: Any = Field(None, description="What came in it.")
    allowed: str | None = Field(None, description="What may come in it.")
    errors: list[FieldProblem] | None = Field(None, description="The wrong fields, if several.")
    known: list[str] | None = Field(None, description="Names that do exist.", examples=[["dcgan"]])
    missing: list[str] | None = Field(None, description="What serving lacks.")


def problems(*statuses: int) -> Responses:
    """Return the `responses=` of an operation that may answer with these statuses."""
    return {status: _response(status) for status in statuses}


def _response(status: int) -> dict[str, Any]:
    kinds = [kind for kind in KINDS.values() if kind.status == status]
    titles = "; or: ".join(dict.fromkeys(kind.title for kind in kinds))
    response: dict[str, Any] = {
        "description": titles or HTTPStatus(status).phrase,
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {
                    kind.slug: {
                        "value": {
                            "type": f"urn:cattery:problem:{kind.slug}",
                            "title": kind.title,
                            "status": status,
                            "detail": f"{kind.title}: the sentence here names the value.",
                        }
                    }
                    for kind in kinds
                },
            }
        },
    }
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response["headers"] = {
            "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}
        }
    return response
