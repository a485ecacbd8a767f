"""Tests of app.inference.queue."""

from types import SimpleNamespace
from typing import Any

import pytest

from app.inference.queue import FairQueue, RenderRequest, fair_shares
from app.inference.slot import Slot
from tests.app.fake_engine import PaintingEngine, card_for


def slot_of(red=1):
    return Slot("dcgan", f"{red:012x}", PaintingEngine(red), card_for("dcgan"))


def request_of(slot, count, *, expires_at=100.0, is_done=False):
    """Return a request for some pictures, whose client may have left."""
    future: Any = SimpleNamespace(done=lambda: is_done)
    return RenderRequest(slot, range(count), None, 0.0, expires_at, future)


def shares_of(batch):
    """Return what each request got, as (points it wants, number of its first one, points)."""
    return [(len(part.request.points), part.begin, len(part.points)) for part in batch.parts]


@pytest.mark.parametrize(
    ("asked", "shares"),
    [
        ((16, [64, 64, 1], 8), [15, 0, 1]),
        ((16, [16, 16, 16], 8), [16, 0, 0]),
        ((16, [16, 16, 3], 8), [13, 0, 3]),
        ((16, [16, 12, 16], 8), [8, 8, 0]),
        ((4, [1, 1], 2), [1, 1]),
        ((1, [64, 1], 1), [0, 1]),
        ((1, [64, 1], 0), [1, 0]),
        ((3, [5, 2, 5], 2), [1, 2, 0]),
    ],
)
def test_some_places_are_for_the_short_and_the_others_for_the_first(asked, shares):
    """Equal requests are served one after the other; a short one passes by long ones."""
    assert shares == fair_shares(*asked)


def test_with_one_place_a_long_request_and_a_stream_of_short_ones_take_turns():
    """Nobody is overtaken for ever, even where a batch has room for one picture."""
    queue, slot = FairQueue(), slot_of()
    queue.enter(request_of(slot, 64))
    got = []
    for _ in range(8):
        queue.enter(request_of(slot, 1))
        got += [wanted for wanted, *_ in shares_of(queue.gather(slot, 1))]
    assert (got.count(64), got.count(1)) == (4, 4)
    assert queue.waiting == 60 + 4


def test_no_long_request_is_starved_where_two_models_take_turns():
    """Short and first ones take turns within each line, not across all of them."""
    queue, slots = FairQueue(), [slot_of(1), slot_of(2)]
    for slot in slots:
        queue.enter(request_of(slot, 64))
    got = dict.fromkeys(slots, 0)
    for _ in range(16):
        for slot in slots:
            queue.enter(request_of(slot, 1))
        slot = queue.next_slot()
        assert slot is not None
        got[slot] += [wanted for wanted, *_ in shares_of(queue.gather(slot, 1))] == [64]
    assert list(got.values()) == [4, 4]


def test_slots_take_turns_and_requests_keep_their_places():
    """A batch has one slot; what is left of a request stays where it stood in its line."""
    queue, old, new = FairQueue(), slot_of(1), slot_of(2)
    for slot, count in ((old, 20), (new, 2), (old, 20)):
        queue.enter(request_of(slot, count))
    assert (queue.waiting, queue.left_of(old), queue.left_of(new)) == (42, 40, 2)
    batches = []
    while (slot := queue.next_slot()) is not None:
        batches.append(queue.gather(slot, 16))
    assert [batch.slot for batch in batches] == [old, new, old, old]
    shares = [[(20, 0, 16)], [(2, 0, 2)], [(20, 16, 4), (20, 0, 12)], [(20, 12, 8)]]
    assert [shares_of(batch) for batch in batches] == shares
    assert queue.waiting == 0


def test_whom_nobody_waits_for_is_dropped_and_not_counted():
    """Expired and left ones go, whatever line they stand in; the others stay."""
    queue, old, new = FairQueue(), slot_of(1), slot_of(2)
    stays = request_of(old, 3)
    for request in (request_of(old, 5, expires_at=9.0), stays, request_of(new, 7, is_done=True)):
        queue.enter(request)
    queue.drop_unawaited(10.0)
    assert (queue.waiting, queue.requests()) == (3, [stays])
    queue.leave(stays)
    queue.leave(stays)
    assert (queue.waiting, queue.next_slot()) == (0, None)


def test_a_thousand_clients_that_hang_up_are_removed_one_by_one(monkeypatch):
    """Each without a look at the others: the work grows with their number, not its square."""
    queue, slot = FairQueue(), slot_of()
    requests = [request_of(slot, 1) for _ in range(1000)]
    looks = []

    def look(one, other):
        looks.append(one)
        return one is other

    monkeypatch.setattr(RenderRequest, "__eq__", look)
    monkeypatch.setattr(RenderRequest, "__hash__", object.__hash__)
    for request in requests:
        queue.enter(request)
    for request in reversed(requests):
        queue.leave(request)
    assert (queue.waiting, queue.next_slot()) == (0, None)
    assert len(looks) < 1000


def test_a_request_is_whole_when_all_its_parts_are_made_in_whatever_order():
    """Lanes may end out of order; the pictures come back in order."""
    future: Any = SimpleNamespace()
    request = RenderRequest(slot_of(), range(5), lambda *_: b"", 0.0, 1.0, future)
    assert not request.add(3, [b"3", b"4"], 2)
    assert request.add(0, [b"0", b"1", b"2"], 3)
    assert request.result() == [b"0", b"1", b"2", b"3", b"4"]
