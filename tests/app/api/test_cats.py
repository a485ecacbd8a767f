"""Tests of app.api.cats over HTTP, without a socket."""

import asyncio
import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from app.http.negotiation import Format
from app.inference.slot import load_engine
from models.inference.latents import MAX_SEED
from tests.app.client import client_of, parts_of, pixels_of, problem_of
from tests.app.fake_engine import SIZE_PX, publish, publish_real, put_into_service, red_of, until

NO_NUMBERS = ("0", "65", "cat", "", "1.5", "-1", "9" * 400)


def engine_of(app):
    return app.state.pool.serving()["dcgan"].engine


def test_a_sheet_has_its_cats_edge_to_edge_row_by_row(ask, version):
    """Five cats in the least square: three columns, two rows, the last place black."""
    response = ask("/cats?n=5&seed=20")
    sheet = pixels_of(response.content)
    assert sheet.shape == (2 * SIZE_PX, 3 * SIZE_PX, 3)
    tiles = sheet.reshape(2, SIZE_PX, 3, SIZE_PX, 3).swapaxes(1, 2).reshape(6, SIZE_PX, SIZE_PX, 3)
    assert tiles[:, 0, 0, 1].tolist() == [20, 21, 22, 23, 24, 0]
    assert tiles[5].max() == 0
    assert response.headers["content-type"] == "image/png"
    assert f"dcgan@{version}-20-24.png" in response.headers["content-disposition"]


@pytest.mark.parametrize(("columns", "shape"), [(1, (5, 1)), (5, (1, 5)), (8, (1, 8))])
def test_columns_lay_the_sheet_out(ask, version, columns, shape):
    sheet = pixels_of(ask(f"/cats?n=5&seed=1&columns={columns}").content)
    assert (shape[0] * SIZE_PX, shape[1] * SIZE_PX, 3) == sheet.shape


def test_the_answer_says_where_it_came_from(ask, version):
    response = ask("/cats?n=3&seed=7")
    told = {"Cattery-Model": "dcgan", "Cattery-Version": version, "Cattery-Seeds": "7-9"}
    assert {name: response.headers[name] for name in told} == told
    assert told.items() <= Image.open(io.BytesIO(response.content)).info.items()
    cat = Image.open(io.BytesIO(ask("/cats?seed=7").content)).info
    assert ("7", version) == (cat["Cattery-Seed"], cat["Cattery-Version"])
    assert cat["Software"].startswith("Cattery ")


async def test_one_cat_is_the_same_bytes_in_every_wrapping(serving, store):
    """n=1, the permalink, each file of a zip and each part, alone and in a crowd, are equal."""
    card = publish_real(store, 1)
    async with serving(load=load_engine) as (_, client):

        async def permalinks():
            links = [f"/cats/dcgan@{card.version}/{seed}.png" for seed in range(5, 17)]
            answers = await asyncio.gather(*[client.get(link) for link in links])
            return [answer.content for answer in answers]

        alone = [(await client.get(f"/cats?seed={seed}")).content for seed in range(5, 17)]
        crowd, again, bundle, parts, _ = await asyncio.gather(
            permalinks(),
            permalinks(),
            client.get("/cats?n=12&seed=5&format=zip"),
            client.get("/cats?n=12&seed=5&format=multipart"),
            client.get("/cats?n=64"),
        )
        archive = zipfile.ZipFile(io.BytesIO(bundle.content))
        zipped = [archive.read(name) for name in archive.namelist()]
        assert [f"dcgan@{card.version}-{s}.png" for s in range(5, 17)] == archive.namelist()
        assert alone == crowd == again == zipped
        assert len(parts_of(parts)) == 12
        for png, part in zip(alone, parts_of(parts), strict=True):
            assert png in parts.content
            assert part.get_content_type() == "image/png"
        sheet = pixels_of((await client.get("/cats?n=12&seed=5&columns=12")).content)
        assert np.array_equal(sheet, np.hstack([pixels_of(png) for png in alone]))


