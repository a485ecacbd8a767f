"""A webhook of a real job, with a real worker that dies before it is delivered."""

import json

from models.store import Store
from models.store.records import JobStatus
from tests.integration.conftest import wait_for
from tests.integration.service import House
from tests.worker.receiver import receiving
from worker.settings import WorkerSettings
from worker.valkey import EmbeddedValkey

SECRET = "a secret of the tests, long enough"  # noqa: S105 - of no service


def test_a_worker_that_dies_loses_no_webhook(tmp_path):
    """The first worker fails to deliver and is killed; the next one goes on."""
    with EmbeddedValkey(tmp_path / "valkey") as valkey, receiving() as receiver:
        settings = WorkerSettings(data=tmp_path, redis_url=valkey.url, min_free_mb=0)
        house = House(settings, Store.open(settings.store_url))
        secrets = {"CATTERY_WEBHOOK_SECRET": SECRET, "CATTERY_WEBHOOK_HOSTS": "127.0.0.1"}
        receiver.answers.append(500)
        try:
            first = house.worker(**secrets)
            job = house.job(steps=300)
            house.store.webhooks.add(job, receiver.url)
            house.status(job, JobStatus.FINISHED, 60)
            wait_for(lambda: receiver.came, "a first attempt")
            first.kill()
            house.worker(**secrets)
            wait_for(lambda: house.store.webhooks.get(job) is None, "the delivery")
        finally:
            house.close()
    assert len(receiver.came) >= 2
    assert {headers["webhook-id"] for _, headers, _ in receiver.came} == {f"msg_{job}"}
    assert json.loads(receiver.came[-1][2])["data"]["status"] == "finished"
