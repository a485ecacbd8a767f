"""A real Valkey for the worker's tests."""

import pytest

from worker.valkey import EmbeddedValkey


@pytest.fixture(scope="module")
def valkey(tmp_path_factory):
    """Return a running Valkey, one for the tests of a module."""
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server
