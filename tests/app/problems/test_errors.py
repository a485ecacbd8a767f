"""Tests of app.problems.errors and app.problems.handlers."""

import inspect

import pytest

from app.problems import errors
from app.problems.errors import KINDS, Busy, Unauthorized, kind_of, problem, problem_response
from models.errors import CatteryError, NotFound, RecipeError, StoreError
from tests.app.client import problem_of


def test_every_error_of_the_app_has_a_status_of_its_own():
    """No error of ours reaches a client as a nameless 500, settings' errors aside."""
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass)]
    ours = [c for c in classes if issubclass(c, CatteryError)]
    names = {c.__name__ for c in ours if kind_of(c.__new__(c)) is errors.INTERNAL}
    assert names == {"AppError", "CatteryError", "SettingsError", "Unavailable"}


def test_a_wrong_value_is_told_with_its_range():
    document = problem(RecipeError("overrides.ema", float("nan"), "0 to 1"), "/train")
    assert document["status"] == 422
    assert (document["field"], document["allowed"]) == ("overrides.ema", "0 to 1")
    assert document["value"] == "nan"
    assert document["remedy"] == "Allowed: 0 to 1."
    assert document["instance"] == "/train"


def test_an_unknown_thing_is_told_with_the_known_ones():
    assert problem(NotFound("model", "dgcan", ["dcgan"]))["known"] == ["dcgan"]


@pytest.mark.parametrize(
    ("error", "header", "value"),
    [
        (Busy("Full.", retry_after_s=7), "retry-after", "7"),
        (StoreError("The store is away."), "retry-after", "5"),
        (Unauthorized(), "www-authenticate", 'Bearer realm="cattery"'),
    ],
)
def test_statuses_bring_their_headers(error, header, value):
    assert problem_response(error).headers[header] == value


def test_titles_and_kinds_are_distinct():
    slugs = [kind.slug for kind in KINDS.values()]
    assert len(slugs) == len(set(slugs))


def test_an_unknown_page_is_a_problem(api):
    document = problem_of(api.get("/kats"), 404, "not-found")
    assert "/kats" in document["detail"]


def test_a_wrong_method_names_the_right_ones(api):
    response = api.post("/recipes")
    document = problem_of(response, 405)
    assert response.headers["allow"] == "GET, HEAD"
    assert "GET" in document["remedy"]


def test_an_accident_says_nothing_of_our_inside(api, monkeypatch):
    def fail(*_):
        raise RuntimeError("secret path /home/cat")

    monkeypatch.setattr(api.store.jobs, "list", fail)
    response = api.get("/jobs")
    problem_of(response, 500, "internal-error")
    assert "secret" not in response.text


def test_several_wrong_fields_are_told_together(api):
    body = {"recipe": 5, "dataset": "cats", "budget": {"kimg": -1}, "colour": "red"}
    document = problem_of(api.post("/train", json=body), 422, "invalid-value")
    found = {error["field"]: error for error in document["errors"]}
    assert set(found) == {"recipe", "budget.kimg", "colour"}
    assert found["budget.kimg"]["value"] == -1
    assert found["budget.kimg"]["allowed"] == "a number above 0 and at most 1000000"
    assert "resume_from" in found["colour"]["allowed"]


def test_a_wrong_parameter_names_its_range_and_an_unknown_one_the_known_ones(api):
    document = problem_of(api.get("/jobs?limit=0"), 422, "invalid-value")
    assert (document["field"], document["value"]) == ("limit", "0")
    assert document["allowed"] == "a whole number from 1 to 1000"
    document = problem_of(api.get("/jobs?limt=5"), 422, "invalid-value")
    assert (document["field"], document["allowed"]) == ("limt", "one of status, kind, limit")
    assert document["detail"] == "Unknown query parameter 'limt'."


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}", b"\xff"])
def test_a_body_that_is_no_json_is_the_clients_fault(api, body):
    response = api.post("/train", content=body, headers={"content-type": "application/json"})
    assert 400 <= response.status_code < 500
    problem_of(response, response.status_code)