async def test_json_tells_permalinks_without_rendering(app, client, store, version):
    """Each cat's seed and address, which can then be fetched."""
    response = await client.get("/cats?n=2&seed=3", headers={"Accept": "application/json"})
    listing = response.json()
    assert ("dcgan", version) == (listing["model"], listing["version"])
    assert [cat["seed"] for cat in listing["cats"]] == [3, 4]
    assert engine_of(app).batches[1:] == []
    cat = await client.get(listing["cats"][1]["permalink"])
    assert cat.status_code == 200
    assert cat.headers["cattery-seeds"] == "4"


@pytest.mark.parametrize("query", [*(f"format={each}" for each in Format), "near=7"])
def test_without_a_seed_the_cats_are_random_and_not_kept(ask, version, query):
    """A random seed is told, differs, and the answer must not be stored."""
    answers = [ask(f"/cats?n=2&{query}") for _ in range(2)]
    assert [answer.headers["cache-control"] for answer in answers] == ["no-store"] * 2
    assert not any("etag" in answer.headers for answer in answers)
    assert len({answer.headers["cattery-seeds"] for answer in answers}) == 2


@pytest.mark.parametrize(
    "query", ["seed=7", "seed=7&n=4", "seed=7&n=4&format=zip", "seed=1&format=json"]
)
async def test_a_seed_of_a_movable_model_is_checked_each_time(app, client, store, version, query):
    """no-cache and a strong tag; 304 while the version stays, 200 after it moved."""
    first = await client.get(f"/cats?{query}")
    assert first.headers["cache-control"] == "no-cache"
    tag = {"If-None-Match": first.headers["etag"]}
    second = await client.get(f"/cats?{query}", headers=tag)
    assert (second.status_code, second.content) == (304, b"")
    assert first.headers["etag"] == second.headers["etag"]
    put_into_service(store, 2)
    await app.state.pool.refresh("dcgan")
    third = await client.get(f"/cats?{query}", headers=tag)
    assert third.status_code == 200
    assert first.content != third.content
    assert first.headers["etag"] != third.headers["etag"]


async def test_a_named_version_is_fixed_and_serves_what_is_not_in_service(client, store, version):
    """model=name@version gives that version, whatever is in service, for ever."""
    other = publish(store, 2)
    response = await client.get(f"/cats?model=dcgan@{other.version}&seed=1&n=4")
    assert red_of(2) == pixels_of(response.content)[0, 0, 0]
    assert "immutable" in response.headers["cache-control"]
    short = await client.get(f"/cats?model=dcgan@{other.version[:6]}&seed=1")
    assert other.version == short.headers["cattery-version"]
    assert short.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "query",
    [
        "n=1&seed=4",
        "n=3&seed=4",
        "n=3&format=zip",
        "n=2&format=json",
        "n=1&format=webp",
        "n=3&seed=4&format=webp",
        "n=3&seed=4&format=zip&encoding=webp",
    ],
)
async def test_content_location_has_the_same_bytes_for_ever(client, version, query):
    """Where an answer says it can be had, it can be had, immutable, byte for byte."""
    first = await client.get(f"/cats?{query}")
    again = await client.get(first.headers["content-location"])
    assert first.content == again.content
    assert "immutable" in again.headers["cache-control"]


async def test_a_permalink_is_immutable_and_known_without_rendering(app, client, version):
    """200 once; then 304 and HEAD without a forward pass."""
    engine = engine_of(app)
    link = f"/cats/dcgan@{version}/7.png"
    head = await client.head(link)
    assert (head.status_code, head.content) == (200, b"")
    assert "content-length" not in head.headers
    kept = await client.get(link, headers={"If-None-Match": head.headers["etag"]})
    assert kept.status_code == 304
    assert engine.batches == []
    cat = await client.get(link)
    assert engine.batches == [[7]]
    del head.headers["x-request-id"]
    assert head.headers.items() <= cat.headers.items()
    assert cat.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert f'inline; filename="dcgan@{version}-7.png"' == cat.headers["content-disposition"]
    one = await client.get("/cats?seed=7")
    assert (one.content, one.headers["etag"]) == (cat.content, cat.headers["etag"])


