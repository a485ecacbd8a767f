"""`cattery train` in a process of its own: stopped by Ctrl-C, it goes on where it was."""

import os
import re
import shutil
import signal
import subprocess
import sys

import pytest

from models.jobs.dataset_import import import_dataset
from models.store import Store
from models.store.records import JobStatus, Phase
from tests.integration.conftest import wait_for

LONG_S = 240.0


@pytest.fixture
def train(pictures, tmp_path):
    """Return a function that starts `cattery train ARGUMENTS...` with the dataset `cats`."""
    data = tmp_path / "data"
    store = Store.open(str(data / "store"))
    few = tmp_path / "few"  # each is one more forward pass of a large network, thrice
    few.mkdir()
    for picture in sorted((pictures / "cats").glob("*.jpg"))[:40]:
        shutil.copy(picture, few)
    import_dataset(store, "cats", few, cache=data / "cache", statistics=False)
    environment = {**os.environ, "CATTERY_DATA": str(data), "CATTERY_FAKES": "64"}  # noqa: TID251 - a child needs PATH
    started = []

    def start(*arguments):
        command = [sys.executable, "-P", "-m", "app.cli", "train", *arguments]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield store, start
    for process in started:
        process.kill()
        process.communicate()


def _only_job(store):
    return next(iter(store.jobs.list()), None)


@pytest.mark.slow
def test_ctrl_c_saves_and_resume_goes_on(train):
    """The stopped job waits with its state; --resume goes on from there and finishes it."""
    store, start = train
    numbers = ["--set", "width=4", "--set", "batch=8", "--set", "z_dim=8"]
    first = start("dcgan", "--dataset", "cats", "--minutes", "0.1", *numbers)

    def trains():
        return (job := _only_job(store)) and job.phase is Phase.TRAINING and job.progress.step

    wait_for(trains, "the training to begin", LONG_S)
    first.send_signal(signal.SIGINT)
    _, said = first.communicate(timeout=LONG_S)
    waiting = _only_job(store)
    assert first.returncode == 0
    assert waiting.status is JobStatus.QUEUED
    assert re.findall(r"cattery train --resume (\S+)", said) == [waiting.id]

    second = start("--resume", waiting.id)
    _, said = second.communicate(timeout=LONG_S)
    ended = store.jobs.get(waiting.id)
    assert (second.returncode, ended.status) == (0, JobStatus.FINISHED), said
    resumed = [event for event in store.jobs.events(waiting.id) if event.type == "resumed"]
    assert len(resumed) == 1
    assert resumed[0].data["kimg"] >= waiting.progress.kimg > 0
    assert [card.version for card in store.versions.list("dcgan")] == [ended.version]
    assert store.aliases.get("dcgan").serving == ended.version
