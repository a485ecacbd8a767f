"""A damaged pack costs a dataset one size, not the others."""

import pytest

from models.errors import DatasetError
from models.inspection.datasets import inspect_datasets


def _repaired(store, cache):
    done = [(finding.path, finding.repair()) for finding in inspect_datasets(store, cache)]
    assert list(inspect_datasets(store, cache)) == []
    return done


def test_nothing_is_found_in_a_whole_store(store, tmp_path):
    assert list(inspect_datasets(store, tmp_path)) == []


@pytest.mark.parametrize("keep", [0, 50, -1, None], ids=["empty", "header", "short", "missing"])
@pytest.mark.parametrize("name", ["32.npy", "32-heldout.npy"])
def test_a_damaged_pack_is_moved_aside_and_the_other_sizes_stay(store, tmp_path, keep, name):
    path = f"datasets/small/packs/{name}"
    raw = store.tree.read(path)
    store.tree.delete(path)
    if keep is not None:
        store.tree.write(path, raw[:keep])
    ((found, done),) = _repaired(store, tmp_path)
    assert found == "datasets/small/packs/32.npy"
    assert "no images of 32 px any more" in done
    assert list(store.datasets.get("small").counts) == ["64"]
    with pytest.raises(DatasetError, match="64"):
        store.datasets.pack_path("small", 32)


def test_a_dataset_without_a_whole_pack_is_moved_aside(store, tmp_path):
    for size in (32, 64):
        store.tree.write(f"datasets/small/packs/{size}.npy", b"\x93NUMPY")
    assert _repaired(store, tmp_path)[-1][1].startswith("Moved to damaged/datasets/small-")
    assert store.datasets.list() == []


def test_a_preview_is_made_again(store, tmp_path):
    store.tree.write("datasets/small/preview.png", b"")
    ((_, done),) = _repaired(store, tmp_path)
    assert done == "Made again from the images."


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"name": "other"}', b"[1]"])
def test_a_damaged_record_hides_no_other_and_is_moved_aside(store, tmp_path, damage):
    store.tree.write("datasets/small/dataset.json", damage)
    assert store.datasets.list() == []
    ((_, done),) = _repaired(store, tmp_path)
    assert done.startswith("Moved to damaged/datasets/small-")
