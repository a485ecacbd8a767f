"""Tests of app.cats.walks and app.api.walks over HTTP, without a socket."""

import asyncio
import io
import re

import numpy as np
import pytest
from PIL import Image, ImageSequence

from app.cats.walks import FRAMES, MOST_FRAMES, Walk, most_frames
from app.inference.slot import Slot, load_engine
from models.errors import InvalidValue
from models.images.animations import ANIMATIONS
from models.inference.latents import MAX_SEED, Interpolated
from tests.app.client import pixels_of, problem_of
from tests.app.fake_engine import (
    SIZE_PX,
    PaintingEngine,
    card_for,
    publish_real,
    put_into_service,
    until,
)

IMMUTABLE = "public, max-age=31536000, immutable"


@pytest.fixture
def version(api) -> str:
    """Return the version in service of the whole app."""
    card = put_into_service(api.store, 1)
    api.run(api.app.state.pool.refresh_all())
    return card.version


def walk_of(**changed) -> Walk:
    slot = Slot("dcgan", "0" * 12, PaintingEngine(1), card_for("dcgan"))
    return Walk(**{"slot": slot, "start": 3, "end": 11, **changed})


def engine_of(api) -> PaintingEngine:
    return api.app.state.pool.serving()["dcgan"].engine


def frames_of(file: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(file)) as picture:
        return np.stack([np.asarray(f.convert("RGB")) for f in ImageSequence.Iterator(picture)])


@pytest.mark.parametrize("format_", ANIMATIONS)
def test_a_walk_plays_its_frames(api, version, format_):
    response = api.get(f"/cats/dcgan@{version}/walk/20-60.{format_}?frames=5")
    assert response.status_code == 200
    assert response.headers["content-type"] == ANIMATIONS[format_].media_type
    assert response.headers["cache-control"] == IMMUTABLE
    frames = frames_of(response.content)
    assert frames.shape == (5, SIZE_PX, SIZE_PX, 3)
    assert frames[:, 0, 0, 1].tolist() == pytest.approx([20, 30, 40, 50, 60], abs=4)


async def test_a_walk_starts_and_ends_at_the_permalinks_pixels(serving, store):
    """As do truncated ones; a frame between is the neighbor at that distance.

    Of a real generator, in the format that loses nothing.
    """
    card = publish_real(store, 1)
    async with serving(load=load_engine) as (_, client):
        home = f"/cats/dcgan@{card.version}"
        for query in ("", "truncation=0.5"):
            walk = await client.get(f"{home}/walk/3-11.apng?frames=4&{query}")
            frames = frames_of(walk.content)
            assert len(frames) == 4
            for frame, seed in ((frames[0], 3), (frames[-1], 11)):
                cat = await client.get(f"{home}/{seed}.png?{query}")
                assert np.array_equal(frame, pixels_of(cat.content))
            assert not np.array_equal(frames[1], frames[0])
        frames = frames_of((await client.get(f"{home}/walk/3-11.apng?frames=5")).content)
        near = await client.get(f"{home}/11.png?near=3&distance=0.25")
        assert np.array_equal(frames[1], pixels_of(near.content))


def test_a_walk_says_what_it_is(api, version):
    link = f"/cats/dcgan@{version}/walk/3-11.apng?frames=2&truncation=0.5"
    response = api.get(link)
    told = {"Cattery-Model": "dcgan", "Cattery-Version": version, "Cattery-Truncation": "0.5"}
    told |= {"Cattery-From": "3", "Cattery-To": "11", "Cattery-Frames": "2"}
    assert {response.headers[name] for name in told} == set(told.values())
    assert told.items() <= Image.open(io.BytesIO(response.content)).info.items()
    assert response.headers["content-location"] == link
    name = f'inline; filename="dcgan@{version}-walk-3-11.apng"'
    assert response.headers["content-disposition"] == name


