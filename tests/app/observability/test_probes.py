"""Tests of app.observability.probes."""

import asyncio
import threading

import pytest

from app.observability.probes import OK, Probe
from models.errors import StoreError


async def test_a_check_that_succeeds_fails_or_breaks_is_told():
    def fail():
        raise StoreError("The store is away.")

    assert await Probe(lambda: 1).result() == OK
    assert await Probe(fail).result() == "The store is away."
    with pytest.raises(ZeroDivisionError):
        await Probe(lambda: 1 / 0).result()


async def test_a_check_that_hangs_takes_one_thread_however_often_it_is_asked_for():
    """And none that requests need; once it ends, it is checked anew."""
    may_go, runs = threading.Event(), []

    def hang():
        runs.append(1)
        may_go.wait()

    probe = Probe(hang, timeout_s=0.05)
    before = threading.active_count()
    found = await asyncio.gather(*(probe.result() for _ in range(50)))
    found += [await probe.result()]
    assert set(found) == {"no response within 0.05 s."}
    assert threading.active_count() <= before + 1
    assert len(runs) == 1
    may_go.set()
    while await probe.result() != OK:
        await asyncio.sleep(0)
    assert await probe.result() == OK
    assert len(runs) > 1
