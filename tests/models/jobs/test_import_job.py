"""An import job keeps its record to the end, and cleans up after itself."""

import shutil
import zipfile

import pytest

from models.errors import LeaseLost
from models.jobs import import_job
from models.jobs.import_job import run_import
from models.store import journal
from models.store.journal import Journal, StopReason
from models.store.records import Crop, ImportOrder, JobKind, JobStatus


@pytest.fixture
def upload(tmp_path, pictures):
    """Return an uploaded zip of twelve real pictures."""
    path = tmp_path / "uploads" / "cats.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        for picture in sorted((pictures / "cats").glob("*.jpg"))[:12]:
            archive.write(picture, picture.name)
    return path


@pytest.fixture
def record(store, upload):
    order = ImportOrder(name="cats", source=str(upload), license="cite the paper")
    return store.jobs.create(JobKind.IMPORT, order)[0]


@pytest.fixture
def run(store, cache, monkeypatch):
    """Return a function that runs a job; stop and lease are asked at every picture.

    However the job ends, no folder of an import is left.
    """
    monkeypatch.setattr(import_job, "STOP_CHECK_S", 0.0)

    def carry_out(record, should_stop=lambda: None, lease=lambda: True):
        try:
            return run_import(record, store, cache=cache, should_stop=should_stop, lease=lease)
        finally:
            assert not list(cache.glob("import-*"))

    return carry_out


@pytest.fixture
def unmeasured(monkeypatch):
    """Skip the reference statistics, for tests of what comes before."""
    tell = lambda _store, _record, _cache, on_progress: on_progress(1, 1)  # noqa: E731
    monkeypatch.setattr(import_job, "measure_reference", tell)


def after(count, answer):
    """Return a function that answers only after it was asked `count` times."""
    asked = iter(range(10**6))
    return lambda: answer if next(asked) >= count else None


def types(store, record):
    return [event.type for event in store.jobs.events(record.id)]


def test_an_import_ends_finished(run, store, record, upload):
    ended = run(record)
    assert ended == store.jobs.get(record.id)
    assert ended.status is JobStatus.FINISHED, ended.reason
    assert ended.progress.done == ended.progress.total > 0
    assert ended.started_at
    assert ended.ended_at
    dataset = store.datasets.get("cats")
    assert dataset.kept == 12
    assert dataset.license == "cite the paper"
    assert store.tree.names("datasets/cats/references")
    events = store.jobs.events(record.id)
    phases = [event.data["phase"] for event in events if event.type == "phase"]
    assert phases == ["preparing", "publishing", "measuring"]
    progress = [event.data for event in events if event.type == "progress"]
    assert (12, 12) in [(data["done"], data["total"]) for data in progress]
    told = [(phase.task, phase.done, phase.total, phase.unit) for phase in ended.phases]
    assert told[0] == ("packing pictures", 12, 12, "images")
    assert told[2] == ("measuring the dataset", 12, 12, "images")
    assert types(store, record)[-1] == "finished"
    assert not upload.exists()


@pytest.mark.parametrize("pictures_read", [0, 5])
def test_a_canceled_import_leaves_no_dataset(run, store, record, upload, pictures_read):
    ended = run(record, should_stop=after(pictures_read, StopReason.CANCEL))
    assert (ended.status, ended.reason) == (JobStatus.CANCELED, "Canceled.")
    assert pictures_read or "progress" not in types(store, record)
    assert not store.datasets.exists("cats")
    assert not upload.exists()


def test_cancel_while_measuring_keeps_the_dataset(run, store, record):
    """What was added stays, and the reason says so."""
    stop = lambda: StopReason.CANCEL if store.datasets.exists("cats") else None  # noqa: E731
    ended = run(record, should_stop=stop)
    assert ended.status is JobStatus.CANCELED
    assert "stays" in ended.reason
    assert store.datasets.get("cats").kept == 12


def test_a_paused_import_starts_over(unmeasured, run, store, record, upload):
    """The worker's end loses the work, not the job nor the upload."""
    waiting = run(record, should_stop=after(5, StopReason.PAUSE))
    assert (waiting.status, waiting.phase) == (JobStatus.QUEUED, None)
    assert types(store, record)[-1] == "paused"
    assert upload.exists()
    assert not store.datasets.exists("cats")
    assert run(store.jobs.get(record.id)).status is JobStatus.FINISHED
    assert store.datasets.get("cats").kept == 12


