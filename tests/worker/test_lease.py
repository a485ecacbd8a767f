"""The lease, with a real Valkey."""

from tests.worker.waiting import until
from worker.lease import Lease
from worker.protocol import lease_key


def test_only_one_of_two_gets_it_and_the_next_after_its_release(redis):
    first, second = Lease(redis, "a"), Lease(redis, "a")
    assert first.take()
    assert not second.take()
    second.release()
    assert first.held()
    first.release()
    assert not first.held()
    assert second.take()
    second.release()
    assert not redis.exists(lease_key("a"))


def test_it_is_renewed_beyond_its_time_to_live(redis):
    with Lease(redis, "a", ttl_s=1) as lease:
        assert lease.take()
        low = [False]

        def renewed() -> bool:
            left = redis.pttl(lease_key("a"))
            assert left > 0
            low[0] = low[0] or left < 850
            return low[0] and left > 950

        until(renewed, 5, "it is renewed")
        assert lease.held()


def test_after_a_flush_the_holder_has_it_again(redis):
    """FLUSHALL, or a Redis that came back empty, takes nothing away."""
    with Lease(redis, "a", ttl_s=1) as lease:
        lease.take()
        redis.flushall()
        until(lambda: redis.exists(lease_key("a")), 5, "it is taken again")
        assert lease.held()


def test_it_is_known_to_be_lost_and_the_other_one_keeps_it(redis):
    with Lease(redis, "a", ttl_s=1) as lease:
        lease.take()
        redis.set(lease_key("a"), "somebody else")
        until(lambda: not lease.held(), 5, "the loss is seen")
    assert redis.get(lease_key("a")) == b"somebody else"


def test_a_worker_and_its_job_process_hold_it_together(redis):
    """Whoever renews it, it is the same holder's; and nobody else's until both are gone."""
    worker, process, other = Lease(redis, "a", 1, "w"), Lease(redis, "a", 1, "w"), Lease(redis, "a")
    assert worker.take()
    assert process.take()
    assert not other.take()
    process.release()
    until(lambda: redis.exists(lease_key("a")), 5, "the worker renews it")
    worker.release()
    assert other.take()
    other.release()
