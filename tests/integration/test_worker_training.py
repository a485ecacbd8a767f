"""Real training and a real import, in real job processes, interrupted on the way."""

import os
import shutil
import signal
import zipfile
from pathlib import Path

import pytest

from models.jobs.dataset_import import import_dataset
from models.jobs.order import make_order
from models.store import Store
from models.store.records import Budget, ImportOrder, JobKind, JobStatus, Promote
from tests.integration.service import REAL, House
from tests.worker.waiting import is_running, until
from worker.settings import WorkerSettings
from worker.valkey import EmbeddedValkey

pytestmark = pytest.mark.slow


@pytest.fixture
def house(tmp_path):
    """Return a house whose workers train for real."""
    with EmbeddedValkey(tmp_path / "valkey") as valkey:
        quick: dict = {"reap_s": 1, "lease_s": 4, "checkpoint_s": 0.5, "min_free_mb": 1, "nice": 5}
        quick |= {"device": "cpu", "threads": 1, "fakes": 16}
        settings = WorkerSettings(data=tmp_path, redis_url=valkey.url, **quick)
        house = House(settings, Store.open(settings.store_url), command=REAL)
        yield house
        house.close()


def order(house: House, pictures: Path, kimg: float):
    """Import the small pictures and return an order to train on them."""
    few = house.settings.data / "few"  # each is one more forward pass of a large network
    few.mkdir()
    for picture in sorted((pictures / "cats").glob("*.jpg"))[:40]:
        shutil.copy(picture, few)
    cache = house.settings.data / "cache"
    dataset = import_dataset(house.store, "cats", few, cache=cache, statistics=False)
    small: dict = {"size_px": 32, "overrides": {"width": 4, "batch": 8}, "promote": Promote.ALWAYS}
    budget = Budget(kimg=kimg)
    return make_order(recipe="dcgan", dataset=dataset, store=house.store, budget=budget, **small)


def job_process(worker) -> int:
    children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
    return int(children[0])


def test_training_goes_on_after_its_worker_and_its_process_were_killed(house, pictures):
    """Two SIGKILLs, one finished job with all of its training, and its version in service."""
    job = house.submit(JobKind.TRAIN, order(house, pictures, 2))
    state, jobs = house.store.jobs.state(job), house.store.jobs

    first = house.worker()
    until(state.exists, 60, "a state was saved")
    child = job_process(first)
    first.kill()
    until(lambda: not is_running(child), 10, "the job process ends with its worker")

    def resumes() -> int:
        return house.events(job).count("resumed")

    second = house.worker()
    until(lambda: resumes() == 1, 30, "the job goes on elsewhere")
    os.kill(job_process(second), signal.SIGKILL)
    until(lambda: resumes() == 2, 30, "it goes on again")

    house.status(job, JobStatus.FINISHED, 150)
    record = jobs.get(job)
    assert record.progress.kimg == pytest.approx(2, abs=0.1)
    assert record.promoted
    assert house.store.aliases.get("dcgan-32").serving == record.version
    assert house.events(job).count("interrupted") == 2
    assert all(b"PNG" in jobs.sample(job, label)[:8] for label in record.samples)


def test_training_pauses_with_its_worker_and_can_be_canceled_afterwards(house, pictures):
    """SIGTERM saves the state within seconds; the next worker resumes; a cancel ends it."""
    job = house.submit(JobKind.TRAIN, order(house, pictures, 5000))
    first = house.worker()
    until(lambda: house.store.jobs.get(job).progress.step > 0, 60, "it trains")
    first.send_signal(signal.SIGTERM)
    assert first.wait(30) == 0
    paused = house.store.jobs.get(job)
    assert paused.status is JobStatus.QUEUED
    assert "paused" in house.events(job)

    house.worker()
    until(lambda: "resumed" in house.events(job), 30, "it resumes")
    resumed = next(e for e in house.store.jobs.events(job) if e.type == "resumed")
    assert resumed.data["kimg"] >= paused.progress.kimg
    house.store.jobs.request_cancel(job)
    house.status(job, JobStatus.CANCELED, 60)
    assert not house.store.jobs.get(job).promoted
    assert "interrupted" not in house.events(job)


def test_an_import_survives_the_death_of_its_process(house, pictures, tmp_path):
    upload = tmp_path / "upload.zip"
    with zipfile.ZipFile(upload, "w") as archive:
        for picture in sorted((pictures / "cats").iterdir()):
            archive.write(picture, picture.name)
    job = house.submit(JobKind.IMPORT, ImportOrder(name="cats", source=str(upload)))
    worker = house.worker()
    until(lambda: house.store.jobs.get(job).status is JobStatus.STARTED, 60, "it starts")
    os.kill(job_process(worker), signal.SIGKILL)
    house.status(job, JobStatus.FINISHED, 120)
    assert house.store.datasets.get("cats").kept > 150
    assert not upload.exists()
    assert "interrupted" in house.events(job)
