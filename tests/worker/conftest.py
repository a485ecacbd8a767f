"""A real Valkey for the worker's tests."""

from collections.abc import Iterator

import pytest
from redis import Redis

from worker.redis_client import connect
from worker.valkey import EmbeddedValkey


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    """Return a running Valkey, one for the tests of a module."""
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def redis(valkey: EmbeddedValkey) -> Iterator[Redis]:
    """Return a client of an empty Valkey."""
    client = connect(valkey.url)
    client.flushall()
    yield client
    client.close()
