"""The lease, with a real Valkey."""

import threading
from contextlib import closing

import pytest
from redis.exceptions import RedisError

from models.errors import StoreError
from tests.worker.redis_proxy import Mode, RedisProxy
from tests.worker.waiting import until
from worker.lease import Lease, lease_client
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


REFUSING = (Mode.READONLY, Mode.OOM, Mode.MISCONF, Mode.LOADING, Mode.NOAUTH)
AWAY = (Mode.CUT, Mode.RESET, Mode.HANG)


@pytest.fixture
def proxy(valkey):
    """Return a proxy in front of the Valkey."""
    with RedisProxy(valkey.url) as proxy:
        yield proxy


@pytest.fixture
def lease(proxy, redis):
    """Return a lease of a second, through the proxy."""
    with closing(lease_client(proxy.url, 1)) as client, Lease(client, "a", ttl_s=1) as lease:
        assert lease.take()
        yield lease


@pytest.mark.parametrize("mode", REFUSING)
def test_a_refusal_shorter_than_its_time_to_live_is_survived(proxy, redis, mode):
    """A failover of a second: the renewing thread goes on, and the lease stays ours."""
    with closing(lease_client(proxy.url, 3)) as client, Lease(client, "a", ttl_s=3) as lease:
        assert lease.take()
        with proxy.during(mode):
            until(lambda: proxy.counts["refused"] > 2, 5, "renewals are refused")
            assert lease.held()
        until(lambda: redis.pttl(lease_key("a")) > 2850, 5, "it is renewed again")
        assert lease.held()


@pytest.mark.parametrize("mode", REFUSING + AWAY)
def test_what_cannot_be_renewed_is_not_held_for_longer_than_it_lasts(proxy, lease, redis, mode):
    """No moment at which it is held by us and free for others, so never two trainers."""
    with proxy.during(mode):
        until(lambda: not lease.held() or not redis.exists(lease_key("a")), 5, "it runs out")
        assert not lease.held()
        until(lambda: not redis.exists(lease_key("a")), 5, "it is free")
        assert not lease.wait(give_up=lambda: True)
    assert lease.wait()
    assert redis.exists(lease_key("a"))


def test_a_renewal_whose_reply_is_lost_does_not_count(proxy, lease):
    with proxy.during(Mode.LOSE_REPLIES):
        until(lambda: not lease.held(), 5, "it is not held any more")
    assert lease.wait()


def test_taking_it_outlasts_a_lost_reply_and_a_failover(proxy, redis):
    """Our own token in Redis, put there by a call that seemed to fail, is no other holder."""
    with closing(lease_client(proxy.url, 5)) as client, Lease(client, "b", ttl_s=5) as lease:
        proxy.set(Mode.LOSE_REPLIES)
        back = threading.Timer(0.5, proxy.set, [Mode.NORMAL])
        back.start()
        assert lease.take()
        back.join()


def test_taking_it_fails_where_redis_stays_away(proxy, redis):
    with closing(lease_client(proxy.url, 0.2)) as client, proxy.during(Mode.READONLY):
        with pytest.raises(RedisError), Lease(client, "b", ttl_s=0.2) as lease:
            lease.take()
        assert not lease.held()
        assert not lease.wait()


def test_whoever_took_it_meanwhile_keeps_it(proxy, lease, redis):
    """After the outage one of both goes on, and the other is told so."""
    with proxy.during(Mode.READONLY):
        until(lambda: not redis.exists(lease_key("a")), 5, "it is free")
        with Lease(redis, "a", ttl_s=5) as second:
            assert second.take()
            assert not lease.held()
            proxy.set(Mode.NORMAL)
            assert not lease.wait()
            assert second.held()


def test_a_lease_that_ran_out_is_not_regained_if_the_job_was_run_meanwhile(proxy, lease, redis):
    """Another holder has come and gone: in Redis it is free, but the job is not ours any more."""
    lease.regain_if(lambda: False)
    with proxy.during(Mode.READONLY):
        until(lambda: not redis.exists(lease_key("a")), 5, "it is free")
    assert not lease.wait()
    lease.release()
    assert not redis.exists(lease_key("a"))


def test_an_unreadable_store_leaves_it_unknown_until_it_can_be_read(proxy, lease, redis):
    answers = [True]

    def is_current() -> bool:
        if answers:
            raise StoreError("The store is away.")
        return True

    lease.regain_if(is_current)
    with proxy.during(Mode.READONLY):
        until(lambda: not redis.exists(lease_key("a")), 5, "it is free")
    until(lambda: redis.exists(lease_key("a")), 5, "it is ours in Redis")
    assert not lease.held()
    answers.clear()
    assert lease.wait()
