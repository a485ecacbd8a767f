"""What the zoo's training says of an entry, line by line and in its table."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from models.store import Store
from models.store.records import JobKind, JobRecord, JobStatus, Phase, Progress
from models.store.serialization import to_json
from tests.models.comparison.comparisons import PROTOCOL, QUICK, Stage
from tools.zoo.planning import Outlook, Standing, wanted
from tools.zoo.report import ended_line, progress_line, row, started_line, tell, why_not
from tools.zoo.table import Entry

TABBY = Entry(recipe="dcgan", kimg=2, size_px=32, overrides={"width": 4, "batch": 8})
HALF = JobRecord(
    id="one",
    kind=JobKind.TRAIN,
    order=to_json(wanted(TABBY)),
    created_at="",
    status=JobStatus.STARTED,
    phase=Phase.TRAINING,
    progress=Progress(kimg=1, kimg_total=2, images_per_s=125.4, eta_s=480.0, training_s=8.04),
)


def of(standing: Standing, job: JobRecord | None = None) -> Outlook:
    """Return the entry's outlook."""
    return Outlook(entry=TABBY, standing=standing, job=job)


def test_a_start_and_a_resumption_name_the_log() -> None:
    """The one says from where it goes on."""
    log = Path("zoo/dcgan-32.log")
    assert started_line(of(Standing.TO_DO), log) == f"dcgan-32: started; its log: {log}"
    assert started_line(of(Standing.INTERRUPTED, HALF), log) == (
        f"dcgan-32: goes on at 1 kimg (job one); its log: {log}"
    )


def test_progress_is_pictures_speed_and_time_to_go() -> None:
    """As far as they are known; an older job that has ended says nothing of a new one."""
    assert progress_line(of(Standing.INTERRUPTED, HALF)) == (
        "dcgan-32: training, 1 of 2 kimg, 125 images/s, 8 min to go"
    )
    young = replace(HALF, phase=None, progress=Progress())
    assert progress_line(of(Standing.BUSY, young)) == "dcgan-32: started, 0 of 2 kimg"
    failed = replace(HALF, status=JobStatus.FAILED)
    for job in (None, failed):
        assert progress_line(of(Standing.TO_DO, job)) == "dcgan-32: getting ready"


def test_why_there_is_no_version() -> None:
    """By the job's own reason, by how its process ended, or by what it waits for."""
    failed = replace(HALF, status=JobStatus.FAILED, reason="No space.")
    assert why_not(of(Standing.ENDED, failed), 1) == "Failed: No space."
    canceled = replace(HALF, status=JobStatus.CANCELED)
    assert why_not(of(Standing.ENDED, canceled)) == "Canceled: no reason was given"
    assert why_not(of(Standing.TO_DO), 2) == "Its process was ended with exit status 2."
    assert why_not(of(Standing.INTERRUPTED, HALF), -9) == "Its process was ended by SIGKILL."
    assert why_not(of(Standing.BUSY, HALF)) == "Some other process trains it."


def test_rows_of_what_has_no_version() -> None:
    """How far it came, and what is to be done."""
    store = Store("memory://rows")
    assert row(of(Standing.TO_DO), store) == ("dcgan-32", "to do", "", "", "")
    waits = "interrupted; the same command goes on"
    assert row(of(Standing.INTERRUPTED, HALF), store) == ("dcgan-32", waits, "1", "8.0", "")
    failed = replace(HALF, status=JobStatus.FAILED, reason="No space.")
    assert row(of(Standing.ENDED, failed), store)[1] == "Failed: No space."


def test_the_distance_is_that_of_the_default_protocol(tmp_path: Path) -> None:
    """Of several; one without an interval is told without, and none as not measured."""
    quick = {"name": "kid", "value": 0.5, "protocol": QUICK}
    whole = {"name": "kid", "value": 0.25, "protocol": PROTOCOL}
    for name, metrics, says in (
        ("both", (quick, whole), "KID 0.25"),
        ("none", (), "KID not measured"),
    ):
        store = Store.open(str(tmp_path / name))
        stage = Stage(store, tmp_path, metrics={"dcgan": metrics})
        job = stage.run(store.jobs.create(JobKind.TRAIN, wanted(TABBY), runner="cli")[0])
        done = of(Standing.DONE, job)
        version = store.versions.list("dcgan-32")[0].version
        assert ended_line(done, store) == f"dcgan-32: finished, version {version}, {says}"
        assert row(done, store)[1] == version


def test_a_line_has_the_time_of_day(capsys: pytest.CaptureFixture[str]) -> None:
    """For whoever reads it tomorrow."""
    tell("tabby: started")
    assert re.fullmatch(r"\d\d:\d\d:\d\d  tabby: started\n", capsys.readouterr().err)
