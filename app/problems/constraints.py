"""Allowed values of a field, in words, read from the service's own OpenAPI document."""

from collections.abc import Iterable, Sequence
from typing import Any

Schema = dict[str, Any]

_NOUNS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "a string",
    "object": "an object",
    "array": "a list",
    "boolean": "true or false",
}
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "minLength": "of at least {} characters",
    "maxLength": "of at most {} characters",
    "pattern": "matching {}",
}


def allowed_values(
    document: Schema, path: str, method: str, where: str, field: Sequence[str]
) -> str:
    """Return the allowed values of a field, or the known fields if it is unknown.

    Args:
        document: The OpenAPI document.
        path: The route's template.
        method: HTTP method.
        where: "path", "query", "header" or "body".
        field: Names from the outermost inwards.
    """
    operation = _operation(document, path, method)
    if where == "body":
        content = operation.get("requestBody", {}).get("content", {})
        return _describe(document, content.get("application/json", {}).get("schema", {}), field)
    schemas = {p["name"]: p["schema"] for p in operation.get("parameters", []) if p["in"] == where}
    if where == "header":  # names of headers are case-insensitive
        schemas = {name.lower(): schema for name, schema in schemas.items()}
        field = [name.lower() for name in field]
    if not field or field[0] not in schemas:
        return _one_of(schemas)
    return _describe(document, schemas[field[0]], field[1:])


def parameter_names(document: Schema, path: str, method: str) -> list[str]:
    """Return the names of an operation's query parameters."""
    parameters = _operation(document, path, method).get("parameters", [])
    return [parameter["name"] for parameter in parameters if parameter["in"] == "query"]


def returns_picture(document: Schema, path: str, method: str) -> bool:
    """Return whether an operation returns a picture, or redirects to one."""
    responses = _operation(document, path, method).get("responses", {})
    media_types = responses.get("200", {}).get("content", {})
    return "307" in responses or any(name.startswith("image/") for name in media_types)


def _operation(document: Schema, path: str, method: str) -> Schema:
    operations = document.get("paths", {}).get(path, {})
    found: Schema = operations.get("get" if method == "HEAD" else method.lower(), {})
    return found


def _describe(document: Schema, schema: Schema, field: Sequence[str]) -> str:
    schema = _resolve(document, schema)
    properties = schema.get("properties", {})
    if field and properties:
        inner = properties.get(field[0])
        return _one_of(properties) if inner is None else _describe(document, inner, field[1:])
    if "enum" in schema:
        return _one_of(schema["enum"])
    return " ".join(filter(None, [_NOUNS.get(schema.get("type", "")), _bounds(schema)]))


def _resolve(document: Schema, schema: Schema) -> Schema:
    """Follow a reference, and take "X or null" for X."""
    options = [option for option in schema.get("anyOf", []) if option.get("type") != "null"]
    if len(options) == 1:
        return _resolve(document, options[0])
    if "$ref" not in schema:
        return schema
    name = schema["$ref"].rpartition("/")[2]
    return _resolve(document, document["components"]["schemas"][name])


def _bounds(schema: Schema) -> str:
    bounds = {key: _plain(schema[key]) for key in _BOUNDS if key in schema}
    if {"minimum", "maximum"} <= bounds.keys():
        return f"from {bounds['minimum']} to {bounds['maximum']}"
    return " and ".join(_BOUNDS[key].format(bound) for key, bound in bounds.items())


def _plain(bound: float | str) -> float | str:
    """Return 1.0 as 1: the document has every bound of a `float` field with a point."""
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound


def _one_of(names: Iterable[object]) -> str:
    return f"one of {listed}" if (listed := ", ".join(map(str, names))) else "none"
