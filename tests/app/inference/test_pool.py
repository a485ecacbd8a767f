"""Tests of app.inference.pool and app.inference.slot."""

import asyncio
import json
import threading
from time import monotonic

import pytest
from safetensors.torch import load, save

from app.inference.slot import load_engine
from models.errors import CheckpointError, Gone, NotFound, StoreError
from models.store import Store
from tests.app.fake_engine import (
    card_for,
    load_painting,
    publish,
    publish_real,
    put_into_service,
    real_weights,
    red_of,
)


@pytest.fixture
def away(store, monkeypatch):
    def fail(*_):
        raise StoreError("The store cannot be read.")

    def switch():
        monkeypatch.setattr(store.aliases, "get", fail)
        monkeypatch.setattr(store.versions, "card", fail)
        monkeypatch.setattr(store.versions, "resolve", fail)
        monkeypatch.setattr(store.tree, "names", fail)

    return switch


def failures(telemetry) -> float:
    count = telemetry.registry.get_sample_value
    return count("cattery_swap_failures_total", {"model": "dcgan"}) or 0


async def test_start_puts_every_model_into_service(store, new_pool):
    first, second = put_into_service(store, 1), put_into_service(store, 2, model="other")
    pool = await new_pool()
    assert {"dcgan", "other"} == set(pool.serving())
    assert first.version == (await pool.take(None)).version
    assert second.version == (await pool.take("other")).version
    assert pool.problems() == []


async def test_a_swap_keeps_the_old_slot_whole(store, new_pool, telemetry):
    """Who took the old slot renders with it after the swap; who comes later gets the new one."""
    put_into_service(store, 1)
    pool = await new_pool()
    old = await pool.take("dcgan")
    card = put_into_service(store, 2)
    assert old is await pool.take("dcgan")
    await pool.refresh("dcgan")
    new = await pool.take("dcgan")
    assert card.version == new.version
    assert red_of(1) == old.engine.render([0])[0, 0, 0, 0]
    assert red_of(2) == new.engine.render([0])[0, 0, 0, 0]
    swaps = telemetry.registry.get_sample_value("cattery_swaps_total", {"model": "dcgan"})
    assert swaps == 2


async def test_a_rollback_loads_nothing(store, new_pool):
    put_into_service(store, 1)
    loaded = []

    def load(path, device, canonical):
        loaded.append(path)
        return load_painting(path, device)

    pool = await new_pool(load=load)
    before = await pool.take(None)
    put_into_service(store, 2)
    await pool.refresh("dcgan")
    store.aliases.rollback("dcgan")
    await pool.refresh("dcgan")
    assert before is await pool.take(None)
    assert len(loaded) == 2


async def test_the_previous_version_is_warmed_after_a_restart(store, new_pool):
    """A fresh process looks once and has the version to go back to in memory."""
    first = put_into_service(store, 1)
    put_into_service(store, 2)
    pool = await new_pool()
    assert pool.if_loaded(f"dcgan@{first.version}") is None
    await pool.refresh_all()
    assert pool.if_loaded(f"dcgan@{first.version}").version == first.version


BROKEN = {
    "cut short": b'{"red": 1',
    "not finite": b'{"red": 255}',
    "of another size": b'{"red": 1, "size_px": 16}',
    "of another kind": b'{"blue": 1}',
}


@pytest.mark.parametrize("weights", BROKEN.values(), ids=BROKEN)
async def test_a_bad_version_leaves_the_old_one_in_service(store, new_pool, telemetry, weights):
    """What cannot be loaded is a problem and a count, never an interruption."""
    put_into_service(store, 1)
    pool = await new_pool()
    old = await pool.take(None)
    bad = publish(store, 2, weights=weights)
    store.aliases.promote("dcgan", bad.version)
    await pool.refresh("dcgan")
    await pool.refresh("dcgan")
    assert old is await pool.take(None)
    assert len(pool.problems()) == 1
    assert failures(telemetry) == 1
    with pytest.raises(CheckpointError):
        await pool.take(f"dcgan@{bad.version}")
    good = put_into_service(store, 3)
    await pool.refresh("dcgan")
    assert good.version == (await pool.take(None)).version
    assert pool.problems() == []


def _nan(raw: bytes) -> bytes:
    header = raw[8 : 8 + int.from_bytes(raw[:8], "little")]
    return raw[: 8 + len(header)] + b"\xff\xff\xff\x7f" + raw[12 + len(header) :]


def _other_shape(raw: bytes) -> bytes:
    meta = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])["__metadata__"]
    tensors = load(raw)
    name = next(iter(tensors))
    return save({**tensors, name: tensors[name].flatten()[:3].clone()}, meta)


SPOILED = {"truncated": lambda raw: raw[:-100], "nan": _nan, "other shape": _other_shape}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
async def test_a_spoiled_real_generator_is_not_served(store, new_pool, telemetry, spoil):
    """Truncated, NaN and misshapen weights files of a real network are all refused."""
    publish_real(store, 1)
    pool = await new_pool(load=load_engine)
    old = await pool.take(None)
    bad = store.versions.publish("dcgan", spoil(real_weights(2)), card_for("dcgan", 32), b"")
    store.aliases.promote("dcgan", bad.version)
    await pool.refresh("dcgan")
    assert old is await pool.take(None)
    assert old.engine.render([5]).shape == (1, 32, 32, 3)
    assert failures(telemetry) == 1