def test_a_pause_while_measuring_goes_on_with_measuring(run, store, record):
    """The next attempt knows its own dataset and does not call it a conflict."""
    stop = lambda: StopReason.PAUSE if store.datasets.exists("cats") else None  # noqa: E731
    assert run(record, should_stop=stop).status is JobStatus.QUEUED
    imported_at = store.datasets.get("cats").imported_at
    ended = run(store.jobs.get(record.id))
    assert ended.status is JobStatus.FINISHED, ended.reason
    assert store.datasets.get("cats").imported_at == imported_at
    assert store.tree.names("datasets/cats/references")


def test_a_lost_lease_ends_the_process_not_the_job(run, store, record, upload):
    held = after(5, answer=True)
    with pytest.raises(LeaseLost):
        run(record, lease=lambda: not held())
    assert store.jobs.get(record.id).status is JobStatus.STARTED
    assert upload.exists()
    assert not store.datasets.exists("cats")


def test_a_name_taken_meanwhile_fails_the_job(unmeasured, run, store, record, upload):
    other = upload.with_name("other.zip")
    with zipfile.ZipFile(upload) as full, zipfile.ZipFile(other, "w") as half:
        for name in full.namelist()[:6]:
            half.writestr(name, full.read(name))
    order = ImportOrder(name="cats", source=str(other))
    assert run(store.jobs.create(JobKind.IMPORT, order)[0]).status is JobStatus.FINISHED
    ended = run(record)
    assert ended.status is JobStatus.FAILED
    assert "already" in ended.reason
    assert store.datasets.get("cats").kept == 6
    assert not upload.exists()


@pytest.mark.parametrize(
    ("entry", "told"), [("", "Upload it again"), ("../x.jpg", "1 unsafe name")]
)
def test_a_missing_or_refused_upload_is_told(run, store, record, upload, entry, told):
    upload.unlink()
    if entry:
        with zipfile.ZipFile(upload, "w") as archive:
            archive.writestr(entry, b"x")
    ended = run(record)
    assert ended.status is JobStatus.FAILED
    assert told in ended.reason
    assert store.jobs.get(record.id).reason == ended.reason
    assert not upload.exists()


def test_an_unexpected_error_fails_the_job(run, store, record, upload, monkeypatch, caplog):
    """Even a bug ends with a reason and a log line, not with a job that never ends."""

    def broken(*_args, **_options):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(import_job, "measure_reference", broken)
    ended = run(record)
    assert ended.status is JobStatus.FAILED
    assert ended.reason == "ZeroDivisionError: a bug"
    assert record.id in caplog.text
    assert not upload.exists()


def test_progress_is_written_at_most_so_often(unmeasured, run, store, record, monkeypatch):
    """Between two writes lies a second; only the ends of reading and measuring do not wait."""
    monkeypatch.setattr(journal, "PROGRESS_S", 1e9)
    run(record)
    told = [event.data for event in store.jobs.events(record.id) if event.type == "progress"]
    assert [data["done"] == data["total"] for data in told] == [True, True]


def test_an_upload_that_cannot_be_deleted_is_logged(store, record, upload, caplog):
    upload.unlink()
    upload.mkdir()
    Journal(record, store).end(JobStatus.FAILED)
    assert str(upload) in caplog.text
    shutil.rmtree(upload)


def test_without_opencv_cropping_to_faces_fails_and_names_the_extra(
    run, store, upload, monkeypatch
):
    monkeypatch.setattr("models.images.cat_faces.find_spec", lambda _name: None)
    order = ImportOrder(name="cats", source=str(upload), crop=Crop.FACES)
    ended = run(store.jobs.create(JobKind.IMPORT, order)[0])
    assert ended.status is JobStatus.FAILED
    assert "the extra `faces`" in ended.reason
    assert "pip install 'opencv-python-headless<5'" in ended.reason
    assert not store.datasets.exists("cats")