def test_a_walk_is_known_without_rendering(api, version):
    """HEAD and 304 cost no forward pass, and the tag follows from all that shapes the bytes."""
    link = f"/cats/dcgan@{version}/walk/3-11.webp?frames=3"
    head = api.ask("HEAD", link)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["cache-control"] == IMMUTABLE
    kept = api.get(link, headers={"If-None-Match": head.headers["etag"]})
    assert kept.status_code == 304
    assert engine_of(api).batches == []
    walk = api.get(link)
    del head.headers["x-request-id"]
    assert head.headers.items() <= walk.headers.items()
    rendered = [place for batch in engine_of(api).batches for place in batch]  # in some lane
    places = [Interpolated(start=3, end=11, share=share) for share in (0.0, 0.5, 1.0)]
    assert sorted(rendered, key=lambda place: place.share) == places
    changed = ("3-11.webp", "3-11.gif?frames=3", "11-3.webp?frames=3", "3-12.webp?frames=3")
    others = [f"/cats/dcgan@{version}/walk/{rest}" for rest in changed]
    links = [link, f"{link}&truncation=0.5", *others]
    assert len({api.ask("HEAD", each).headers["etag"] for each in links}) == 6


def test_the_same_walk_is_the_same_bytes_again(api, version):
    """Whatever address led to it, and whether the defaults were spelled out."""
    link = f"/cats/dcgan@{version}/walk/3-11.gif"
    first = api.get(link)
    again = api.get(f"{link}?truncation=1.0&frames={FRAMES}")
    assert first.content == again.content
    assert first.headers["etag"] == again.headers["etag"]
    assert again.headers["content-location"] == link
    assert first.headers["cattery-frames"] == str(FRAMES)


def test_anything_but_the_full_address_is_sent_to_it(api, version):
    """A short id, an alias or a padded seed is redirected, with its query in order."""
    full = f"/cats/dcgan@{version}/walk/3-11.webp?frames=9&truncation=0.5"
    for ref, seeds in ((version[:5], "3-11"), ("serving", "3-11"), (version, "03-11")):
        link = f"/cats/dcgan@{ref}/walk/{seeds}.webp?truncation=0.50&frames=9"
        for method in ("GET", "HEAD"):
            response = api.ask(method, link)
            assert (307, full) == (response.status_code, response.headers["location"])
            assert response.headers["cache-control"] == "no-cache"
    assert engine_of(api).batches == []


@pytest.mark.parametrize(
    ("query", "address"),
    [
        ("from=3&to=11", "walk/3-11.webp"),
        ("model=dcgan&to=11&from=3&format=gif", "walk/3-11.gif"),
        ("from=3&to=11&truncation=0.70&frames=24", "walk/3-11.webp?frames=24&truncation=0.7"),
        ("from=3&to=3&frames=48", "walk/3-3.webp"),
    ],
)
def test_a_walk_is_found_by_its_seeds(api, version, query, address):
    """307 to the address in the version that is in service now; nothing is rendered."""
    for method in ("GET", "HEAD"):
        response = api.ask(method, f"/cats/walk?{query}")
        assert response.status_code == 307
        assert response.headers["location"] == f"/cats/dcgan@{version}/{address}"
        assert response.headers["cache-control"] == "no-cache"
    assert engine_of(api).batches == []


@pytest.mark.parametrize("query", ["", "from=3", "to=11"])
def test_seeds_that_are_not_given_are_random(api, version, query):
    """The redirect must not be kept, leads somewhere else each time, and what it leads to stays."""
    answers = [api.get(f"/cats/walk?{query}&frames=2") for _ in range(2)]
    assert [answer.headers["cache-control"] for answer in answers] == ["no-store"] * 2
    addresses = {answer.headers["location"] for answer in answers}
    assert len(addresses) == 2
    for address in addresses:
        start, end = re.search(r"/walk/(\d+)-(\d+)\.webp\?frames=2$", address).groups()
        assert ("from" not in query) or start == "3"
        assert ("to" not in query) or end == "11"
        assert api.get(address).headers["cache-control"] == IMMUTABLE