async def test_a_file_damaged_after_publishing_is_refused(store, new_pool):
    """The checksum is looked at again at every load."""
    put_into_service(store, 1)
    pool = await new_pool()
    card = put_into_service(store, 2)
    path = f"models/dcgan/versions/{card.version}/generator.safetensors"
    store.tree.write(path, b'{"red": 66}')
    await pool.refresh("dcgan")
    assert red_of(1) == (await pool.take(None)).engine.red
    assert "damaged" in pool.problems()[0]


async def test_what_is_in_service_needs_no_store(store, new_pool, away):
    first = put_into_service(store, 1)
    pool = await new_pool()
    second = put_into_service(store, 2)
    await pool.refresh("dcgan")
    away()
    await pool.refresh_all()
    assert second.version == (await pool.take("dcgan")).version
    assert first.version == (await pool.take(f"dcgan@{first.version}")).version
    assert pool.problems() == ["The store cannot be read."]
    with pytest.raises(StoreError):
        await pool.take("unknown")


async def test_a_pool_starts_with_the_store_away(new_pool, away):
    away()
    pool = await new_pool()
    assert pool.serving() == {}
    assert pool.problems() == ["The store cannot be read."]


@pytest.mark.parametrize(
    ("ref", "known"),
    [("tiger", "dcgan"), ("dcgan@ffffffffffff", "version"), ("dcgan@zz", "version"), ("", "dcgan")],
)
async def test_an_unknown_reference_names_the_known_ones(store, new_pool, ref, known):
    card = put_into_service(store, 1)
    pool = await new_pool()
    with pytest.raises(NotFound) as caught:
        await pool.take(ref)
    assert (card.version if known == "version" else known) in caught.value.known
    assert {"dcgan"} == set(pool._locks)  # an invented name leaves no trace


async def test_references_may_be_short_or_by_alias(store, new_pool):
    """The first digits of an id, @serving and @previous mean a version."""
    first, second = put_into_service(store, 1), put_into_service(store, 2)
    pool = await new_pool()
    assert first.version == (await pool.take(f"dcgan@{first.version[:6]}")).version
    assert first.version == (await pool.take("dcgan@previous")).version
    assert second.version == (await pool.take("dcgan@serving")).version


async def test_a_model_that_came_later_is_found_without_waiting(store, new_pool):
    pool = await new_pool()
    with pytest.raises(NotFound):
        await pool.take("dcgan")
    card = put_into_service(store, 1)
    assert card.version == (await pool.take("dcgan")).version


async def test_a_damaged_version_is_tried_again_later(store, new_pool, monkeypatch):
    put_into_service(store, 1)
    pool = await new_pool()
    card = put_into_service(store, 2)
    path = f"models/dcgan/versions/{card.version}/generator.safetensors"
    good = store.tree.read(path)
    store.tree.write(path, b"dust")
    await pool.refresh("dcgan")
    store.tree.write(path, good)
    await pool.refresh("dcgan")
    assert card.version != (await pool.take(None)).version
    monkeypatch.setattr("app.inference.single_flight.monotonic", lambda: monotonic() + 60)
    await pool.refresh("dcgan")
    assert card.version == (await pool.take(None)).version


async def test_a_deleted_version_is_let_go(store, new_pool):
    put_into_service(store, 1)
    pool = await new_pool()
    old = publish(store, 2)
    await pool.take(f"dcgan@{old.version}")
    store.versions.delete("dcgan", old.version)
    await pool.refresh("dcgan")
    with pytest.raises(Gone):
        await pool.take(f"dcgan@{old.version}")


async def test_at_most_keep_versions_stay_warm_and_the_previous_longest(store, new_pool):
    """A walk through old versions costs no more memory, and never the way back."""
    previous = put_into_service(store, 1)
    put_into_service(store, 2)
    old = [publish(store, number) for number in range(3, 9)]
    pool = await new_pool(keep=2)
    await pool.refresh("dcgan")
    for card in old:
        await pool.take(f"dcgan@{card.version}")
        await pool.refresh("dcgan")
    expected = {f"dcgan@{previous.version}", f"dcgan@{old[-1].version}"}
    assert expected == {slot.name for slot in pool._residents.warm()}


async def test_more_models_than_places_do_not_reload_in_turn(store, new_pool):
    """With fewer places than models to go back to, a look reloads nothing."""
    loads = []
    for model in ("one", "two", "three"):
        put_into_service(store, 1, model=model)
        put_into_service(store, 2, model=model)

    def load(path, device, canonical):
        loads.append(path)
        return load_painting(path, device)

    pool = await new_pool(keep=1, load=load)
    await pool.refresh_all()
    count = len(loads)
    await pool.refresh_all()
    assert count == len(loads)
    assert len(pool._residents.warm()) == 1


async def test_the_loop_stays_free_while_a_version_loads(store: Store, new_pool, tmp_path):
    put_into_service(store, 1)
    is_loading, may_load = threading.Event(), threading.Event()

    def load(path, device, canonical):
        engine = load_painting(path, device)
        if engine.red == red_of(2):
            is_loading.set()
            assert may_load.wait(30)
        return engine

    pool = await new_pool(load=load)
    old = await pool.take(None)
    put_into_service(store, 2)
    swap = asyncio.create_task(pool.refresh("dcgan"))
    await asyncio.to_thread(is_loading.wait, 30)
    assert old is await pool.take(None)
    may_load.set()
    await swap
    assert old is not await pool.take(None)
