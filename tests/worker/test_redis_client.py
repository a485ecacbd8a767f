"""Connections to Redis, and outages of every kind."""

import logging
from contextlib import closing

import pytest
from redis.exceptions import RedisError

from tests.worker.redis_proxy import Mode, RedisProxy
from worker.errors import RedisUrlInvalid, RedisUrlMissing
from worker.redis_client import Outages, check_writable, connect, reason_of


@pytest.fixture(params=[False, True], ids=["unix", "tcp"])
def proxy(valkey, request):
    """Return a proxy in front of the Valkey."""
    with RedisProxy(valkey.url, is_tcp=request.param) as proxy:
        yield proxy


@pytest.fixture
def client(proxy):
    """Return a client of the proxy that does not wait for long."""
    with closing(connect(proxy.url, timeout_s=0.3)) as client:
        yield client


def refused(client) -> RedisError:
    """Return what a write raises."""
    with pytest.raises(RedisError) as caught:
        check_writable(client)
    return caught.value


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        (Mode.READONLY, "it is read-only"),
        (Mode.OOM, "its memory is full"),
        (Mode.MISCONF, "it cannot write to its disk"),
        (Mode.LOADING, "it is still loading its data"),
        (Mode.NOAUTH, "it requires a password"),
        (Mode.HANG, "it does not respond in time"),
        (Mode.CUT, "the connection to it was lost"),
        (Mode.RESET, "the connection to it was lost"),
        (Mode.LOSE_REPLIES, "the connection to it was lost"),
    ],
)
def test_every_answer_that_is_no_success_has_its_reason(proxy, client, mode, reason):
    """Whatever it was, the same client succeeds afterwards."""
    check_writable(client)
    with proxy.during(mode):
        assert reason in reason_of(refused(client))
    check_writable(client)


def test_reads_and_writes_differ_as_with_a_real_replica(proxy, client):
    client.set("a", "b")
    with proxy.during(Mode.READONLY):
        assert client.get("a") == b"b"
        assert client.ping()
        with pytest.raises(RedisError, match="read only"), client.pipeline() as both:
            both.set("a", "c").set("d", "e").execute()
        assert client.get("a") == b"b"
    assert client.pipeline().set("a", "c").get("a").execute() == [True, b"c"]


def test_a_lost_reply_is_not_a_lost_command(proxy, client):
    client.ping()  # the replies of the handshake are not meant
    with proxy.during(Mode.LOSE_REPLIES), pytest.raises(RedisError):
        client.set("a", "b")
    assert client.get("a") == b"b"


def test_a_subscriber_hears_through_the_proxy(proxy, client, redis):
    with client.pubsub() as channel:
        channel.subscribe("news")
        channel.get_message(timeout=5)
        redis.publish("news", "hello")
        assert channel.get_message(timeout=5)["data"] == b"hello"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("unix:///nowhere/valkey.sock", "nothing listens"),
        ("redis://127.0.0.1:1", "nothing listens"),
        ("redis://nowhere.invalid:6379", "host name is unknown"),
    ],
)
def test_an_address_without_a_redis_has_its_reason(url, reason):
    with closing(connect(url)) as client:
        assert reason in reason_of(refused(client))


def test_tls_and_a_wrong_password_have_their_reasons(proxy, valkey, redis):
    redis.acl_setuser("tabby", enabled=True, passwords=["+right"], commands=["+get"], keys=["*"])
    for user, reason in (("tabby:wrong", "rejects the password"), ("tabby:right", "permission")):
        with closing(connect(valkey.url.replace("unix://", f"unix://{user}@"))) as client:
            assert reason in reason_of(refused(client))
    if proxy.url.startswith("redis"):
        tls = proxy.url.replace("redis://", "rediss://")
        with closing(connect(tls, timeout_s=2)) as client:
            assert "TLS" in reason_of(refused(client))


def test_urls_that_cannot_be_used_are_refused_without_telling_a_password():
    with pytest.raises(RedisUrlMissing):
        connect("")
    for url in ("localhost", "http://tabby:secret@x", "redis://tabby:sec/ret@x:port"):
        with pytest.raises(RedisUrlInvalid) as caught:
            connect(url)
        assert "sec" not in str(caught.value)


def test_an_outage_is_logged_once_and_so_is_its_end(caplog):
    caplog.set_level(logging.WARNING)
    outages = Outages("Worker")
    outages.ended()
    for _ in range(3):
        outages.began(RedisError("who knows"))
    outages.ended()
    outages.ended()
    first, second = caplog.messages
    assert first.startswith("Worker: Redis is unavailable, ")
    assert "who knows" in first
    assert second == "Worker: Redis is available again."
