"""Jobs: their orders, records, events and samples."""

from collections.abc import Hashable
from typing import Any

from models.errors import Conflict, Gone, NotFound
from models.store.events import EventLog
from models.store.names import check_label, is_job, is_label, marker, new_job, timestamp
from models.store.record_cache import RecordCache
from models.store.records import Event, ImportOrder, JobKind, JobRecord, Json, TrainingOrder
from models.store.serialization import dumps, from_json, to_json
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
        self._orders = RecordCache(tree, JobRecord)  # `order.json` is the record at creation

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
        if not self._tree.create(_path(record.id, "order.json"), dumps(record)):
            return self._repeated(record), False
        # `order.json` alone makes the job exist, since creating it is exclusive: should this
        # process die here, `get` and `list` read the job from there.
        self.save(record)
        self.append_event(record.id, "queued", {})
        return record, True

    def get(self, job: str) -> JobRecord:
        """Return a job's record as last saved.

        Raises:
            NotFound: There is no such job.
            Gone: It was deleted.
        """
        if not is_job(job):
            raise self._unknown(job)
        try:
            return self._records.get(_path(job, "job.json"))
        except FileNotFoundError:
            return self._from_order(job)

    def list(self) -> Records:
        """Return all jobs, newest first."""
        jobs = self._tree.names("jobs")
        records = self._records.many([_path(job, "job.json") for job in jobs])
        seen = {record.id for record in records}
        records += self._without_record([job for job in jobs if job not in seen])
        return sorted(records, key=lambda record: (record.created_at, record.id), reverse=True)

    def save(self, record: JobRecord) -> None:
        """Replace a job's record, in one atomic step."""
        self._tree.write(_path(record.id, "job.json"), dumps(record))

    def order(self, record: JobRecord) -> TrainingOrder | ImportOrder:
        """Return a job's order, typed; StoreError if it is damaged."""
        if record.kind is JobKind.TRAIN:
            return from_json(TrainingOrder, record.order)
        return from_json(ImportOrder, record.order)

    def append_event(self, job: str, kind: str, data: Json) -> None:
        """Append an event, of a one-word type, to a job's history."""
        self._events(job).append(kind, data)

    def events(self, job: str, after: int = 0) -> Events:
        """Return a job's events with a higher id than `after`, oldest first.

        Raises:
            NotFound, Gone: As `get`.
        """
        found = self._events(job).read(after) if is_job(job) else []
        if not found:
            self.get(job)
        return found

    def history_stamp(self, job: str) -> Hashable | None:
        """Return a value that changes when a job gets an event, or None if that is not cheap."""
        return self._tree.stamp(_path(job, "events.jsonl"))

    def save_sample(self, job: str, label: str, png: bytes) -> None:
        """Write a sample sheet under its label, usually its kimg."""
        self._tree.write(_path(job, f"samples/{check_label('sample', label)}.png"), png)

    def sample(self, job: str, label: str) -> bytes:
        """Return a sample sheet, a PNG file.

        Raises:
            NotFound: There is no such job or sample.
            Gone: The job was deleted.
        """
        record = self.get(job)
        try:
            if is_label(label):
                return self._tree.read(_path(job, f"samples/{label}.png"))
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
        self._tree.create(_path(job, "cancel.json"), marker())

    def cancel_requested(self, job: str) -> bool:
        """Whether somebody asked to cancel the job."""
        return is_job(job) and self._tree.exists(_path(job, "cancel.json"))

    def delete(self, job: str) -> None:
        """Delete an ended job: its history, samples and state; not what it published.

        Raises:
            NotFound, Gone: As `get`.
            Conflict: It has not ended, or a job that has not ended resumes from it.
        """
        record = self.get(job)
        if not record.status.has_ended:
            raise Conflict(f"The job {job} is {record.status.value}.", "Cancel it first.")
        self._refuse_if_needed(job)
        # The mark first: a crash in between must leave a deleted job, not an unknown one. Then the
        # record, which is what makes the job visible.
        self._tree.write(_path(job, "gone.json"), marker())
        self._tree.delete(_path(job, "job.json"))
        for name in self._tree.names(f"jobs/{job}"):
            if name != "gone.json":
                self._tree.delete(_path(job, name))

    def state(self, job: str) -> JobState:
        """Return the job's resumable state.

        Raises:
            NotFound: That cannot be a job's id.
        """
        if not is_job(job):
            raise self._unknown(job)
        return JobState(self._tree, job)

    def _events(self, job: str) -> EventLog:
        return EventLog(self._tree, _path(job, "events.jsonl"))

    def _is_gone(self, job: str) -> bool:
        return self._tree.exists(_path(job, "gone.json"))

    def _from_order(self, job: str) -> JobRecord:
        """Return a job whose creator has not written `job.json` yet, or died before it could."""
        if self._is_gone(job):
            raise Gone("job", job)
        try:
            return self._orders.get(_path(job, "order.json"))
        except FileNotFoundError as err:
            raise self._unknown(job) from err

    def _without_record(self, jobs: Ids) -> Records:
        """Return those of the jobs without a `job.json`, as `_from_order`."""
        born = self._orders.many([_path(job, "order.json") for job in jobs])
        return [
            record
            for record in born
            if not self._tree.exists(_path(record.id, "job.json"))  # there, but damaged
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


def _path(job: str, name: str) -> str:
    return f"jobs/{job}/{name}"


def _asked(record: JobRecord) -> dict[str, Any]:
    """Return what the client asked for, without the path of its upload, which always differs."""
    return {name: value for name, value in record.order.items() if name != "source"}