async def test_anything_but_the_full_address_is_sent_to_it(client, store, version):
    """A short id, an alias or a padded seed is redirected to the one permalink."""
    full = f"/cats/dcgan@{version}/7.png"
    for ref, seed in ((version[:5], "7"), ("serving", "7"), (version, "007")):
        response = await client.get(f"/cats/dcgan@{ref}/{seed}.png")
        assert (307, full) == (response.status_code, response.headers["location"])


@pytest.mark.parametrize(
    ("query", "field", "said"),
    [
        *((f"n={n}", "n", "a whole number from 1 to 64") for n in NO_NUMBERS),
        ("seed=-1", "seed", f"from 0 to {MAX_SEED}"),
        (f"seed={MAX_SEED + 1}", "seed", f"from 0 to {MAX_SEED}"),
        (f"seed={MAX_SEED}&n=2", "seed", f"0 to {MAX_SEED - 1}"),
        ("columns=0", "columns", "from 1 to 64"),
        ("columns=65", "columns", "from 1 to 64"),
        ("format=gif", "format", "png, webp, zip, multipart, json"),
        ("encoding=gif", "encoding", "png, webp"),
        ("encoding=webp", "encoding", "zip, multipart or json"),
        ("format=webp&encoding=png", "encoding", "zip, multipart or json"),
        ("near=-1", "near", f"from 0 to {MAX_SEED}"),
        ("near=7&distance=1.5", "distance", "from 0 to 1"),
        ("near=7&distance=nan", "distance", "from 0 to 1"),
        ("near=7&distance=0.1234", "distance", "at most 3 decimals"),
        ("distance=0.5", "distance", "only with near"),
        ("truncation=0.05", "truncation", "from 0.1 to 1"),
        ("truncation=0.7001", "truncation", "at most 3 decimals"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_range(ask, version, query, field, said):
    response = ask(f"/cats?{query}")
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert field == problem["field"]
    assert said in problem["allowed"]


@pytest.mark.parametrize("path", ["/cats?seed={max}", "/cats?n=64&seed={last}"])
def test_the_largest_seeds_are_cats(ask, version, path):
    assert ask(path.format(max=MAX_SEED, last=MAX_SEED - 63)).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/cats?model=tiger", 404, "dcgan"),
        ("/cats?model=dcgan@ffffffffffff", 404, "{version}"),
        ("/cats?model=..%2F..%2Fetc", 404, "dcgan"),
        ("/cats/dcgan@ffffffffffff/1.png", 404, "{version}"),
        ("/cats/tiger@{version}/1.png", 404, "dcgan"),
        (f"/cats/dcgan@{{version}}/{MAX_SEED + 1}.png", 422, str(MAX_SEED)),
        ("/cats/dcgan@{version}/minus.png", 422, str(MAX_SEED)),
        ("/cats/dcgan@{version}/1.gif", 422, "png, webp"),
        ("/cats/dcgan@{version}/1.png?near=7&distance=2", 422, "from 0 to 1"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_is_not_there_is_told_with_what_is(ask, version, path, status, said, method):
    response = ask(path.format(version=version), method)
    assert status == response.status_code
    if method == "GET":
        assert said.format(version=version) in response.text


def test_an_accept_header_that_cannot_be_met_is_406(ask, version):
    """Nobody is sent a PNG who takes only HTML; a named format comes all the same."""
    html = {"Accept": "text/html"}
    response = ask("/cats", headers=html)
    assert response.status_code == 406
    assert "application/zip" in response.json()["remedy"]
    named = ask("/cats?format=zip", headers=html)
    assert named.headers["content-type"] == "application/zip"
    assert "vary" not in named.headers
    assert ask("/cats").headers["vary"] == "Accept"


async def test_a_full_house_answers_503_at_once(serving, store, version, telemetry):
    """Busy comes while the device is still busy, with Retry-After; others are served later."""
    async with serving(max_waiting_images=64) as (app, client):
        engine = engine_of(app)
        engine.may_go.clear()
        first = asyncio.create_task(client.get("/cats?n=16"))
        await until(engine.is_busy.is_set)
        waits = asyncio.create_task(client.get("/cats?n=64"))
        await until(lambda: app.state.batcher.waiting == 64)
        refused = await client.get("/cats?n=1")
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
        engine.may_go.set()
        assert [(await task).status_code for task in (first, waits)] == [200, 200]
        seen = {"route": "/cats", "method": "GET", "status": "503"}
        count = telemetry.registry.get_sample_value
        assert count("cattery_requests_total", seen) == 1
        assert count("cattery_refused_total", {"reason": "busy"}) == 1


async def test_what_comes_too_late_is_504(serving, store, version):
    async with serving(deadline_s=0.05) as (app, client):
        engine = engine_of(app)
        engine.may_go.clear()
        late = await client.get("/cats?seed=1")
        assert late.status_code == 504
        engine.may_go.set()


def test_metrics_count_by_template(ask, version, telemetry):
    """Routes are counted by their template: a label per seed would never end."""
    assert ask(f"/cats/dcgan@{version}/7.png").headers["x-content-type-options"] == "nosniff"
    ask("/cats", "HEAD")
    count = telemetry.registry.get_sample_value
    for route, method in (("/cats/{model}@{version}/{seed}.{format}", "GET"), ("/cats", "HEAD")):
        seen = {"route": route, "method": method, "status": "200"}
        assert count("cattery_requests_total", seen) == 1
    assert count("cattery_images_rendered_total", {"model": "dcgan"}) == 1
    assert b"cattery_forward_seconds_count 1.0" in telemetry.exposition()


def test_the_openapi_document_is_complete(document):
    """Every parameter is described, and every format has a media type."""
    paths = document["paths"]
    cats, cat = paths["/cats"]["get"], paths["/cats/{model}@{version}/{seed}.{format}"]["get"]
    names = "model n seed columns format encoding near distance truncation"
    assert {p["name"] for p in cats["parameters"]} == set(names.split())
    assert all(p["description"] for p in cats["parameters"])
    types = "image/png image/webp application/zip multipart/mixed application/json"
    assert set(cats["responses"]["200"]["content"]) == set(types.split())
    assert {"304", "404", "406", "422", "503", "504"} <= set(cats["responses"])
    in_path, in_query = "model version seed format", "near distance truncation"
    assert [(p["name"], p["in"]) for p in cat["parameters"]] == [
        *((name, "path") for name in in_path.split()),
        *((name, "query") for name in in_query.split()),
    ]
    assert {"304", "307", "404", "410", "422", "503", "504"} <= set(cat["responses"])


@pytest.mark.parametrize("query", ["seed=%37", "seed=+7", "seed=007", "&seed=7&"])
def test_a_query_may_be_spelled_in_other_ways(ask, version, query):
    """Escapes and spaces are undone."""
    assert ask(f"/cats?{query}").headers["cattery-seeds"] == "7"


@pytest.mark.parametrize("path", ["/cats?truncation=1", "/cats/dcgan@{version}/7.png?truncation=1"])
def test_a_parameter_given_twice_is_named(ask, version, path):
    """Which of both values is meant nobody can know, even where they are the same."""
    problem = problem_of(ask(f"{path.format(version=version)}&truncation=1"), 422, "invalid-value")
    assert (problem["field"], problem["value"]) == ("truncation", ["1", "1"])
    assert problem["detail"] == 'truncation is ["1","1"]: it may occur only once.'


def test_all_wrong_parameters_of_a_permalink_are_told_at_once(ask, version):
    """Those of the path first, then those of the query; unknown ones are ignored."""
    response = ask(f"/cats/dcgan@{version}/x.gif?truncation=7&n=2")
    told = problem_of(response, 422, "invalid-value")["errors"]
    assert [error["field"] for error in told] == ["seed", "format", "truncation"]


@pytest.mark.parametrize("path", ["/cats?seed=7", "/cats/dcgan@{version}/7.png"])
@pytest.mark.parametrize(
    "headers",
    [
        [("Origin", "http://elsewhere.example")],
        [("Host", "elsewhere.example")],
        [("Host", "127.0.0.1:8000"), ("Host", "127.0.0.1:8000")],
        [("Host", ""), ("Host", "127.0.0.1:8000")],
    ],
)
def test_cats_stand_behind_the_gate(ask, version, path, headers):
    """What another site's page may have sent is refused, whatever it asks for."""
    problem_of(ask(path.format(version=version), headers=headers), 403, "forbidden")


def test_with_a_key_cats_are_there_under_any_name(new_api, version):
    """Reading is free then, by whatever name the service is called."""
    with new_api(api_key="k" * 20) as api:
        assert api.get("/cats?seed=7", headers={"Host": "cats.example"}).status_code == 200


def test_other_methods_are_405(ask, version):
    answer = ask("/cats", "DELETE")
    problem_of(answer, 405)
    assert answer.headers["allow"] == "GET, HEAD"


def client_behind(app, **changes):
    """Return a client of an app whose proxy changes the scope of requests."""

    async def changed(scope, receive, send):
        await app({**scope, **changes}, receive, send)

    return client_of(changed)


async def test_an_odd_scheme_of_a_proxy_is_no_failure(app):
    """The server takes `X-Forwarded-Proto: wss` over; a Host without a port is still read."""
    async with client_behind(app, scheme="wss") as client:
        answer = await client.get("/cats?seed=7", headers={"Host": "localhost"})
        assert answer.status_code == 200


async def test_addresses_tell_where_the_app_is_mounted(app, version):
    """Behind a path of a proxy, permalinks and redirects lead through it."""
    async with client_behind(app, root_path="/zoo") as client:
        home = f"/zoo/cats/dcgan@{version}/7.png"
        assert (await client.get("/zoo/cats?seed=7")).headers["content-location"] == home
        moved = await client.get(f"/zoo/cats/dcgan@{version}/007.png")
        assert (moved.status_code, moved.headers["location"]) == (307, home)


async def test_requests_of_one_round_of_the_loop_share_a_batch(app, client, version):
    """Sixteen clients who ask at once cost one forward pass, not sixteen."""
    await asyncio.gather(*[client.get("/cats") for _ in range(16)])
    assert [len(batch) for batch in engine_of(app).batches] == [16]


async def test_a_failure_is_told_as_everywhere(app, client, monkeypatch):
    """500 in the one error shape, hardened and counted; the server is left to log it."""
    monkeypatch.setattr(app.state, "image_cache", None)
    answer = await client.get("/cats?seed=7")
    problem_of(answer, 500, "internal-error")
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_client_that_hangs_up_leaves_the_line(app, version, telemetry):
    """Its request is called off, and counted as such."""
    engine_of(app).may_go.clear()
    told = iter([{"type": "http.request", "body": b"", "more_body": False}])
    sent = []

    async def receive():
        return next(told, {"type": "http.disconnect"})

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/cats", "query_string": b"seed=7"}
    await app({**scope, "headers": [(b"host", b"127.0.0.1:8000")]}, receive, send)
    engine_of(app).may_go.set()
    assert sent[0]["status"] == 499
    count = telemetry.registry.get_sample_value
    assert count("cattery_refused_total", {"reason": "hung_up"}) == 1
