"""Tests of app.cats.cache: cats that are asked for again."""

import asyncio
import io
import zipfile

import pytest

from app.cats.cache import ImageCache
from app.cats.request import Freshness, ImageRequest
from app.http.negotiation import Format
from app.observability.metrics import Telemetry
from app.settings import AppSettings
from models.errors import StoreError
from models.store.image_store import renderings_path
from tests.app.client import parts_of, pixels_of
from tests.app.fake_engine import PaintingEngine, load_painting, publish, until


@pytest.fixture
def told(telemetry):
    """Return what reads a counter of the cache."""

    def tell(name, **labels):
        return telemetry.registry.get_sample_value(f"cattery_{name}", labels) or 0

    return tell


@pytest.fixture
def keeping(serving):
    """Return a context of apps that keep their renderings in the store."""

    def keep(max_renderings=100, **options):
        return serving(rendered="store", max_renderings=max_renderings, **options)

    return keep


def load_later(weights, device, canonical="") -> PaintingEngine:
    """Load an engine of a later release: another name, and one gray level more."""
    engine = load_painting(weights, device)
    return PaintingEngine(engine.red + 1, name="later")


def batches_of(app) -> list:
    """Return what the model in service was asked to render."""
    return app.state.pool.serving()["dcgan"].engine.batches


async def test_what_was_rendered_is_neither_rendered_nor_encoded_again(app, client, version, told):
    """The second answer has the same bytes, and neither device nor encoder has worked."""
    link = f"/cats/dcgan@{version}/7.png"
    first, again, moved = [await client.get(p) for p in (link, link, "/cats?seed=7")]
    assert first.content == again.content == moved.content
    assert batches_of(app) == [[7]]
    assert told("encode_seconds_count", kind="cat", format="png") == 1
    assert told("cache_hits_total", layer="memory") == 2
    assert told("cache_misses_total", layer="memory") == 1
    assert told("cache_bytes") == len(first.content)
    assert told("cats_sent_total", model="dcgan", format="png") == 3


@pytest.mark.parametrize("ending", ["png", "webp"])
async def test_the_bytes_are_the_same_with_a_cache_and_without(serving, version, ending):
    """Whether remembered or rendered anew, a permalink is the same file."""

    async def bytes_of(cache_bytes):
        async with serving(cache_bytes=cache_bytes) as (app, client):
            link = f"/cats/dcgan@{version}/7.{ending}"
            answers = [await client.get(link) for _ in range(3)]
            return {(a.content, a.headers["etag"]) for a in answers}, len(batches_of(app))

    cached, once = await bytes_of(1 << 20)
    anew, each_time = await bytes_of(0)
    assert cached == anew
    assert len(cached) == 1
    assert (once, each_time) == (1, 3)


async def test_those_who_ask_at_once_wait_for_one_rendering(app, client, version, told):
    """Eight clients, a zip among them, and one forward pass a cat."""
    engine = app.state.pool.serving()["dcgan"].engine
    engine.may_go.clear()
    link = f"/cats/dcgan@{version}/7.png"
    crowd = [asyncio.create_task(client.get(link)) for _ in range(7)]
    await until(engine.is_busy.is_set)
    bundle = asyncio.create_task(client.get("/cats?seed=6&n=2&format=zip"))
    await until(lambda: app.state.batcher.waiting == 1)
    engine.may_go.set()
    answers = {(await task).content for task in crowd}
    archive = zipfile.ZipFile(io.BytesIO((await bundle).content))
    assert answers == {archive.read(f"dcgan@{version}-7.png")}
    assert sorted(seed for batch in engine.batches for seed in batch) == [6, 7]
    assert told("cache_hits_total", layer="flight") == 7


