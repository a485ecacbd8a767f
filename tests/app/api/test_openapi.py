"""Tests of app.api.openapi, app.problems.openapi and app.problems.constraints."""

import re

import pytest
from pydantic import TypeAdapter

from app.api import schemas
from app.api.openapi import EXAMPLES
from app.http.scopes import REQUIRED, SAFE_METHODS
from app.problems.constraints import allowed_values
from app.problems.handlers import MAX_ERRORS
from tests.app.client import problem_of

PROBLEM = {"$ref": "#/components/schemas/Problem"}


def operations(document):
    """Yield path, method and description of every call."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def test_every_call_has_a_name_a_summary_and_a_known_tag(document):
    ids = [operation["operationId"] for *_, operation in operations(document)]
    assert len(ids) == len(set(ids))
    assert [name for name in ids if not re.fullmatch(r"[a-z]+(_[a-z]+){0,2}", name)] == []
    tags = {tag["name"] for tag in document["tags"]}
    for path, _, operation in operations(document):
        assert operation["summary"], path
        assert operation["description"], path
        assert set(operation["tags"]) <= tags, path


def test_every_error_is_documented_as_a_problem(document):
    for path, method, operation in operations(document):
        errors = {status for status in operation["responses"] if status >= "400"}
        expected = {"403", "500"} | (set() if method in SAFE_METHODS else {"401", "413"})
        expected |= {"415"} if method == "POST" else set()
        assert expected <= errors, (path, method)
        for status in errors:
            content = operation["responses"][status]["content"]
            assert content["application/problem+json"]["schema"] == PROBLEM, (path, status)
            assert set(content) == {"application/problem+json"}, (path, status)


def test_every_call_with_a_name_in_it_may_not_find_it(document):
    for path, _, operation in operations(document):
        if "{" in path and operation["operationId"] != "import_dataset":
            assert "404" in operation["responses"], path


def test_changes_name_the_key(document):
    for path, method, operation in operations(document):
        scopes = [{}, {"key": [REQUIRED[method, path]]}] if method not in SAFE_METHODS else None
        assert operation.get("security") == scopes, path


def test_every_change_is_in_the_table_of_scopes_and_nothing_else_is(document):
    changes = {(method, path) for path, method, _ in operations(document)}
    assert {call for call in changes if call[0] not in SAFE_METHODS} == set(REQUIRED)


def test_every_reference_leads_somewhere(document):
    names = set(re.findall(r"#/components/schemas/([A-Za-z_-]+)", str(document)))
    assert names <= set(document["components"]["schemas"])
    assert not names & {"HTTPValidationError", "ValidationError"}


def test_bodies_and_parameters_have_examples_or_defaults(document):
    for path, _, operation in operations(document):
        for parameter in operation.get("parameters", []):
            if parameter.get("required"):
                schema = parameter["schema"]
                told = {"example", "examples", "default", "enum"} & {*parameter, *schema}
                assert told, (path, parameter["name"])
    assert document["components"]["schemas"]["TrainBody"]["examples"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_what_their_schema_says(name):
    adapter = TypeAdapter(getattr(schemas, name))
    example = EXAMPLES[name]
    assert adapter.dump_python(adapter.validate_python(example), mode="json") == example


def test_ranges_are_told_in_words(document):
    def allowed(path, method, where, *field):
        return allowed_values(document, path, method, where, field)

    assert allowed("/cats", "GET", "query", "n") == "a whole number from 1 to 64"
    assert allowed("/cats", "HEAD", "query", "n") == "a whole number from 1 to 64"
    assert allowed("/train", "POST", "body", "promote") == "one of if_better, always, never"
    assert allowed("/train", "POST", "body", "budget", "hours") == "one of kimg, minutes"
    assert allowed("/train", "POST", "body", "model") == "a string of at most 100 characters"
    assert allowed("/nowhere", "GET", "query", "n") == "none"


def test_errors_are_told_up_to_a_number(api):
    body = {f"wrong-{number}": 1 for number in range(1000)}
    assert len(problem_of(api.post("/train", json=body), 422)["errors"]) == MAX_ERRORS


NONSENSE = ("%00 %ff ..%2f.. %F0%9F%90%88 -1 @ %0d%0aX:1 {} nan " + "a" * 3000).split()
"""What nobody should put into an address."""


def test_garbage_in_addresses_never_breaks_anything(api, document):
    """Every call with nonsense for names and parameters answers as a 4xx problem, or not at all."""
    for path, method, operation in operations(document):
        for value in NONSENSE:
            url = re.sub(r"\{[^}]+\}", value, path)
            known = operation.get("parameters", [])
            query = "&".join(f"{p['name']}={value}" for p in known if p["in"] == "query")
            response = api.ask(method, f"{url}?{query}" if query else url)
            where = (method, url[:80], response.text[:300])
            if "{" in path or query or method != "GET":
                assert 400 <= response.status_code < 500, where
                problem_of(response, response.status_code)
            else:
                assert response.status_code in (200, 404, 503), where


GARBAGE = [
    *(b"null", b"[]", b'"x"', b"5", b"\x00\xff", b'{"a":' * 5000),
    b'{"recipe": null, "dataset": {}, "budget": [], "overrides": 7}',
    b'{"recipe": "\\ud800", "dataset": "\\u0000", "budget": {"kimg": 1}}',
    b'{"version": "\\ud800"}',
    b'{"version": ["dcgan"]}',
    b'{"recipe": "dcgan", "dataset": "cats", "budget": {"kimg": 1}, "overrides": {"": {}}}',
]


@pytest.mark.parametrize("body", GARBAGE)
def test_garbage_in_bodies_never_breaks_anything(api, document, body):
    for path, method, _ in operations(document):
        if method in SAFE_METHODS:
            continue
        kind = "application/zip" if path == "/datasets/{name}" else "application/json"
        url = re.sub(r"\{[^}]+\}", "cats", path)
        response = api.ask(method, url, content=body, headers={"content-type": kind})
        assert 400 <= response.status_code < 500, (method, url, response.text[:300])
        problem_of(response, response.status_code)


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_an_idempotency_key_has_a_length(api, key):
    body = {"recipe": "dcgan", "dataset": "cats", "budget": {"kimg": 1}}
    response = api.post("/train", json=body, headers={"idempotency-key": key})
    assert problem_of(response, 422)["field"] == "Idempotency-Key"
