"""One import job from upload to dataset, whoever runs it.

An import that was interrupted starts over: what it had built was in a
temporary folder, and a dataset exists wholly or not at all. Only the reference
statistics go on where the dataset had been added already.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import CatteryError, LeaseLost
from models.jobs.dataset_import import check_vacant, measure_reference, pack_source
from models.store import Store
from models.store.journal import Journal
from models.store.records import (
    DatasetRecord,
    ImportOrder,
    JobRecord,
    JobStatus,
    Phase,
    Progress,
)
from models.store.serialization import from_json

if TYPE_CHECKING:
    from models.jobs.training_job import StopReason

LOOK_EVERY_S = 0.5
"""How often a running import asks whether it should stop and still holds its job."""

PAUSED = "The worker was stopped; the import starts over with the next one."

log = logging.getLogger(__name__)


class _Stopped(Exception):
    def __init__(self, reason: "StopReason") -> None:
        self.reason = reason


def run_import(
    record: JobRecord,
    store: Store,
    *,
    cache: Path,
    should_stop: "Callable[[], StopReason | None]",
    lease: Callable[[], bool],
) -> JobRecord:
    """Carry out an import job; the uploaded zip is deleted when it has ended.

    Args:
        record: The job as it is now: new, or interrupted earlier.
        store: Where everything is kept.
        cache: Local folder to build the dataset in.
        should_stop: Asked while pictures are read and measured.
        lease: Tells whether this process still holds the job.

    Returns:
        The record as it ended, or as it waits again after a pause. Whatever
        goes wrong ends the job with its reason; nothing but a lost lease is raised.

    Raises:
        LeaseLost: Another process holds the job now.
    """
    journal = Journal(record, store, lease)
    ended = _carry_out(_Import(journal, store, cache, should_stop, lease))
    if ended.status.has_ended:
        discard_upload(ended)
    return ended


def discard_upload(record: JobRecord) -> None:
    """Delete the uploaded zip of an import job that has ended; absent is fine."""
    upload = Path(from_json(ImportOrder, record.order).source)
    try:
        upload.unlink(missing_ok=True)
    except OSError as err:  # the dataset is none the worse for it
        log.warning("The upload %s could not be deleted: %s", upload, err)


def _carry_out(run: "_Import") -> JobRecord:
    journal = run.journal
    try:
        run.carry_out()
        return journal.end(JobStatus.FINISHED)
    except LeaseLost:
        raise
    except _Stopped as stop:
        if stop.reason.value == "pause":
            return journal.pause(PAUSED)
        return journal.end(JobStatus.CANCELED, run.cancellation())
    except CatteryError as err:
        return journal.end(JobStatus.FAILED, str(err))
    except Exception as err:
        log.exception("Job %s failed", journal.record.id)
        return journal.end(JobStatus.FAILED, f"{type(err).__name__}: {err}")


class _Import:
    def __init__(
        self,
        journal: Journal,
        store: Store,
        cache: Path,
        should_stop: "Callable[[], StopReason | None]",
        lease: Callable[[], bool],
    ) -> None:
        self.journal, self.store, self.cache = journal, store, cache
        self.should_stop, self.lease = should_stop, lease
        self.order = from_json(ImportOrder, journal.record.order)
        self.looked_at = 0.0
        self.is_added = False

    def carry_out(self) -> None:
        self.journal.start()
        self.journal.phase(Phase.PREPARING)
        self._look()
        dataset = self._added_before() or self._add()
        self.is_added = True
        self.journal.phase(Phase.MEASURING)
        measure_reference(self.store, dataset, self.cache, self._tell)

    def cancellation(self) -> str:
        if not self.is_added:
            return "It was canceled."
        return (
            f"It was canceled when the dataset {self.order.name!r} had been added, which stays; "
            "its reference statistics are computed when first needed."
        )

    def _add(self) -> DatasetRecord:
        order = self.order
        check_vacant(self.store, order.name)
        with pack_source(
            order.name,
            self._upload(),
            self.cache,
            license=order.license,
            on_progress=self._tell,
        ) as packed:
            self.journal.phase(Phase.PUBLISHING)
            self._look()
            kept = packed.record
            # Should this process die now, the next one knows its dataset by the fingerprint.
            self.journal.event(
                "packed",
                {"fingerprint": kept.fingerprint, "kept": kept.kept, "rejected": kept.rejected},
            )
            self.store.datasets.add(kept, packed.files)
        return kept

    def _added_before(self) -> DatasetRecord | None:
        """Return the dataset if an earlier attempt at this job has added it."""
        if not self.store.datasets.exists(self.order.name):
            return None
        dataset = self.store.datasets.get(self.order.name)
        events = self.store.jobs.events(self.journal.record.id)
        ours = {event.data["fingerprint"] for event in events if event.type == "packed"}
        return dataset if dataset.fingerprint in ours else None

    def _upload(self) -> Path:
        upload = Path(self.order.source)
        if not upload.exists():
            raise CatteryError("The uploaded zip is gone.", "Upload it again.")
        return upload

    def _tell(self, done: int, total: int) -> None:
        """Note progress, and stop if that is wanted: called between any two pictures."""
        now = time.monotonic()
        if now - self.looked_at >= LOOK_EVERY_S:
            self._look()
            self.looked_at = now
        self.journal.progress(lambda: Progress(done=done, total=total), force=done == total)

    def _look(self) -> None:
        if not self.lease():
            raise LeaseLost(self.journal.record.id)
        reason = self.should_stop()
        if reason is not None:
            raise _Stopped(reason)
