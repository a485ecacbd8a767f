"""A folder, a zip or the CAT dataset in; a dataset of the store out.

Each image becomes a row in the pack of every size that it reaches. One in twenty, by the hash of
its content, is held out: the same ones in every import, and neither they nor near duplicates are
in a pack for training.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.datasets.batches import open_pack
from models.datasets.face_search import FaceSearch
from models.datasets.packs import Packs, pack_name
from models.datasets.pipeline import prepare_all
from models.datasets.rejections import Ledger
from models.datasets.selection import Selection
from models.datasets.sources import open_source
from models.datasets.tempdir import workplace
from models.errors import CatteryError, DatasetError, StoreError
from models.images.formats import contact_sheet, encode_png
from models.store import Store
from models.store.datasets import rejected_place
from models.store.names import timestamp
from models.store.records import Crop, DatasetRecord

FEWEST_IMAGES = 2  # fewer have no variance to measure
PREVIEW_IMAGES = 64
PREVIEW_COLUMNS = 8
PREVIEW_PX = 64
REJECTED_COLUMNS = 4
REFERENCE_PX = 64

OnProgress = Callable[[int, int], None]  # called with files done and files in all


class ImportStopped(CatteryError):
    """An import was stopped; nothing of it remains."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The import of {name!r} was stopped.", "Run it again to import it.")


@dataclass(frozen=True, slots=True)
class Packed:
    """A dataset that is ready for `store.datasets.add`."""

    record: DatasetRecord
    files: dict[str, Path]


def import_dataset(
    store: Store,
    name: str,
    source: Path,
    *,
    cache: Path,
    license: str = "",
    origin: str = "",
    crop: Crop = Crop.CENTER,
    deduplicate: bool = True,
    on_progress: OnProgress | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    statistics: bool = True,
) -> DatasetRecord:
    """Create a dataset from images.

    Args:
        store: Where it goes.
        name: Of the new dataset.
        source: A folder or a zip; `.cat` files in it align faces.
        cache: Local folder to build it in.
        license: The images' license, as far as known.
        origin: Where the images come from, as far as known.
        crop: What is cut out of images without landmarks.
        deduplicate: Whether to keep only the largest of images that look alike.
        on_progress: Called with files done and in total.
        should_stop: Called before every image.
        statistics: Whether to compute reference statistics now, not when first needed.

    Raises:
        InvalidValue: The name is invalid.
        Conflict: There is a dataset of that name.
        DatasetError: The source cannot be read, or too few of its images are usable.
        FacesUnavailable: Faces are to be cropped, and the extra `faces` is not installed.
        ImportStopped: `should_stop` returned true.
        StoreError: The store or the disk failed.
    """
    store.datasets.check_vacant(name)
    with pack_source(
        name,
        source,
        cache,
        license=license,
        origin=origin,
        crop=crop,
        deduplicate=deduplicate,
        on_progress=on_progress,
        should_stop=should_stop,
    ) as packed:
        store.datasets.add(packed.record, packed.files)
    if statistics:
        measure_reference(store, packed.record, cache)
    return packed.record


def measure_reference(
    store: Store, record: DatasetRecord, cache: Path, on_progress: OnProgress | None = None
) -> None:
    """Compute and store the statistics that versions will be evaluated against."""
    from models.metrics.measuring import reference_statistics  # brings torch; packing needs none

    size_px = max(int(px) for px in record.counts if int(px) <= REFERENCE_PX)
    reference_statistics(store, record, size_px, cache=cache, on_progress=on_progress)


@contextmanager
def pack_source(
    name: str,
    source: Path,
    cache: Path,
    *,
    license: str = "",
    origin: str = "",
    crop: Crop = Crop.CENTER,
    deduplicate: bool = True,
    on_progress: OnProgress | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Packed]:
    """Pack a source in a temporary folder, which is deleted with the context.

    Raises:
        DatasetError, FacesUnavailable, ImportStopped, StoreError: As `import_dataset`.
    """
    find = FaceSearch() if crop is Crop.FACES else None
    with workplace(cache) as folder:
        with _reported(), open_source(source) as entries, Packs(folder) as packs:
            selection = Selection(packs, deduplicate=deduplicate)
            for done, (entry, images) in enumerate(prepare_all(entries, find), start=1):
                # Between images: a decoder cannot be interrupted, and the folder is deleted
                # on the way out.
                if should_stop():
                    raise ImportStopped(name)
                selection.take(entry.name, images)
                if on_progress is not None:
                    on_progress(done, len(entries))
        record = _record(name, selection, packs, license, origin)
        files = {f"packs/{file}": folder / file for file in packs.files()}
        with _reported():
            files["preview.png"] = _preview(folder, record)
            files |= _rejected(folder, selection.ledger)
        yield Packed(record, files)


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except OSError as err:
        detail = f"The dataset could not be packed: {err.strerror or err}."
        raise StoreError(
            detail, "Make sure that the data folder is writable and has space."
        ) from err


def _record(
    name: str, selection: Selection, packs: Packs, license: str, origin: str
) -> DatasetRecord:
    counts = packs.counts(is_heldout=False)
    if max(counts.values(), default=0) < FEWEST_IMAGES:
        allowed = f"at least {FEWEST_IMAGES} images to train on"
        raise DatasetError("source", None, allowed, f"The source has {_summary(selection)}.")
    return DatasetRecord(
        name=name,
        fingerprint=selection.fingerprint(),
        kept=len(selection.kept),
        heldout=selection.heldout,
        counts=counts,
        heldout_counts=packs.counts(is_heldout=True),
        rejected=dict(sorted(selection.ledger.counts.items())),
        rejections=tuple(selection.ledger.first),
        pictured=selection.ledger.pictured,
        license=license,
        source=origin,
        aligned=selection.is_aligned,
        imported_at=timestamp(),
    )


def _summary(selection: Selection) -> str:
    """Return in words how many images were accepted and why others were not."""
    refused: Counter[str] = selection.ledger.counts
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(refused.items()))
    if selection.heldout:
        reasons = f"{reasons + ', ' if reasons else ''}{selection.heldout} held out"
    taken = len(selection.kept) - selection.heldout
    return f"{taken} images to train on ({reasons or 'no files'})"


def _rejected(folder: Path, ledger: Ledger) -> dict[str, Path]:
    """Write a sheet of some rejected images for each reason; return the files by their place."""
    files = {}
    for reason, pictures in ledger.thumbnails.items():
        place = rejected_place(reason)
        file = folder / place.replace("/", "-")
        file.write_bytes(encode_png(contact_sheet(np.stack(pictures), REJECTED_COLUMNS), None))
        files[place] = file
    return files


def _preview(folder: Path, record: DatasetRecord) -> Path:
    """Write a sheet of training images from across the dataset."""
    size_px = max(int(px) for px in record.counts if int(px) <= PREVIEW_PX)
    pack = open_pack(folder / pack_name(size_px, is_heldout=False))
    count = min(PREVIEW_IMAGES, len(pack))
    # Evenly spaced: neighbors in a pack are often neighbors in their source, and look alike.
    chosen = pack[np.linspace(0, len(pack) - 1, count).round().astype(np.int64)]
    columns = PREVIEW_COLUMNS if count == PREVIEW_IMAGES else None
    path = folder / "preview.png"
    path.write_bytes(encode_png(contact_sheet(chosen, columns), None))
    return path
