"""Jobs: their orders, records, events and samples."""

from collections.abc import Hashable
from typing import Any

from models.errors import Conflict, Gone, NotFound
from models.store.ledger import Ledger, job_path
from models.store.names import check_label, is_job, is_label, marker, new_job, timestamp
from models.store.record_cache import RecordCache
from models.store.records import Event, ImportOrder, JobKind, JobRecord, Json, TrainingOrder
from models.store.serialization import from_json, to_json
from models.store.training_state import JobState
from models.store.tree import Tree

# Inside a class that has a method `list` the type cannot be named.
Ids = list[str]
Records = list[JobRecord]
Events = list[Event]


class Jobs:
    """All jobs of the store."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._records = RecordCache(tree, JobRecord)
        self._orders = RecordCache(tree, JobRecord)  # of `order.json`: jobs as created

    def create(
        self,
        kind: JobKind,
        order: TrainingOrder | ImportOrder,
        *,
        key: str | None = None,
        runner: str = "worker",
    ) -> tuple[JobRecord, bool]:
        """Create a job, queued.

        Args:
            kind: What it produces.
            order: What it is to do.
            key: The client's Idempotency-Key; the same key means the same job.
            runner: "worker" or "cli".

        Returns:
            The job's record, and whether it is new.

        Raises:
            Conflict: The key was used for another order.
            Gone: The key's job was deleted.
        """
        record = JobRecord(
            id=new_job(key), kind=kind, order=to_json(order), created_at=timestamp(), runner=runner
        )
        if self._is_gone(record.id):
            raise Gone("job", record.id)
        record, is_new = Ledger(self._tree, record.id).create(record)
        return (record, True) if is_new else (self._repeated(record), False)

    def get(self, job: str) -> JobRecord:
        """Return a job's record as last saved.

        Raises:
            NotFound: There is no such job.
            Gone: It was deleted.
        """
        if not is_job(job):
            raise self._unknown(job)
        try:
            return self._records.get(job_path(job, "job.json"))
        except FileNotFoundError:
            return self._from_order(job)

    def list(self) -> Records:
        """Return all jobs, newest first."""
        jobs = self._tree.names("jobs")
        records = self._records.many([job_path(job, "job.json") for job in jobs])
        seen = {record.id for record in records}
        records += self._without_record([job for job in jobs if job not in seen])
        return sorted(records, key=lambda record: (record.created_at, record.id), reverse=True)

    def change(self, seen: JobRecord, event: str, data: Json, /, **changes: Any) -> JobRecord:
        """Change a job's record and add an event to its history, in one atomic step.

        Args:
            seen: The record as the caller has last read or written it.
            event: The event's type, one word.
            data: The event's.
            **changes: Fields of the record.

        Returns:
            The record as it is now.

        Raises:
            LeaseLost: Another process has changed, ended or deleted the job since.
            StoreError: The store failed; nothing has changed.
        """
        return Ledger(self._tree, seen.id).change(seen, event, data, **changes)

    def order(self, record: JobRecord) -> TrainingOrder | ImportOrder:
        """Return a job's order, typed; StoreError if it is damaged."""
        if record.kind is JobKind.TRAIN:
            return from_json(TrainingOrder, record.order)
        return from_json(ImportOrder, record.order)

    def events(self, job: str, after: int = 0) -> Events:
        """Return a job's events with a higher id than `after`, oldest first.

        Raises:
            NotFound, Gone: As `get`.
        """
        found = Ledger(self._tree, job).history(after) if is_job(job) else []
        if not found:
            self.get(job)
        return found

    def history_stamp(self, job: str) -> Hashable | None:
        """Return a value that changes when a job gets an event, or None if that is not cheap."""
        # Its last event is in `job.json`; until something has changed it, in `order.json`.
        stamps = (self._tree.stamp(job_path(job, name)) for name in ("job.json", "order.json"))
        return next((stamp for stamp in stamps if stamp is not None), None)

    def save_sample(self, job: str, label: str, png: bytes) -> None:
        """Write a sample sheet under its label, usually its kimg."""
        self._tree.write(job_path(job, f"samples/{check_label('sample', label)}.png"), png)

    def sample(self, job: str, label: str) -> bytes:
        """Return a sample sheet, a PNG file.

        Raises:
            NotFound: There is no such job or sample.
            Gone: The job was deleted.
        """
        record = self.get(job)
        try:
            if is_label(label):
                return self._tree.read(job_path(job, f"samples/{label}.png"))
        except FileNotFoundError:
            pass  # raised below, as for an invalid label
        raise NotFound("sample", label, record.samples)

    def request_cancel(self, job: str) -> None:
        """Request that a job stops; idempotent.

        Raises:
            NotFound, Gone: As `get`.
            Conflict: It has ended.
        """
        record = self.get(job)
        if record.status.has_ended:
            raise Conflict(f"The job {job} has already ended: it is {record.status.value}.")
        self._tree.create(job_path(job, "cancel.json"), marker())

    def cancel_requested(self, job: str) -> bool:
        """Whether somebody asked to cancel the job."""
        return is_job(job) and self._tree.exists(job_path(job, "cancel.json"))

    def delete(self, job: str) -> None:
        """Delete an ended job: its history, samples and state; not what it published.

        Raises:
            NotFound, Gone: As `get`.
            Conflict: It has not ended, or a job that has not ended resumes from it.
        """
        try:
            record = self.get(job)
        except Gone:
            self._clear(job)  # what a deletion that died has left
            raise
        if not record.status.has_ended:
            raise Conflict(f"The job {job} is {record.status.value}.", "Cancel it first.")
        self._refuse_if_needed(job)
        # The bulk first: on a full disk this makes the room for the mark.
        for name in ("state", "samples"):
            self._tree.delete(job_path(job, name))
        # The mark before the record, which is what makes the job visible: a crash in between must
        # leave a deleted job, not an unknown one.
        self._tree.write(job_path(job, "gone.json"), marker())
        self._tree.delete(job_path(job, "job.json"))
        self._clear(job)

    def state(self, job: str) -> JobState:
        """Return the job's resumable state.

        Raises:
            NotFound: That cannot be a job's id.
        """
        if not is_job(job):
            raise self._unknown(job)
        return JobState(self._tree, job)

    def _clear(self, job: str) -> None:
        for name in self._tree.names(f"jobs/{job}"):
            if name != "gone.json":
                self._tree.delete(job_path(job, name))

    def _is_gone(self, job: str) -> bool:
        return self._tree.exists(job_path(job, "gone.json"))

    def _from_order(self, job: str) -> JobRecord:
        """Return a job that nothing has changed yet."""
        try:
            record = self._orders.get(job_path(job, "order.json"))
        except FileNotFoundError as err:
            raise (Gone("job", job) if self._is_gone(job) else self._unknown(job)) from err
        # The mark last: a deletion writes it first, so that an order without it is not deleted.
        if self._is_gone(job):
            raise Gone("job", job)
        return record

    def _without_record(self, jobs: Ids) -> Records:
        """Return those of the jobs without a `job.json`, as `_from_order`."""
        born = self._orders.many([job_path(job, "order.json") for job in jobs])
        return [
            record
            for record in born
            if not self._tree.exists(job_path(record.id, "job.json"))  # there, but damaged
            and not self._is_gone(record.id)
        ]

    def _repeated(self, record: JobRecord) -> JobRecord:
        """Return the existing job of an Idempotency-Key."""
        there = self.get(record.id)
        if (there.kind, _asked(there)) != (record.kind, _asked(record)):
            raise Conflict(
                f"The Idempotency-Key was used for another order (job {there.id}).",
                "Choose a new key for a new order.",
            )
        return there

    def _refuse_if_needed(self, job: str) -> None:
        for other in self.list():
            sources = (other.order.get("resume_from"), other.order.get("init_from"))
            if not other.status.has_ended and job in sources:
                raise Conflict(f"The job {other.id} starts from {job}.", "Cancel it first.")

    def _unknown(self, job: str) -> NotFound:
        return NotFound("job", job, [record.id for record in self.list()])


def _asked(record: JobRecord) -> dict[str, Any]:
    """Return what the client asked for, without the path of its upload, which always differs."""
    return {name: value for name, value in record.order.items() if name != "source"}