async def test_one_who_hangs_up_does_not_spoil_it_for_the_others(app, version, told):
    """The first of two leaves; the second gets its cat, from the same forward pass."""
    cache, request = app.state.image_cache, await request_of(app, version)
    engine = app.state.pool.serving()["dcgan"].engine
    engine.may_go.clear()
    first = asyncio.create_task(cache.files(request))
    await until(engine.is_busy.is_set)
    second = asyncio.create_task(cache.files(request))
    await until(lambda: told("cache_hits_total", layer="flight") == 1)
    first.cancel()
    await asyncio.wait([first])
    engine.may_go.set()
    assert len(await second) == 1
    assert first.cancelled()
    assert engine.batches == [[7]]


async def test_who_joins_late_has_a_deadline_of_its_own(serving, version):
    """The first of two gives up; the second, which came later, gets the same rendering."""
    async with serving(deadline_s=2.0) as (app, client):
        engine = app.state.pool.serving()["dcgan"].engine
        engine.may_go.clear()
        link = f"/cats/dcgan@{version}/7.png"
        busy = asyncio.create_task(client.get("/cats?seed=1"))
        await until(engine.is_busy.is_set)
        first = asyncio.create_task(client.get(link))
        await until(lambda: app.state.batcher.waiting == 1)
        await asyncio.sleep(1.0)
        second = asyncio.create_task(client.get(link))
        assert (await first).status_code == 504
        assert not second.done()
        engine.may_go.set()
        assert (await second).status_code == 200
        assert (await busy).status_code == 504
        assert sorted(seed for batch in engine.batches for seed in batch) == [1, 7]


async def test_what_all_have_given_up_is_called_off(serving, version):
    """A shared rendering has no deadline of its own, and yet none is rendered for nobody."""
    async with serving(deadline_s=0.5) as (app, client):
        engine = app.state.pool.serving()["dcgan"].engine
        engine.may_go.clear()
        busy = asyncio.create_task(client.get("/cats?seed=1"))
        await until(engine.is_busy.is_set)
        link = f"/cats/dcgan@{version}/7.png"
        answers = await asyncio.gather(*(client.get(link) for _ in range(3)), busy)
        assert [answer.status_code for answer in answers] == [504] * 4
        await until(lambda: app.state.batcher.waiting == 0)
        engine.may_go.set()
        assert (await client.get("/cats?seed=2")).status_code == 200
        assert [7] not in engine.batches


async def test_what_nobody_waits_for_any_more_is_called_off(app, client, version):
    """Its only client leaves before the device is free: it is never rendered, then asked anew."""
    engine = app.state.pool.serving()["dcgan"].engine
    engine.may_go.clear()
    busy = asyncio.create_task(client.get("/cats?seed=1"))
    await until(engine.is_busy.is_set)
    cache, request = app.state.image_cache, await request_of(app, version)
    leaving = asyncio.create_task(cache.files(request))
    await until(lambda: app.state.batcher.waiting == 1)
    leaving.cancel()
    await asyncio.wait([leaving])
    await until(lambda: app.state.batcher.waiting == 0)
    again = asyncio.create_task(cache.files(request))
    engine.may_go.set()
    assert len(await again) == 1
    assert (await busy).status_code == 200
    assert sorted(seed for batch in engine.batches for seed in batch) == [1, 7]


async def test_a_failure_is_told_to_all_who_wait_and_not_remembered(app, version):
    """Both get the error; who comes later gets a cat."""
    cache, request = app.state.image_cache, await request_of(app, version)
    engine = app.state.pool.serving()["dcgan"].engine
    engine.size_px = "no size"
    both = await asyncio.gather(cache.files(request), cache.files(request), return_exceptions=True)
    assert [type(error) for error in both] == [TypeError] * 2
    engine.size_px = 8
    assert len(await cache.files(request)) == 1


