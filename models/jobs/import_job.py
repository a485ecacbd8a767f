"""One import job from upload to dataset, run by a worker.

An interrupted import starts over: what it had built was in a temporary folder, and datasets are
added atomically. If the dataset had been added, only its reference statistics remain to do.
"""

import time
from collections.abc import Callable
from pathlib import Path

from models.errors import CatteryError
from models.jobs.dataset_import import measure_reference, pack_source
from models.store import Store
from models.store.journal import Journal, Stopped, StopReason
from models.store.records import DatasetRecord, ImportOrder, JobRecord, JobStatus, Phase, Progress
from models.store.serialization import from_json

STOP_CHECK_S = 0.5  # between checks for cancellation and the lease: each is a round trip


def run_import(
    record: JobRecord,
    store: Store,
    *,
    cache: Path,
    should_stop: Callable[[], StopReason | None],
    lease: Callable[[], bool],
) -> JobRecord:
    """Run an import job; the uploaded zip is deleted when it has ended.

    Args:
        record: The job as it is now: new, or interrupted earlier.
        store: Holds the job and gets the dataset.
        cache: Local folder to build the dataset in.
        should_stop: Called between images.
        lease: Returns whether this process still holds the job.

    Returns:
        The record, ended or paused. Errors end the job; only a lost lease is raised.

    Raises:
        LeaseLost: Another process holds the job now.
    """
    journal = Journal(record, store, lease)
    return journal.run(lambda: _Import(journal, store, cache, should_stop).run())


class _Import:
    def __init__(
        self,
        journal: Journal,
        store: Store,
        cache: Path,
        should_stop: Callable[[], StopReason | None],
    ) -> None:
        self.journal, self.store, self.cache = journal, store, cache
        self.should_stop = should_stop
        self.order = from_json(ImportOrder, journal.record.order)
        self.checked_at = 0.0
        self.is_added = False

    def run(self) -> JobRecord:
        try:
            self.journal.phase(Phase.PREPARING)
            self._check_stop()
            dataset = self._added_before() or self._add()
            self.is_added = True
            self.journal.phase(Phase.MEASURING)
            measure_reference(self.store, dataset, self.cache, self._report)
        except Stopped as stop:
            if stop.reason is StopReason.PAUSE:
                return self.journal.pause("The worker was stopped; the next one starts over.")
            return self.journal.end(JobStatus.CANCELED, self._cancellation())
        return self.journal.end(JobStatus.FINISHED)

    def _cancellation(self) -> str:
        if not self.is_added:
            return "Canceled."
        return (
            f"Canceled after the dataset {self.order.name!r} had been added, which stays; "
            "its reference statistics are computed when first needed."
        )

    def _add(self) -> DatasetRecord:
        order = self.order
        self.store.datasets.check_vacant(order.name)
        with pack_source(
            order.name,
            self._upload(),
            self.cache,
            license=order.license,
            crop=order.crop,
            deduplicate=order.deduplicate,
            origin=order.origin,
            on_progress=self._report,
        ) as packed:
            self.journal.phase(Phase.PUBLISHING)
            self._check_stop()
            kept = packed.record
            # If this process dies after `add`, its successor recognizes the dataset by this.
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

    def _report(self, done: int, total: int) -> None:
        """Record progress, and stop if asked to; called between images."""
        now = time.monotonic()
        # Not for every image, which takes less than the round trips to the store and to Redis.
        if now - self.checked_at >= STOP_CHECK_S:
            self._check_stop()
            self.checked_at = now
        is_measuring = self.journal.record.phase is Phase.MEASURING
        self.journal.progress(
            lambda: Progress(done=done, total=total),
            task="measuring the dataset" if is_measuring else "packing pictures",
            force=done == total,
        )

    def _check_stop(self) -> None:
        self.journal.check_lease()
        reason = self.should_stop()
        if reason is not None:
            raise Stopped(reason)