@pytest.mark.parametrize(
    ("path", "field", "said"),
    [
        ("/cats/walk?frames=1", "frames", "from 2 to 120"),
        ("/cats/walk?frames=121", "frames", "from 2 to 120"),
        ("/cats/walk?from=-1", "from", str(MAX_SEED)),
        (f"/cats/walk?to={MAX_SEED + 1}", "to", str(MAX_SEED)),
        ("/cats/walk?format=mp4", "format", "webp, apng, gif"),
        ("/cats/walk?truncation=0.05", "truncation", "from 0.1 to 1"),
        ("/cats/walk?truncation=0.7001", "truncation", "at most 3 decimals"),
        ("{home}/3-11.webp?frames=1", "frames", "from 2 to 120"),
        ("{home}/3-11.webp?frames=121", "frames", "from 2 to 120"),
        ("{home}/3-11.mp4", "format", "webp, apng, gif"),
        (f"{{home}}/3-{MAX_SEED + 1}.webp", "to", str(MAX_SEED)),
        ("{home}/three-11.webp", "from", str(MAX_SEED)),
        ("{home}/3-11.webp?truncation=nan", "truncation", "from 0.1 to 1"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_range(api, version, path, field, said):
    path = path.format(home=f"/cats/dcgan@{version}/walk")
    problem = problem_of(api.get(path), 422, "invalid-value")
    assert field == problem["field"]
    assert said in problem["allowed"]
    assert api.ask("HEAD", path).status_code == 422


@pytest.mark.parametrize("path", ["/cats/walk?model=tiger", "/cats/tiger@{version}/walk/1-2.gif"])
def test_what_is_not_there_is_told_with_what_is(api, version, path):
    assert problem_of(api.get(path.format(version=version)), 404)["known"] == ["dcgan"]


def test_a_walk_that_is_too_large_is_refused_with_the_limit(new_api, store):
    """Ten frames of 8 px are 640 pixels; an eleventh is one too many, wherever it is asked for."""
    version = put_into_service(store, 1).version
    with new_api(max_walk_pixels=10 * SIZE_PX**2) as api:
        home = f"/cats/dcgan@{version}/walk/3-11.gif"
        assert api.get(f"{home}?frames=10").status_code == 200
        for path in (f"{home}?frames=11", "/cats/walk?from=3&to=11&frames=11"):
            problem = problem_of(api.get(path), 422, "invalid-value")
            assert (problem["field"], problem["value"]) == ("frames", 11)
            assert problem["allowed"] == "2 to 10 at 8 px (CATTERY_MAX_WALK_PIXELS)"
        found = api.get("/cats/walk?from=3&to=11&format=gif").headers["location"]
        assert found == f"{home}?frames=10"
    with new_api(max_walk_pixels=SIZE_PX**2) as api:
        problem = problem_of(api.get("/cats/walk?from=3&to=11"), 422, "invalid-value")
        assert problem["allowed"] == "no walk at 8 px (CATTERY_MAX_WALK_PIXELS)"


@pytest.mark.parametrize(
    ("size_px", "frames"), [(64, MOST_FRAMES), (256, MOST_FRAMES), (512, 32), (4096, 0)]
)
def test_the_default_limit_lets_whole_walks_of_256_px_through(size_px, frames):
    """8,388,608 pixels are 128 frames of 256 px, more than a walk may have."""
    assert most_frames(size_px, 8_388_608) == frames


def test_a_version_that_cannot_truncate_says_so(api, version):
    engine_of(api).truncates = False
    home = f"/cats/dcgan@{version}"
    for path in (f"{home}/walk/1-2.gif", f"{home}/1.png", "/cats", "/cats/walk"):
        problem = problem_of(api.get(f"{path}?truncation=0.5"), 422, "invalid-value")
        assert (problem["field"], problem["value"]) == ("truncation", 0.5)
        assert "do not depend on the latent's length" in problem["allowed"]
    assert api.get(f"{home}/walk/1-2.gif?frames=2&truncation=1").status_code == 200


@pytest.mark.parametrize(("changed", "field"), [({"start": -1}, "from"), ({"end": 1.5}, "to")])
def test_what_is_no_seed_is_no_end_of_a_walk(changed, field):
    """The command line relies on it."""
    with pytest.raises(InvalidValue) as caught:
        walk_of(**changed)
    assert field == caught.value.field


async def test_one_cat_is_not_starved_by_a_walk(serving, store):
    """A cat that is asked for behind three walks of 120 frames waits one turn of theirs."""
    version = put_into_service(store, 1).version
    async with serving(max_batch=16) as (app, client):
        engine, home = app.state.pool.serving()["dcgan"].engine, f"/cats/dcgan@{version}"

        def get(path):
            return asyncio.create_task(client.get(path))

        engine.may_go.clear()
        tasks = [get("/cats?seed=1")]
        await until(engine.is_busy.is_set)
        tasks += [get(f"{home}/walk/{start}-9.webp?frames=120") for start in range(3)]
        await until(lambda: app.state.batcher.waiting == 360)
        tasks.append(get(f"{home}/7.png"))
        await until(lambda: app.state.batcher.waiting == 361)
        engine.may_go.set()
        assert [answer.status_code for answer in await asyncio.gather(*tasks)] == [200] * 5
        assert any(7 in batch for batch in engine.batches[1:5])
