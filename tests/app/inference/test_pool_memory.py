"""Tests of many models on a small device: loaded when asked for, within a budget."""

import asyncio
import gc
import threading
import weakref

import pytest

from models.errors import CheckpointError
from models.store.records import Aliases
from tests.app.client import problem_of
from tests.app.fake_engine import load_painting, publish, put_into_service, red_of, until

MODELS = ("dcgan", "one", "two", "three")
SIZE = 100
"""Bytes that a painting engine says it holds."""


@pytest.fixture
def versions(store) -> dict[str, str]:
    """Put a version of each model into service; return their ids."""
    return {model: put_into_service(store, 1, model=model).version for model in MODELS}


@pytest.fixture
def count(telemetry):
    def read(name: str, model: str = "") -> float:
        labels = {"model": model} if model else {}
        return telemetry.registry.get_sample_value(f"cattery_{name}", labels) or 0

    return read


async def test_a_lazy_pool_begins_with_the_default_model(new_pool, versions, count):
    """Others are loaded at their first request, and looking at the store loads nothing."""
    pool = await new_pool(is_lazy=True)
    await pool.refresh_all()
    assert set(pool.serving()) == {"dcgan"}
    assert pool.if_loaded("one") is None
    assert (await pool.take("one")).version == versions["one"]
    assert pool.if_loaded("one") is pool.serving()["one"]
    assert pool.problems() == []
    assert (count("loads_total", "one"), count("device_bytes")) == (1, 2 * SIZE)


async def test_an_alias_that_moves_loads_only_what_is_in_memory(store, new_pool, versions):
    """A model in memory is swapped; of another, the next request gets the new version."""
    pool = await new_pool(is_lazy=True)
    moved = put_into_service(store, 2, model="one").version
    swapped = put_into_service(store, 2).version
    await pool.refresh_all()
    assert {m: slot.version for m, slot in pool.serving().items()} == {"dcgan": swapped}
    assert pool.if_loaded(f"dcgan@{versions['dcgan']}") is not None
    assert (await pool.take("one")).version == moved
    await pool.refresh_all()
    assert pool.if_loaded(f"one@{versions['one']}") is None  # no way back is loaded ahead


async def test_a_version_that_was_checked_serves_a_cold_model(store, new_pool, versions):
    pool = await new_pool(is_lazy=True)
    checked = publish(store, 2, model="one")
    slot = await pool.take(f"one@{checked.version}")
    store.aliases.promote("one", checked.version)
    await pool.refresh("one")
    assert pool.if_loaded("one") is slot


async def test_a_bad_version_is_told_and_the_old_one_stays(store, new_pool, versions):
    """In memory the old version goes on; of a model that is not, the request is told why."""
    pool = await new_pool(is_lazy=True)
    old = await pool.take("one")
    for model in ("one", "two"):
        bad = publish(store, 2, model=model, weights=b"dust")
        store.aliases.promote(model, bad.version)
    await pool.refresh_all()
    assert old is await pool.take("one")
    with pytest.raises(CheckpointError):
        await pool.take("two")
    await pool.refresh_all()
    assert len(pool.problems()) == 2  # a look alone does not make it good
    good = put_into_service(store, 3, model="two")
    assert (await pool.take("two")).version == good.version
    await pool.refresh_all()
    assert len(pool.problems()) == 1


async def test_an_eager_pool_fills_its_budget_only(store, new_pool, versions, count):
    """The default model comes first; what found no room is loaded when somebody asks."""
    pool = await new_pool(max_bytes=2 * SIZE)
    put_into_service(store, 1, model="later")
    await pool.refresh_all()
    assert set(pool.serving()) == {"dcgan", "one"}
    assert sum(count("loads_total", model) for model in MODELS) == 2
    await pool.take("later")
    await pool.refresh_all()
    assert set(pool.serving()) == {"dcgan", "later"}  # the default one counts as used
    assert count("evictions_total", "one") == 1
    assert count("device_bytes") == 2 * SIZE


