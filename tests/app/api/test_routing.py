"""Tests of app.api.routing: what holds for every operation, read from the OpenAPI document."""

import re

import pytest

from tests.app.client import problem_of
from tests.app.fake_engine import put_into_service
from tests.app.ordering import add_dataset, ended_job

ORDER = '{"recipe": "dcgan", "dataset": "cats", "budget": {"kimg": 1}}'
AS_JSON = {"content-type": "application/json"}


@pytest.fixture
def address(api, tmp_path):
    """Return a function that fills the names of existing things into a path."""
    card, job = put_into_service(api.store, 1), ended_job(api.store)
    api.store.jobs.save_sample(job.id, "1", b"a sheet")
    add_dataset(api.store, tmp_path)
    api.run(api.app.state.pool.refresh_all())
    names = {
        "model": "dcgan",
        "version": card.version,
        "seed": "7",
        "format": "png",
        "from": "3",
        "to": "11",
        "job": job.id,
        "kimg": "1",
        "name": "cats",
        "reason": "duplicate",
    }

    def fill(path: str) -> str:
        path = path.replace("{name}", "dcgan") if path.startswith("/recipes") else path
        path = path.replace("{format}", "webp") if "/walk/" in path else path
        return re.sub(r"\{(\w+)\}", lambda match: names[match[1]], path)

    return fill


def test_every_get_answers_head_with_the_same_headers(api, document, address):
    """RFC 9110, 9.3.2: the headers of GET, without those that only the content shows."""
    volatile = {"x-request-id", "content-length"}
    endless = {"/events"}
    asked = [path for path, item in document["paths"].items() if "get" in item]
    asked = [path for path in asked if path not in endless]
    assert len(asked) > 15
    seeds = {"/cats": "?seed=7", "/cats/walk": "?from=1&to=2"}  # or each answer is another's
    asked = [path + seeds.get(path, "") for path in asked]
    for path in [*map(address, asked), "/docs", "/openapi.json"]:
        head, get = api.ask("HEAD", path), api.get(path)
        assert head.status_code == get.status_code, path
        expected = {k: v for k, v in get.headers.items() if k not in volatile}
        assert {k: v for k, v in head.headers.items() if k not in volatile} == expected, path


def test_a_method_that_a_path_lacks_names_all_that_it_has(api, document, address):
    for path, item in document["paths"].items():
        methods = {method.upper() for method in item}
        methods |= {"HEAD"} if "GET" in methods else set()
        for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - methods:
            headers = AS_JSON if method == "POST" else {}
            response = api.ask(method, address(path), headers=headers)
            if method == "POST" and path == "/datasets/{name}":
                continue
            assert response.status_code == 405, (method, path)
            if method != "HEAD":
                problem_of(response, 405)
            allowed = set(response.headers["allow"].split(", "))
            assert allowed == methods, (method, path)


@pytest.mark.parametrize(
    ("query", "is_picture"),
    [
        ("/cats", True),
        ("/cats/dcgan@{version}/{seed}.png", True),
        ("/cats/walk", True),
        ("/cats/dcgan@{version}/walk/{from}-{to}.webp", True),
        ("/models/dcgan/versions/{version}/samples.png", True),
        ("/jobs/{job}/samples/1.png", True),
        ("/datasets/cats/preview.png", True),
        ("/jobs", False),
        ("/models", False),
        ("/jobs/{job}", False),
    ],
)
def test_strangers_among_parameters_are_ignored_for_pictures_alone(api, address, query, is_picture):
    """People append ?time= to get past caches; an order or a list says that it knows no such."""
    path = address(query)
    usual = api.get(path).status_code
    response = api.get(f"{path}?time=1&utm_source=a&time=2")
    assert response.status_code == (usual if is_picture else 422)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/jobs?limit=1&limit=1"),
        ("GET", "/cats?n=1&n=2"),
        ("GET", "/cats/walk?from=1&from=2"),
        ("GET", "/cats/dcgan@{version}/walk/{from}-{to}.webp?frames=2&frames=3"),
        ("GET", "/cats/dcgan@{version}/{seed}.png?near=1&near=2"),
        ("POST", "/datasets/new?license=a&license=b"),
    ],
)
def test_a_parameter_given_twice_is_refused_everywhere(api, address, method, path):
    headers = {"content-type": "application/zip"} if method == "POST" else {}
    document = problem_of(api.ask(method, address(path), headers=headers), 422, "invalid-value")
    assert len(document["value"]) == 2
    assert "only once" in document["detail"]


@pytest.mark.parametrize(
    "body", [b"{", b'{"a": 1,}', b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}", b"\xff", b"nul"]
)
@pytest.mark.parametrize("path", ["/train", "/models/dcgan/promote"])
def test_what_is_no_json_is_always_told_the_same_way(api, document, path, body):
    response = api.post(path, content=body, headers=AS_JSON)
    told = problem_of(response, 400, "malformed-body")
    assert told["detail"].startswith("The body is not valid JSON: ")
    template = path.replace("dcgan", "{model}")
    assert "400" in document["paths"][template]["post"]["responses"]


def test_a_field_given_twice_is_refused(api):
    """One parser would take the first budget, another the last."""
    twice = ORDER.replace('"budget"', '"budget": {"minutes": 2}, "budget"')
    document = problem_of(api.post("/train", content=twice, headers=AS_JSON), 422)
    assert document["field"] == "budget"
    assert document["detail"] == "budget occurs 2 times."