async def test_the_least_recently_used_goes_first(serving, version, told):
    """Three cats of which two fit: the one used in between stays."""
    async with serving() as (_, client):
        size = len((await client.get("/cats?seed=1")).content)
    async with serving(cache_bytes=2 * size + size // 2) as (app, client):
        for seed in (1, 2, 1, 3, 1, 2):
            await client.get(f"/cats?seed={seed}")
            assert told("cache_bytes") <= 2 * size + size // 2
        assert batches_of(app) == [[1], [2], [3], [2]]


async def test_random_cats_are_not_remembered(client, version, told):
    """Nobody asks for them again: they would only push others out."""
    await client.get("/cats")
    await client.get("/cats?n=3&format=zip")
    assert told("cache_bytes") == 0


@pytest.mark.parametrize("ending", ["png", "webp"])
async def test_the_first_rendering_is_the_answer_for_ever(keeping, store, version, ending):
    """A new process with another engine gives the same bytes and tag, and renders nothing."""
    link = f"/cats/dcgan@{version}/7.{ending}"

    async def answered(path, **options):
        async with keeping(**options) as (app, client):
            answer = await client.get(path)
            return answer.content, answer.headers["etag"], len(batches_of(app))

    first, tag, rendered = await answered(link)
    assert rendered == 1
    assert store.tree.names(renderings_path("dcgan", version)) == [f"7.{ending}"]
    assert await answered(link, load=load_later) == (first, tag, 0)
    assert await answered(f"/cats?seed=7&format={ending}", load=load_later) == (first, tag, 0)
    other = await answered(f"/cats/dcgan@{version}/8.{ending}", load=load_later)
    assert pixels_of(other[0])[0, 0, 0] == pixels_of(first)[0, 0, 0] + 1


async def test_files_of_a_zip_and_parts_are_the_kept_ones(keeping, store, version):
    """Each wrapping has the first renderings, and a tag that outlives the engine."""
    async with keeping() as (_, client):
        cat = (await client.get(f"/cats/dcgan@{version}/7.webp")).content
        query = "/cats?seed=6&n=3&encoding=webp&format="
        before = [await client.get(query + kind) for kind in ("zip", "multipart")]
    async with keeping(load=load_later) as (app, client):
        after = [await client.get(query + kind) for kind in ("zip", "multipart")]
        assert batches_of(app) == []
    assert [a.content for a in before] == [a.content for a in after]
    assert [a.headers["etag"] for a in before] == [a.headers["etag"] for a in after]
    archive = zipfile.ZipFile(io.BytesIO(after[0].content))
    assert cat == archive.read(f"dcgan@{version}-7.webp")
    assert cat == parts_of(after[1])[1].get_payload(decode=True)
    assert {part.get_content_type() for part in parts_of(after[1])} == {"image/webp"}


async def test_variations_are_kept_apart(keeping, version):
    """A neighbor is not the seed's own cat, nor is one that is nearer to the average."""
    async with keeping() as (_, client):
        home = f"/cats/dcgan@{version}/8.png"
        queries = ["", "?near=2", "?near=2&distance=0.5", "?truncation=0.5"]
        first = [await client.get(home + query) for query in queries]
    async with keeping(load=load_later) as (app, client):
        again = [await client.get(home + query) for query in queries]
        assert batches_of(app) == []
    assert [a.content for a in first] == [a.content for a in again]
    assert len({a.content for a in first}) == len({a.headers["etag"] for a in first}) == 4


async def test_of_two_processes_the_first_rendering_stays(keeping, store, version, monkeypatch):
    """Both render at the same time with different engines; both send what was kept first."""
    monkeypatch.setattr("app.main.Telemetry", Telemetry)  # each its own, as processes have
    link = f"/cats/dcgan@{version}/7.png"
    async with keeping() as (_, client), keeping(load=load_later) as (later, other):
        engine = later.state.pool.serving()["dcgan"].engine
        engine.may_go.clear()
        slow = asyncio.create_task(other.get(link))
        await until(engine.is_busy.is_set)
        first = await client.get(link)
        engine.may_go.set()
        assert (await slow).content == first.content
        assert (await slow).headers["etag"] == first.headers["etag"]


async def test_who_knows_a_kept_tag_costs_nothing(keeping, version):
    """HEAD and 304 neither render nor keep, before the first rendering and after it."""
    async with keeping() as (app, client):
        link = f"/cats/dcgan@{version}/7.png"
        head = await client.head(link)
        known = {"If-None-Match": head.headers["etag"]}
        assert (await client.get(link, headers=known)).status_code == 304
        assert batches_of(app) == []
        cat = await client.get(link)
        assert cat.headers["etag"] == head.headers["etag"]
    async with keeping(load=load_later) as (app, client):
        assert (await client.get(link, headers=known)).status_code == 304
        assert batches_of(app) == []


async def test_beyond_the_limit_cats_are_rendered_and_their_tags_say_so(keeping, store, version):
    """Two are kept and stay; the third follows the engine, and so does a zip with it."""

    async def tags(**options):
        async with keeping(max_renderings=2, **options) as (_, client):
            answers = [await client.get(f"/cats/dcgan@{version}/{n}.png") for n in (1, 2, 3)]
            bundle = await client.get("/cats?seed=2&n=2&format=zip")
            archive = zipfile.ZipFile(io.BytesIO(bundle.content))
            files = [archive.read(f"dcgan@{version}-{n}.png") for n in (2, 3)]
            assert files == [answer.content for answer in answers[1:]]
            return [answer.headers["etag"] for answer in (*answers, bundle)]

    before, after = await tags(), await tags(load=load_later)
    assert store.tree.names(renderings_path("dcgan", version)) == ["1.png", "2.png"]
    assert [b == a for b, a in zip(before, after, strict=True)] == [True, True, False, False]


async def test_with_the_version_its_renderings_go(keeping, store, version):
    """410 from memory and store alike; nothing is left behind, not even by a late one."""
    async with keeping() as (app, client):
        other = publish(store, 2).version
        link = f"/cats/dcgan@{other}/7.png"
        assert (await client.get(link)).status_code == 200
        slot = await app.state.pool.take(f"dcgan@{other}")
        slot.engine.is_busy.clear()
        slot.engine.may_go.clear()
        late = asyncio.create_task(client.get(f"/cats/dcgan@{other}/8.png"))
        await until(slot.engine.is_busy.is_set)
        store.versions.delete("dcgan", other)
        await app.state.pool.forget("dcgan", other)
        slot.engine.may_go.set()
        assert (await late).status_code == 200
        assert (await client.get(link)).status_code == 410
        assert store.tree.names(renderings_path("dcgan", other)) == []


async def test_a_store_that_is_away_is_503(keeping, store, version, monkeypatch):
    """A permalink that may be kept is not made up; what memory has, and random cats, still come."""

    def fail(*_):
        raise StoreError("The store is away.")

    async with keeping() as (_, client):
        link = f"/cats/dcgan@{version}/7.png"
        first = await client.get(link)
        monkeypatch.setattr(store.tree, "read_many", fail)
        assert (await client.get(link)).content == first.content
        assert (await client.get("/cats")).status_code == 200
        refused = await client.get(f"/cats/dcgan@{version}/8.png")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert "etag" not in refused.headers


def test_a_whole_app_keeps_what_its_settings_say(new_api, store, version):
    """`CATTERY_RENDERED=store` keeps a file, the default none."""
    for kept, settings in (([], {}), (["7.png"], {"rendered": "store"})):
        with new_api(**settings) as api:
            assert isinstance(api.app.state.image_cache, ImageCache)
            assert api.get(f"/cats/dcgan@{version}/7.png").status_code == 200
            assert store.tree.names(renderings_path("dcgan", version)) == kept
    assert AppSettings().cache_bytes == 64 << 20


async def request_of(app, version):
    """Return the resolved request of seed 7's permalink."""
    slot = await app.state.pool.take(f"dcgan@{version}")
    request = ImageRequest(slot=slot, seeds=(7,), format=Format.PNG, freshness=Freshness.FIXED)
    return await app.state.image_cache.resolve(request)
