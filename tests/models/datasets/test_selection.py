"""Of lookalikes the largest is kept, whatever the files are called."""

import numpy as np
import pytest
from PIL import Image

from models.datasets.batches import open_pack
from models.datasets.duplicates import look_of
from models.datasets.packs import Packs
from models.datasets.pipeline import Prepared
from models.datasets.rejections import Reason, Refused
from models.datasets.selection import Selection


@pytest.fixture
def prepare(noise):
    """Return a maker of prepared images; even numbers of content are held out."""

    def make(seed, reach_px=64, content=None):
        image = noise(seed)
        sizes = [px for px in (32, 64, 128) if px <= reach_px]
        rows = {px: np.asarray(image.resize((px, px), Image.Resampling.LANCZOS)) for px in sizes}
        digest = (content or f"{seed} {reach_px}").encode().rjust(32, b"\xff")
        return Prepared(digest, digest, look_of(rows[32]), reach_px, rows, is_aligned=False)

    return make


def select(folder, taken, *, deduplicate=True):
    """Return the selection after some files, and the names of the packs written."""
    with Packs(folder) as packs:
        selection = Selection(packs, deduplicate=deduplicate)
        for name, images in taken:
            selection.take(name, images)
    return selection, packs


def kept(selection):
    return [image.name for image in selection.kept.values()]


def told(selection):
    return {entry["file"]: entry["detail"] for entry in selection.ledger.first}


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0)])
def test_the_largest_is_kept_in_any_order(tmp_path, prepare, order):
    files = [("a-thumb", [prepare(1, 32)]), ("full", [prepare(1, 128)]), ("web", [prepare(1, 64)])]
    selection, packs = select(tmp_path, [files[place] for place in order])
    assert kept(selection) == ["full"]
    assert packs.counts(is_heldout=False) == {"32": 1, "64": 1, "128": 1}
    assert len(open_pack(tmp_path / "128.npy")) == 1
    assert selection.ledger.counts == {"duplicate": 2}
    assert "full, which is kept" in told(selection)["a-thumb"]


def test_of_equals_the_first_is_kept(tmp_path, prepare):
    taken = [("a", [prepare(1, content="a")]), ("b", [prepare(1, content="b")])]
    selection, _ = select(tmp_path, taken)
    assert kept(selection) == ["a"]


def test_what_was_replaced_leaves_no_row(tmp_path, prepare):
    """The rows that stay are in order, and an emptied pack has no file."""
    thumbs = [(f"{seed}-thumb", [prepare(seed, 32)]) for seed in range(5)]
    taken = [*thumbs, ("2-full", [prepare(2, 64)]), ("0-full", [prepare(0, 64)])]
    selection, packs = select(tmp_path, taken)
    assert kept(selection) == ["1-thumb", "3-thumb", "4-thumb", "2-full", "0-full"]
    rows = open_pack(tmp_path / "32.npy")
    wanted = [prepare(seed).rows[32] for seed in (1, 3, 4, 2, 0)]
    assert np.array_equal(rows, wanted)
    assert sorted(packs.files()) == ["32.npy", "64.npy"]


def test_the_fingerprint_is_of_what_is_kept(tmp_path, prepare):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    full, thumb = ("b", [prepare(1, 64)]), ("a", [prepare(1, 32)])
    first, _ = select(tmp_path / "one", [thumb, full])
    second, _ = select(tmp_path / "two", [full])
    assert first.fingerprint() == second.fingerprint()


def test_without_deduplication_all_are_kept(tmp_path, prepare):
    """The same file twice as well: whoever switches it off means it."""
    taken = [("a", [prepare(1)]), ("b", [prepare(1)]), ("c", [prepare(1, 32)])]
    selection, packs = select(tmp_path, taken, deduplicate=False)
    assert kept(selection) == ["a", "b", "c"]
    assert packs.counts(is_heldout=False) == {"32": 3, "64": 2}


def test_several_faces_of_a_photograph_are_several_images(tmp_path, prepare):
    faces = [prepare(seed, content="photo") for seed in (1, 2)]
    selection, _ = select(tmp_path, [("p.jpg", faces), ("copy.jpg", faces)])
    assert kept(selection) == ["p.jpg, face 1", "p.jpg, face 2"]
    assert told(selection) == {"copy.jpg": "the same file as p.jpg"}


def test_a_refused_file_is_listed(tmp_path):
    selection, packs = select(tmp_path, [("a.txt", Refused(Reason.UNSUPPORTED, "no image"))])
    assert told(selection) == {"a.txt": "no image"}
    assert packs.files() == []
