"""Tests of app.inference.single_flight."""

import asyncio

import pytest

from app.inference.single_flight import Loader, SingleFlight
from models.errors import CheckpointError


async def test_work_is_done_once_for_all_who_wait():
    """One that leaves spoils nothing, and afterwards it is done anew."""
    done, may_go = [], asyncio.Event()

    async def work():
        await may_go.wait()
        done.append(1)
        return len(done)

    once: SingleFlight[int] = SingleFlight()
    waiting = [asyncio.create_task(once.get("key", work)) for _ in range(3)]
    await asyncio.sleep(0)
    assert "key" in once
    waiting[0].cancel()
    may_go.set()
    assert await asyncio.gather(*waiting[1:]) == [1, 1]
    assert "key" not in once
    assert await once.get("key", work) == 2
    await once.close()


async def test_all_who_wait_are_told_what_went_wrong():
    """And nobody is for the next time."""

    async def fail():
        raise CheckpointError("It is damaged.")

    once: SingleFlight[int] = SingleFlight()
    both = [once.get("key", fail) for _ in range(2)]
    told = await asyncio.gather(*both, return_exceptions=True)
    assert [type(err) for err in told] == [CheckpointError, CheckpointError]
    assert "key" not in once


async def test_closing_ends_what_is_under_way():
    once: SingleFlight[bool] = SingleFlight()
    waiting = asyncio.create_task(once.get("key", asyncio.Event().wait))
    await asyncio.sleep(0)
    await once.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert "key" not in once


async def test_what_is_damaged_is_not_looked_at_again_for_a_while():
    """The second one who asks is told what the first one was, without a load."""
    loads = []

    def make(model, version):
        loads.append(f"{model}@{version}")
        raise CheckpointError("It is damaged.")

    loader = Loader(make)
    for _ in range(2):
        with pytest.raises(CheckpointError):
            await loader.load("dcgan", "1")
    assert loads == ["dcgan@1"]
    with pytest.raises(CheckpointError):
        loader.refuse_damaged("dcgan@1")
    loader.refuse_damaged("dcgan@2")
    await loader.close()
