"""Packs grow row by row and read as one array."""

import numpy as np
import pytest

from models.datasets.batches import open_pack
from models.datasets.packs import Packs, PackWriter


@pytest.mark.parametrize("count", [1, 9, 10, 1234])
def test_rows_come_back_in_order(tmp_path, count):
    """What NumPy maps is what was appended, whatever the number of digits of N."""
    rows = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    writer = PackWriter(tmp_path / "32.npy", 32)
    for row in rows:
        writer.append(row)
    writer.close()
    pack = open_pack(tmp_path / "32.npy")
    assert np.array_equal(pack, rows)
    assert pack.flags.c_contiguous


@pytest.mark.parametrize("shape", [(64, 64, 3), (32, 32), (32, 32, 4)])
def test_a_row_of_another_shape_is_refused(tmp_path, shape):
    writer = PackWriter(tmp_path / "32.npy", 32)
    with pytest.raises(ValueError, match="32 px"):
        writer.append(np.zeros(shape, np.uint8))
    writer.close()


def test_only_sizes_with_pictures_have_files(tmp_path):
    """There is no empty pack: it could not be mapped."""
    row = {32: np.zeros((32, 32, 3), np.uint8)}
    with Packs(tmp_path) as packs:
        packs.append(row, is_heldout=False)
        packs.append({**row, 64: np.zeros((64, 64, 3), np.uint8)}, is_heldout=True)
    assert packs.counts(is_heldout=False) == {"32": 1}
    assert packs.counts(is_heldout=True) == {"32": 1, "64": 1}
    assert sorted(packs.files()) == sorted(path.name for path in tmp_path.iterdir())


def test_dropped_rows_leave_no_gap(tmp_path):
    rows = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
    writer = PackWriter(tmp_path / "32.npy", 32)
    places = [writer.append(row) for row in rows]
    for gone in (0, 3, 4, 11):
        writer.drop(places[gone])
    assert writer.rows == 8
    writer.close()
    assert np.array_equal(open_pack(tmp_path / "32.npy"), rows[[1, 2, 5, 6, 7, 8, 9, 10]])
