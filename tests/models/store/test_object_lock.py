"""Renewals of a lock whose answers get lost."""

import logging
from uuid import uuid4

import fsspec
import pytest

from models.store import object_lock
from models.store.conditional import MemoryConditions
from models.store.object_lock import ObjectLock
from tests.worker.waiting import until


class Flaky(MemoryConditions):
    """Loses the answer of writes, or fails to tell a tag, when told."""

    lost_answer = False
    failing_tag = False
    writes = 0

    def put(self, place, data, tag):  # noqa: D102
        done = super().put(place, data, tag)
        self.writes += done
        if done and self.lost_answer:
            self.lost_answer = False
            raise OSError("connection reset")
        return done

    def tag(self, place):  # noqa: D102
        if self.failing_tag and not self._guard.locked():  # not while `put` compares
            self.failing_tag = False
            raise OSError("connection reset")
        return super().tag(place)


@pytest.fixture
def held(monkeypatch):
    """Return a lock that is held and renewed quickly, with its conditions and its place."""
    monkeypatch.setattr(object_lock, "RENEW_S", 0.01)
    fs = fsspec.filesystem("memory")
    conditions, place = Flaky(fs), f"/locks/{uuid4().hex}"
    lock = ObjectLock(conditions, fs, place)
    lock.acquire()
    yield conditions, fs, place
    lock.release()


@pytest.mark.parametrize("fault", ["lost_answer", "failing_tag"])
def test_a_lost_answer_does_not_end_the_renewal(held, fault):
    conditions, _, _ = held
    setattr(conditions, fault, True)
    until(lambda: not getattr(conditions, fault), 5, "it happened")
    before = conditions.writes
    until(lambda: conditions.writes > before + 3, 5, "it is renewed")


def test_a_lock_that_was_taken_over_is_told_and_left_alone(held, caplog):
    _, fs, place = held
    with caplog.at_level(logging.WARNING):
        fs.pipe_file(place, b"another 1\n")
        until(lambda: "Lost the lock" in caplog.text, 5, "it is told")
    assert fs.cat_file(place) == b"another 1\n"
