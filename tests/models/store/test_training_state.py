"""A job's state: fenced by epochs, so that two processes never write one state."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from models.errors import BadEntry, InvalidValue, LeaseLost, NotFound


@pytest.fixture
def state(store):
    return store.jobs.state("20260101-000000-abcdef")


def test_state_reads_back_from_the_newest_epoch_that_has_it(state, tmp_path):
    """A new holder sees what the one before wrote until it writes itself."""
    assert state.newest("weights") is None
    assert state.newest_path("weights", tmp_path) is None
    first = state.take()
    assert not state.exists()
    state.write(first, "weights", b"1")
    second = state.take()
    assert second > first
    assert state.exists()
    assert state.newest("weights") == b"1"
    state.write(second, "weights", b"2")
    assert state.newest("weights") == b"2"
    assert state.newest_path("weights", tmp_path).read_bytes() == b"2"
    file = tmp_path / "state.safetensors"  # large states need not pass through memory
    file.write_bytes(b"tensors")
    state.write(state.take(), "weights", file)
    assert state.newest("weights") == b"tensors"
    assert not file.exists()


def test_a_stale_holder_gets_lease_lost_and_changes_nothing(store, state):
    stale = state.take()
    state.write(stale, "weights", b"old")
    fresh = state.take()
    with pytest.raises(LeaseLost):
        state.write(stale, "weights", b"late")
    assert state.newest("weights") == b"old"
    state.write(fresh, "weights", b"new")
    state.prune(fresh)
    assert store.tree.names("jobs/20260101-000000-abcdef/state") == [f"{fresh:06d}"]
    with pytest.raises(LeaseLost):
        state.write(stale, "weights", b"later")
    assert state.newest("weights") == b"new"


def test_even_a_write_past_the_fence_cannot_harm_the_successor(store, state):
    """A holder that was checked before it lost the state writes into its own epoch only."""
    stale, job = state.take(), "20260101-000000-abcdef"
    fresh = state.take()
    state.write(fresh, "weights", b"new")
    store.tree.write(f"jobs/{job}/state/{stale:06d}/weights", b"late")
    assert state.newest("weights") == b"new"


def test_every_taker_gets_an_epoch_of_its_own(state):
    barrier = threading.Barrier(8)

    def take(_):
        barrier.wait()
        return state.take()

    with ThreadPoolExecutor(8) as threads:
        epochs = list(threads.map(take, range(8)))
    assert len(set(epochs)) == 8
    with pytest.raises(LeaseLost):
        state.write(min(epochs), "weights", b"x")
    state.write(max(epochs), "weights", b"x")


def test_dropped_state_is_gone_and_its_holder_locked_out(state):
    """Later epochs go on counting where the dropped ones stopped."""
    epoch = state.take()
    state.write(epoch, "weights", b"x")
    state.drop()
    assert not state.exists()
    assert state.newest("weights") is None
    with pytest.raises(LeaseLost):
        state.write(epoch, "weights", b"late")
    assert state.take() > epoch


def test_names_cannot_leave_the_folder(store, state):
    with pytest.raises(InvalidValue):
        state.write(state.take(), "../../job.json", b"x")
    with pytest.raises(NotFound):
        store.jobs.state("../x")


@pytest.mark.parametrize("damage", [b"", b"[]", b'{"epoch": null}', b'{"epoch": 1e999}', b"["])
def test_a_damaged_mark_is_our_error(store, damage):
    state = store.jobs.state("job")
    state.take()
    state.drop()
    store.tree.write("jobs/job/state/dropped.json", damage)
    with pytest.raises(BadEntry, match=r"jobs/job/state/dropped\.json"):
        state.take()
