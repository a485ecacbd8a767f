"""The OpenAPI document with examples, problem documents and the key."""

import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.http.scopes import REQUIRED, SAFE_METHODS
from app.http.security import JSON
from app.problems.openapi import Problem, problems

EXAMPLES: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("examples.json").read_text(encoding="utf-8")
)
"""Examples by the name of their schema; a test validates each."""

TAGS = [
    {"name": "cats", "description": "Pictures."},
    {"name": "models", "description": "Trained generators and their versions."},
    {"name": "votes", "description": "Blind comparisons of versions."},
    {"name": "recipes", "description": "How to train."},
    {"name": "jobs", "description": "Training and imports: submit, follow, cancel."},
    {"name": "datasets", "description": "Pictures to train on."},
    {"name": "health", "description": "Liveness, readiness, metrics."},
]

_REFERENCE = "#/components/schemas/{model}"
_KEY = {
    "type": "http",
    "scheme": "bearer",
    "description": "A key, if any is configured: the one in CATTERY_API_KEY, or one of `cattery "
    "keys add` with the scope that the call names. Reading requires no key.",
}


def describe(app: FastAPI) -> None:
    """Add the responses of the gate and the exception handlers to the app's OpenAPI document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _complete(_generated(app))
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way


def _generated(app: FastAPI) -> dict[str, Any]:
    return get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description="Errors are problem documents (RFC 9457). On loopback no key is needed.",
        routes=app.routes,
        tags=app.openapi_tags,
    )


def _complete(document: dict[str, Any]) -> dict[str, Any]:
    parts = document.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template=_REFERENCE)
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    # FastAPI documents its own form of a 422, which our handlers replace.
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for name, example in EXAMPLES.items():
        schemas[name]["examples"] = [example]
    parts["securitySchemes"] = {"key": _KEY}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete_operation(path, method.upper(), operation)
    return document


def _complete_operation(path: str, method: str, operation: dict[str, Any]) -> None:
    """Add the responses of the gate, which comes before the routes."""
    answers = operation["responses"]
    common = [403, 500]
    if JSON in operation.get("requestBody", {}).get("content", {}):
        common.append(400)
    if "422" in answers:
        answers["422"] = problems(422)[422]
    if method not in SAFE_METHODS:
        common += [401, 413, 415] if method == "POST" else [401, 413]
        operation["security"] = [{}, {"key": [REQUIRED[method, path].value]}]
    for status, response in problems(*common).items():
        answers.setdefault(str(status), response)
    operation["responses"] = dict(sorted(answers.items()))
    for parameter in operation.get("parameters", []):
        parameter["schema"] = _without_null(parameter["schema"])


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return "X or null" as X: an address or a header has no null, and leaves X out instead."""
    options: list[dict[str, Any]] = [
        option for option in schema.get("anyOf", []) if option != {"type": "null"}
    ]
    if len(options) != 1:
        return schema
    return options[0] | {name: value for name, value in schema.items() if name != "anyOf"}
