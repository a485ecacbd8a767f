"""What training the zoo prints: log lines and the table."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from models.store import Store
from models.store.records import JobKind, JobRecord, JobStatus, Phase, Progress
from models.store.serialization import to_json
from tests.models.comparison.comparisons import PROTOCOL, QUICK, Stage
from tools.zoo.planning import EntryStatus, State, order_for
from tools.zoo.report import ended_line, log_line, progress_line, row, started_line
from tools.zoo.table import Entry

TABBY = Entry(recipe="dcgan", kimg=2, size_px=32, overrides={"width": 4, "batch": 8})
HALF = JobRecord(
    id="one",
    kind=JobKind.TRAIN,
    order=to_json(order_for(TABBY)),
    created_at="",
    status=JobStatus.STARTED,
    phase=Phase.TRAINING,
    progress=Progress(kimg=1, kimg_total=2, images_per_s=125.4, eta_s=480.0, training_s=8.04),
)

FAILED = replace(HALF, status=JobStatus.FAILED, reason="No space.")
LOG = Path("zoo/dcgan-32.log")
EMPTY = Store("memory://rows")


def of(state: State, job: JobRecord | None = None) -> EntryStatus:
    return EntryStatus(entry=TABBY, state=state, job=job)


def test_a_start_and_a_resumption_name_the_log():
    assert started_line(of(State.TO_DO), LOG) == f"dcgan-32: started; log: {LOG}"
    resumed = started_line(of(State.INTERRUPTED, HALF), LOG)
    assert resumed == f"dcgan-32: resuming job one at 1 kimg; log: {LOG}"


def test_progress_is_kimg_speed_and_time_left():
    """As far as they are known; an earlier job that failed tells nothing of the new one."""
    line = "dcgan-32: training, 1 of 2 kimg, 125 images/s, 8 min left"
    assert progress_line(of(State.INTERRUPTED, HALF)) == line
    young = replace(HALF, phase=None, progress=Progress())
    assert progress_line(of(State.INTERRUPTED, young)) == "dcgan-32: started, 0 of 2 kimg"
    failed = replace(HALF, status=JobStatus.FAILED)
    for job in (None, failed):
        assert progress_line(of(State.TO_DO, job)) == "dcgan-32: starting"


@pytest.mark.parametrize(
    ("status", "exit_status", "line"),
    [
        (of(State.FAILED, FAILED), 1, "Failed: No space."),
        (of(State.FAILED, replace(FAILED, reason=None)), 1, "Failed: no reason given."),
        (of(State.TO_DO), 2, "the process exited with 2."),
        (of(State.INTERRUPTED, HALF), -9, "the process was killed by SIGKILL."),
    ],
)
def test_why_there_is_no_version(status, exit_status, line):
    assert ended_line(status, EMPTY, exit_status, LOG) == f"dcgan-32: {line} Log: {LOG}"


def test_rows_of_entries_without_a_version():
    assert row(of(State.TO_DO), EMPTY) == ("dcgan-32", "to do", "", "", "")
    pending = "interrupted; rerun the command to resume"
    assert row(of(State.INTERRUPTED, HALF), EMPTY) == ("dcgan-32", pending, "1", "8.0", "")
    assert row(of(State.FAILED, FAILED), EMPTY)[1] == "Failed: No space."


def test_the_kid_is_that_of_the_default_protocol(tmp_path):
    """If there are several; without an interval where the card has none."""
    quick = {"name": "kid", "value": 0.5, "protocol": QUICK}
    whole = {"name": "kid", "value": 0.25, "protocol": PROTOCOL}
    for name, metrics, says in (
        ("both", (quick, whole), "KID 0.25"),
        ("none", (), "KID not measured"),
    ):
        store = Store.open(str(tmp_path / name))
        stage = Stage(store, tmp_path, metrics={"dcgan": metrics})
        job = stage.run(store.jobs.create(JobKind.TRAIN, order_for(TABBY), runner="cli")[0])
        done = of(State.DONE, job)
        version = store.versions.list("dcgan-32")[0].version
        assert ended_line(done, store, 0, LOG) == f"dcgan-32: finished, version {version}, {says}"
        assert row(done, store)[1] == version


def test_a_line_has_the_time_of_day(capsys):
    """The log is read hours later."""
    log_line("tabby: started")
    assert re.fullmatch(r"\d\d:\d\d:\d\d  tabby: started\n", capsys.readouterr().err)
