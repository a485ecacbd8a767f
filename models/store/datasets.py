"""Imported datasets, which never change."""

from collections.abc import Mapping
from pathlib import Path

from models.errors import Conflict, DatasetError, Gone, NotFound, StoreError
from models.store.jobs import Jobs
from models.store.names import check_label, check_name, is_name, marker
from models.store.record_cache import RecordCache
from models.store.records import DatasetRecord
from models.store.serialization import dumps
from models.store.tree import Tree


class Datasets:
    """All datasets of the store."""

    def __init__(self, tree: Tree, jobs: Jobs) -> None:
        self._tree = tree
        self._jobs = jobs
        self._records = RecordCache(tree, DatasetRecord)

    def get(self, name: str) -> DatasetRecord:
        """Return a dataset's record.

        Raises:
            NotFound: There is no such dataset.
            Gone: It was deleted.
        """
        if not is_name(name):
            raise self._unknown(name)
        try:
            return self._records.get(_path(name, "dataset.json"))
        except FileNotFoundError as err:
            if self._tree.exists(_path(name, "gone.json")):
                raise Gone("dataset", name) from err
            raise self._unknown(name) from err

    def list(self) -> list[DatasetRecord]:
        """Return all datasets, by name."""
        names = self._tree.names("datasets")
        return self._records.many([_path(name, "dataset.json") for name in names])

    def exists(self, name: str) -> bool:
        """Whether there is such a dataset."""
        return is_name(name) and self._tree.exists(_path(name, "dataset.json"))

    def check_vacant(self, name: str) -> None:
        """Check that a dataset of this name may be added.

        Raises:
            InvalidValue: The name is not valid.
            Conflict: There is one; datasets never change.
        """
        if self.exists(check_name("dataset", name)):
            raise Conflict(f"There is a dataset {name!r} already.", "Choose another name.")

    def add(self, record: DatasetRecord, files: Mapping[str, Path]) -> None:
        """Add a dataset; the local files are moved in.

        Args:
            record: Its record.
            files: Local files by their path in the dataset's folder, such as "packs/64.npy",
                "packs/64-heldout.npy" and "preview.png".

        Raises:
            InvalidValue, Conflict: As `check_vacant`.
        """
        name = check_name("dataset", record.name)
        with self._tree.lock(f"datasets/{name}"):
            self.check_vacant(name)
            self._clear(name)  # leftovers of an import that died
            for place, file in files.items():
                self._tree.put(_path(name, place), file)
            # The record last: only complete datasets exist.
            self._tree.create(_path(name, "dataset.json"), dumps(record))
            self._tree.delete(_path(name, "gone.json"))

    def delete(self, name: str) -> None:
        """Delete a dataset; its name may be used again.

        Raises:
            NotFound, Gone: As `get`.
            Conflict: A job that has not ended needs it.
        """
        self.get(name)
        for job in self._jobs.list():
            if not job.status.has_ended and job.order.get("dataset") == name:
                raise Conflict(f"The job {job.id} needs the dataset {name!r}.", "Cancel it first.")
        with self._tree.lock(f"datasets/{name}"):
            self._tree.write(_path(name, "gone.json"), marker())
            # The record first: after a crash the rest is unreachable, and cleared by the next add.
            self._tree.delete(_path(name, "dataset.json"))
            self._clear(name)

    def pack_path(
        self, name: str, size_px: int, heldout: bool = False, cache: Path | None = None
    ) -> Path:
        """Return the local file with a dataset's images of one size.

        Args:
            name: The dataset.
            size_px: Image resolution.
            heldout: Whether to return the held-out images, which no job trains on.
            cache: Folder for copies from an object store.

        Raises:
            NotFound, Gone: As `get`.
            DatasetError: It has no images of that size.
            StoreError: The file is missing.
        """
        record = self.get(name)
        counts = record.heldout_counts if heldout else record.counts
        if str(size_px) not in counts:
            sizes = ", ".join(sorted(counts, key=int)) or "none"
            raise DatasetError("size_px", size_px, f"sizes of the dataset {name!r}: {sizes}")
        path = _path(name, f"packs/{size_px}{'-heldout' if heldout else ''}.npy")
        try:
            return self._tree.local(path, cache)
        except FileNotFoundError as err:
            raise StoreError(
                f"{path} is missing in the store.", "Delete the dataset and import it again."
            ) from err

    def preview(self, name: str) -> bytes:
        """Return a dataset's preview sheet, a PNG file.

        Raises:
            NotFound: There is no such dataset, or no preview of it.
            Gone: It was deleted.
        """
        self.get(name)
        try:
            return self._tree.read(_path(name, "preview.png"))
        except FileNotFoundError as err:
            raise NotFound("preview", name) from err

    def rejected(self, name: str, reason: str) -> bytes:
        """Return a sheet of images that were rejected for a reason, a PNG file.

        Raises:
            NotFound: There is no such dataset, or no such sheet of it.
            Gone: It was deleted.
        """
        record = self.get(name)
        if reason not in record.pictured:
            raise NotFound("sheet of rejected images", reason, sorted(record.pictured))
        try:
            return self._tree.read(_path(name, rejected_place(reason)))
        except FileNotFoundError as err:
            raise NotFound("sheet of rejected images", reason) from err

    def read_reference(self, name: str, key: str) -> bytes | None:
        """Return a dataset's stored reference statistics, or None."""
        self.get(name)
        try:
            return self._tree.read(_reference(name, key))
        except FileNotFoundError:
            return None

    def write_reference(self, name: str, key: str, data: bytes) -> None:
        """Store reference statistics under a key that identifies how they were computed."""
        self.get(name)
        self._tree.write(_reference(name, key), data)

    def _clear(self, name: str) -> None:
        for entry in self._tree.names(f"datasets/{name}"):
            if entry != "gone.json":
                self._tree.delete(_path(name, entry))

    def _unknown(self, name: str) -> NotFound:
        return NotFound("dataset", name, [record.name for record in self.list()])


def rejected_place(reason: str) -> str:
    """Return the path, in a dataset's folder, of the sheet of what a reason rejected."""
    return f"rejected/{reason.replace(' ', '-')}.png"


def _path(name: str, place: str) -> str:
    return f"datasets/{name}/{place}"


def _reference(name: str, key: str) -> str:
    return _path(name, f"references/{check_label('key', key)}")
