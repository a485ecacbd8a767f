"""Several `cattery serve` over one data folder and one Valkey are one service to their clients."""

import signal

import httpx
import pytest

from models.publishing.transfer import import_version
from models.store import Store
from tests.app.fake_engine import real_weights
from tests.integration.conftest import wait_for
from worker.valkey import EmbeddedValkey

HEARD_WITHIN_S = 10.0
"""Far below CATTERY_WATCH_S: what is followed by then was announced."""

LATER = "/cats?model=dcgan&n=1&seed=1"
"""A cat of whatever version is in service."""


@pytest.fixture(scope="module")
def front_ends(services, stock, tmp_path_factory):
    """Return two front ends that hear of promotions, and do not look for themselves.

    Both start at once over a store without the release's generators, which both register.
    """
    folder = tmp_path_factory.mktemp("several")
    stock(folder / "data")
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as valkey:
        settings = {"CATTERY_REDIS_URL": valkey.url, "CATTERY_WATCH_S": "3600"}
        both = [services(folder, "--no-worker", **settings) for _ in range(2)]
        yield [service.wait_until_ready() for service in both]
        for service in both:
            service.kill()


def test_one_seed_is_the_same_bytes_from_each(front_ends):
    link = front_ends[0].get(LATER).headers["content-location"]
    one, other = (service.get(link).raise_for_status() for service in front_ends)
    assert (one.content, one.headers["etag"]) == (other.content, other.headers["etag"])


def test_a_promotion_through_one_reaches_the_other(front_ends):
    """The swap is announced to all: each serves the new version, with the same bytes."""
    one, other = front_ends
    store = Store.open(str(one.data / "store"))
    version = import_version(store, "dcgan", real_weights(2, 64, 8)).version
    body = {"version": version}
    httpx.post(f"{one.url}/models/dcgan/promote", json=body, timeout=30).raise_for_status()

    def served() -> bool:
        return version in other.get(LATER).headers["content-location"]

    wait_for(served, "the other front end to follow", HEARD_WITHIN_S)
    assert one.get(LATER).content == other.get(LATER).content


def test_a_service_with_its_own_queue_is_refused_their_folder(front_ends, services):
    """Its worker and theirs would not know of each other's jobs."""
    alone = services(front_ends[0].folder)
    assert alone.wait_for_end() == 1
    assert alone.log.startswith("Error: Cattery is already running on the data folder")
    assert "CATTERY_REDIS_URL" in alone.log


def test_one_can_stop_while_the_other_serves(front_ends):
    """It stops without a worker or a queue of its own, and takes nothing from the other."""
    one, other = front_ends
    one.process.send_signal(signal.SIGTERM)
    assert one.wait_for_end() == 0
    assert "Shutting down: requests ..." in one.log
    assert other.get(LATER).status_code == 200