async def test_what_has_left_is_known_and_comes_back(store, new_pool, versions):
    """The card of a resting model follows its alias, and its next request loads it."""
    pool = await new_pool(is_lazy=True, max_bytes=SIZE)
    await pool.take("one")
    assert set(pool.serving()) == {"one"}
    assert pool.card("dcgan").version == versions["dcgan"]
    moved = put_into_service(store, 2).version
    await pool.refresh_all()
    assert set(pool.serving()) == {"one"}
    assert pool.card("dcgan").version == moved
    assert pool.card("two") is None
    assert (await pool.take(None)).version == moved


async def test_who_holds_a_slot_keeps_it_until_done(new_pool, versions):
    """An eviction fails no request; the memory falls when the last one has ended."""
    pool = await new_pool(is_lazy=True, max_bytes=SIZE)
    gc.collect()
    gc.disable()  # nothing is in a circle
    try:
        held = await pool.take("one")
        await pool.take("two")
        assert pool.if_loaded("one") is None
        assert held.engine.render([0])[0, 0, 0, 0] == red_of(1)
        engine = weakref.ref(held.engine)
        del held
        assert engine() is None
    finally:
        gc.enable()


async def test_a_crowd_for_cold_models_has_each_loaded_once(new_pool, versions, count):
    """Thirty requests for three models with room for one: all are answered by three loads."""
    is_loading, may_load = threading.Event(), threading.Event()

    def load(path, device, canonical):
        if is_loading.is_set():
            assert may_load.wait(20)
        return load_painting(path, device)

    pool = await new_pool(is_lazy=True, max_bytes=SIZE, load=load)
    is_loading.set()
    crowd = [asyncio.create_task(pool.take(model)) for _ in range(10) for model in MODELS[1:]]
    await until(lambda: all(model in pool._loads for model in MODELS[1:]))
    crowd += [asyncio.create_task(pool.take(model)) for model in MODELS[1:]]  # latecomers
    await asyncio.sleep(0)
    may_load.set()
    slots = await asyncio.gather(*crowd)
    assert [slot.model for slot in slots] == list(MODELS[1:]) * 11
    assert [count("loads_total", model) for model in MODELS] == [1, 1, 1, 1]
    assert count("device_bytes") == SIZE


async def test_an_alias_that_goes_fails_no_request(store, new_pool, versions, monkeypatch):
    """What was in service when the request came is what it gets."""
    pool = await new_pool(is_lazy=True)
    monkeypatch.setattr(store.aliases, "get", lambda _model: Aliases())
    monkeypatch.setattr(store.versions, "resolve", lambda model: (model, versions[model]))
    assert (await pool.take("one")).version == versions["one"]


async def test_one_larger_than_the_budget_is_served_and_told(new_pool, versions, caplog):
    """A setting must not take a model out of service; the log says by how much it is too small."""
    pool = await new_pool(max_bytes=SIZE - 1)
    assert (await pool.take("two")).version == versions["two"]
    assert set(pool.serving()) == {"two"}
    assert "A single slot has 100 bytes, the limit is 99" in caplog.text


def test_the_api_tells_what_is_on_the_device(new_api, store, monkeypatch):
    """With CATTERY_LOAD=lazy all models are listed, ready or not yet, and picks stay."""
    monkeypatch.setenv("CATTERY_LOAD", "lazy")
    default = put_into_service(store, 1, picks=(7,)).version
    other = put_into_service(store, 2, model="other").version
    with new_api(max_device_bytes=SIZE) as api:

        def told() -> list[str | None]:
            models = api.get("/models").json()["models"]
            assert [model["serving"] for model in models] == [default, other]
            assert api.get("/").json()["picks"] == [f"/cats/dcgan@{default}/7.png"]
            ready = api.get("/readyz").json()
            names = [f"{model['name']}@{model['loaded']}" for model in models if model["loaded"]]
            assert ready["loaded"] == names
            return [model["loaded"] for model in models]

        assert told() == [default, None]
        assert api.get("/cats?model=other&seed=1").status_code == 200
        assert told() == [None, other]
        assert api.get("/models/dcgan").json()["loaded"] is None
        assert api.get(f"/cats/dcgan@{default}/7.png").status_code == 200
        problem_of(api.get("/cats?model=tiger"), 404)
        assert "cattery_device_bytes 100.0" in api.get("/metrics").text
