"""Inspects datasets: records, packs and previews."""

import io
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from models.errors import BadEntry, CatteryError, Gone, NotFound
from models.images.formats import contact_sheet, encode_png
from models.inspection.findings import Finding, set_aside, stray
from models.store import Store
from models.store.names import is_name
from models.store.records import DatasetRecord
from models.store.serialization import dumps

PREVIEWED = 64


def inspect_datasets(store: Store, cache: Path) -> Iterator[Finding]:
    """Yield what is wrong with datasets; packs of an object store are fetched into `cache`."""
    for name in store.tree.names("datasets"):
        path = f"datasets/{name}"
        if not is_name(name):
            yield stray(store, path, f"{path}: This is no name of a dataset.")
            continue
        try:
            record = store.datasets.get(name)
        except (NotFound, Gone):
            continue
        except BadEntry as err:
            yield Finding(err.path, err.detail, partial(set_aside, store, path))
            continue
        yield from _packs(store, record, cache)


def _packs(store: Store, record: DatasetRecord, cache: Path) -> Iterator[Finding]:
    bad: dict[str, str] = {}
    for counts, heldout in ((record.counts, False), (record.heldout_counts, True)):
        for size, count in counts.items():
            try:
                path = store.datasets.pack_path(record.name, int(size), heldout, cache)
                _check_pack(path, (count, int(size), int(size), 3))
            except (CatteryError, OSError, ValueError, EOFError) as err:
                bad.setdefault(size, f"datasets/{record.name}: Its images of {size} px: {err}")
    for size, detail in bad.items():
        pack = f"datasets/{record.name}/packs/{size}.npy"
        yield Finding(pack, detail, partial(_drop, store, record.name, size))
    whole = [size for size in record.counts if size not in bad]
    if whole:
        yield from _preview(store, record, max(whole, key=int), cache)


def _check_pack(path: Path, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless a file holds uint8 images of this shape, the last one included."""
    pack = np.load(path, mmap_mode="r", allow_pickle=False)  # ValueError where it is truncated
    if pack.dtype != np.uint8 or pack.shape != shape:
        raise ValueError(f"{path.name} is {pack.dtype} {pack.shape}, not uint8 {shape}.")


def _preview(store: Store, record: DatasetRecord, size: str, cache: Path) -> Iterator[Finding]:
    try:
        Image.open(io.BytesIO(store.datasets.preview(record.name))).verify()
    except (CatteryError, OSError, SyntaxError, ValueError) as err:
        path = f"datasets/{record.name}/preview.png"
        remake = partial(_remake_preview, store, record.name, int(size), cache)
        yield Finding(path, f"{path}: It is no picture: {err}", remake)


def _remake_preview(store: Store, name: str, size_px: int, cache: Path) -> str:
    pack = np.load(store.datasets.pack_path(name, size_px, cache=cache), mmap_mode="r")
    sheet = encode_png(contact_sheet(np.asarray(pack[:PREVIEWED])))
    store.tree.write(f"datasets/{name}/preview.png", sheet)
    return "Made again from the images."


def _drop(store: Store, name: str, size: str) -> str:
    """Take a size out of a dataset, or move the dataset aside if it is the last one."""
    record = store.datasets.get(name)
    if record.counts.keys() <= {size}:
        return set_aside(store, f"datasets/{name}")
    kept = replace(
        record,
        counts={px: count for px, count in record.counts.items() if px != size},
        heldout_counts={px: count for px, count in record.heldout_counts.items() if px != size},
    )
    store.tree.write(f"datasets/{name}/dataset.json", dumps(kept))
    for file in (f"{size}.npy", f"{size}-heldout.npy"):
        if store.tree.exists(f"datasets/{name}/packs/{file}"):
            set_aside(store, f"datasets/{name}/packs/{file}")
    return f"The dataset has no images of {size} px any more; the other sizes stay."
