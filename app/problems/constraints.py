"""What a field may hold, in words, read from the service's own OpenAPI document."""

from collections.abc import Sequence
from typing import Any

Schema = dict[str, Any]


class Ranges:
    """Answers which values an operation's fields allow.

    Args:
        document: The OpenAPI document.
    """

    def __init__(self, document: Schema) -> None:
        self._document = document

    def of(self, path: str, method: str, where: str, field: Sequence[str]) -> str:
        """Return what a field allows, or "" where the document does not say.

        Args:
            path: The route's template.
            method: HTTP method.
            where: "path", "query", "header" or "body".
            field: Names from the outermost inwards.
        """
        operation = self._operation(path, method)
        if where == "body":
            content = operation.get("requestBody", {}).get("content", {})
            return self._at(content.get("application/json", {}).get("schema", {}), field)
        parameters = [p for p in operation.get("parameters", []) if p["in"] == where]
        for parameter in parameters:
            if field and parameter["name"].lower() == field[0].lower():
                return self._words(parameter["schema"])
        return _one_of(p["name"] for p in parameters)

    def names(self, path: str, method: str, where: str) -> list[str]:
        """Return the names of an operation's parameters in "path", "query" or "header"."""
        parameters = self._operation(path, method).get("parameters", [])
        return [parameter["name"] for parameter in parameters if parameter["in"] == where]

    def _operation(self, path: str, method: str) -> Schema:
        operations = self._document.get("paths", {}).get(path, {})
        found: Schema = operations.get("get" if method == "HEAD" else method.lower(), {})
        return found

    def _at(self, schema: Schema, field: Sequence[str]) -> str:
        schema = self._resolved(schema)
        properties = schema.get("properties", {})
        if not field or not properties:
            return self._words(schema)
        if field[0] not in properties:
            return _one_of(properties)
        return self._at(properties[field[0]], field[1:])

    def _resolved(self, schema: Schema) -> Schema:
        """Follow a reference, and take "X or nothing" for X."""
        options = [o for o in schema.get("anyOf", []) if o.get("type") != "null"]
        if len(options) == 1:
            return self._resolved(options[0])
        reference = schema.get("$ref", "")
        if not reference:
            return schema
        schemas = self._document.get("components", {}).get("schemas", {})
        return self._resolved(schemas.get(reference.rpartition("/")[2], {}))

    def _words(self, schema: Schema) -> str:
        schema = self._resolved(schema)
        if "enum" in schema:
            return _one_of(schema["enum"])
        kind = str(schema.get("type", ""))
        noun = {
            "integer": "a whole number",
            "number": "a finite number",
            "string": "a text",
            "object": "an object",
            "array": "a list",
            "boolean": "true or false",
        }.get(kind, "")
        return " ".join(filter(None, [noun, *_limits(schema)]))


def _limits(schema: Schema) -> list[str]:
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    shortest, longest = schema.get("minLength"), schema.get("maxLength")
    words = [
        "" if low is None else f"from {_number(low)}",
        "" if above is None else f"above {_number(above)}",
        "" if high is None else f"to {_number(high)}",
        "" if below is None else f"below {_number(below)}",
        "" if shortest is None else f"of at least {shortest} characters",
        "" if longest is None else f"of at most {longest} characters",
        f"matching {schema['pattern']}" if "pattern" in schema else "",
    ]
    return [word for word in words if word]


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:g}"


def _one_of(names: Any) -> str:
    listed = ", ".join(map(str, names))
    return f"one of {listed}" if listed else "none"
