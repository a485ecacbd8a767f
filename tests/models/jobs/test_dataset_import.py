"""Pictures become a dataset: counted, split, packed, and nothing half-done remains."""

import json
import shutil
import stat
import struct
import subprocess
import sys
import zipfile
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from models.datasets.batches import open_pack
from models.errors import Conflict, DatasetError, InvalidValue, StoreError
from models.jobs.dataset_import import ImportStopped, import_dataset
from models.store.records import Crop
from models.store.serialization import dumps


@pytest.fixture
def run(store, cache):
    """Return a function that imports without reference statistics."""

    def imported(source, name="cats", **options):
        return import_dataset(store, name, source, cache=cache, statistics=False, **options)

    return imported


@pytest.fixture
def tree(tmp_path, noise):
    """Return a folder of eighty distinct pictures of 64 px."""
    folder = tmp_path / "tree"
    folder.mkdir()
    for seed in range(80):
        noise(seed).save(folder / f"{seed:02}.png")
    return folder


def pack(store, name, size_px, *, heldout=False):
    """Return the rows of one pack as a set of bytes."""
    rows = open_pack(store.datasets.pack_path(name, size_px, heldout))
    return [row.tobytes() for row in rows]


def test_real_pictures_become_packs(run, store, pictures):
    record = run(pictures / "cats", license="cite the paper")
    assert (record.kept, record.rejected) == (220, {})
    assert 3 <= record.heldout <= 25
    assert record.counts == {"32": 220 - record.heldout, "64": 220 - record.heldout}
    assert record.heldout_counts == {"32": record.heldout, "64": record.heldout}
    assert record.license == "cite the paper"
    assert not record.aligned
    assert store.datasets.get("cats") == record
    everything = pack(store, "cats", 64) + pack(store, "cats", 64, heldout=True)
    with Image.open(pictures / "cats" / "00000.jpg") as image:
        assert np.asarray(image).tobytes() in everything
    # The preview shows sixty-four of those that are trained on.
    with Image.open(BytesIO(store.datasets.preview("cats"))) as sheet:
        assert sheet.size == (512, 512)
        training = set(pack(store, "cats", 64))
        for x, y in [(0, 0), (448, 448), (192, 320)]:
            assert sheet.crop((x, y, x + 64, y + 64)).tobytes() in training


def test_a_folder_with_landmarks_is_aligned(run, store, pictures, tmp_path):
    """The CAT dataset's own layout, `CAT_00/NNN.jpg` beside `NNN.jpg.cat`, gives faces."""
    shutil.copytree(pictures / "landmarks", tmp_path / "CAT" / "CAT_00")
    record = run(tmp_path / "CAT")
    assert record.aligned
    assert (record.kept, record.rejected) == (4, {})
    for path in (tmp_path / "CAT").rglob("*.cat"):
        path.unlink()
    assert run(tmp_path / "CAT", "bare").fingerprint != record.fingerprint


def test_one_damaged_landmark_file_does_not_stop_the_import(run, pictures, tmp_path):
    source = tmp_path / "faces"
    shutil.copytree(pictures / "landmarks", source)
    (source / "level.jpg.cat").write_text("9 1 2 three")
    record = run(source)
    assert (record.kept, record.rejected) == (3, {"damaged landmarks": 1})
    assert record.rejections[0]["file"] == "level.jpg"
    assert "three" in record.rejections[0]["detail"]


def test_every_refusal_is_counted_and_told(run, store, tree, noise, encoded, tmp_path):
    (tree / "a-text.jpg").write_text("I am a text file.")
    (tree / "b-small.png").write_bytes(encoded(noise(90, (31, 64))))
    (tree / "c-same.png").write_bytes((tree / "07.png").read_bytes())
    noise(8, (128, 128)).save(tree / "d-resized.png")
    (tree / "e.gif").write_bytes(b"GIF89a")
    (tmp_path / "secret.png").write_bytes(encoded(noise(91)))
    (tree / "f-link.png").symlink_to(tmp_path / "secret.png")
    (tree / "\udcff\udcfe.jpg").write_bytes(b"no picture")  # a name that is no Unicode
    record = run(tree)
    assert record.kept == 80
    counts = {"duplicate": 2, "link": 1, "too small": 1, "unreadable": 2, "unsupported": 1}
    assert json.loads(dumps(record))["rejected"] == record.rejected == counts
    assert record.pictured == {
        "duplicate": ["c-same.png", "08.png"],
        "too small": ["b-small.png"],
    }
    told = {entry["file"]: entry["reason"] for entry in record.rejections}
    assert told == {
        "a-text.jpg": "unreadable",
        "b-small.png": "too small",
        "c-same.png": "duplicate",
        "08.png": "duplicate",  # smaller than d-resized.png
        "e.gif": "unsupported",
        "f-link.png": "link",
        "\\udcff\\udcfe.jpg": "unreadable",
    }


@pytest.mark.parametrize("is_zipped", [False, True])
def test_thumbnails_do_not_drive_out_the_originals(
    run, tmp_path, noise, zipped, encoded, is_zipped
):
    """A NAS puts them into `@eaDir`, which sorts first."""
    files = []
    for seed in range(6):
        full = noise(seed, (1200, 900))
        thumb = encoded(full.resize((320, 240)), "JPEG")
        files.append((f"@eaDir/IMG_{seed}.jpg/SYNOPHOTO_THUMB_M.jpg", thumb))
        files.append((f"IMG_{seed}.jpg", encoded(full, "JPEG", quality=92)))
    record = run(zipped(files) if is_zipped else written(tmp_path / "nas", files))
    assert (record.kept, record.rejected) == (6, {"duplicate": 6})
    assert record.counts["512"] + record.heldout_counts.get("512", 0) == 6
    assert record.rejections[0]["file"].startswith("@eaDir")
    everything = run(written(tmp_path / "all", files), "all", deduplicate=False)
    assert (everything.kept, everything.rejected) == (12, {})


@pytest.mark.parametrize("is_zipped", [False, True])
def test_a_zip_with_bad_entries_ends_as_its_folder(
    run, tmp_path, noise, zipped, encoded, is_zipped
):
    files = [(f"{seed}.jfif", encoded(noise(seed), "JPEG")) for seed in range(5)]
    files += [
        ("zeros.jpg", bytes(4_000_000)),
        ("flat.bmp", encoded(Image.new("RGB", (800, 800)), "BMP")),
        ("notes.txt", b"nothing to see"),
        ("clear.png", encoded(Image.new("RGBA", (64, 64)))),
    ]
    source = zipped(files, zipfile.ZIP_DEFLATED) if is_zipped else written(tmp_path / "t", files)
    record = run(source)
    assert (record.kept, record.rejected) == (5, {"flat": 2, "unreadable": 1, "unsupported": 1})


def test_a_path_out_of_a_zip_refuses_that_entry_alone(run, zipped, noise, encoded, tmp_path):
    files = [(f"{seed}.png", encoded(noise(seed))) for seed in range(5)]
    record = run(zipped([*files, ("../../escaped.png", encoded(noise(9)))]))
    assert (record.kept, record.rejected) == (5, {"unsafe name": 1})
    assert not list(tmp_path.rglob("escaped*"))


def test_faces_are_cut_out_of_photographs(run, store, tmp_path, pictures, encoded, noise):
    """Several cats of one photograph are several pictures; where there is none, that is told."""
    photo = Image.new("RGB", (900, 400), (70, 100, 60))
    for place, name in enumerate(("00085.jpg", "00169.jpg", "00210.jpg")):
        with Image.open(pictures / "cats" / name) as cat:
            photo.paste(cat.resize((200, 200), Image.Resampling.BICUBIC), (40 + 290 * place, 90))
    files = [("cats.jpg", encoded(photo, "JPEG")), ("wall.png", encoded(noise(1, (300, 300))))]
    record = run(written(tmp_path / "photos", files), crop=Crop.FACES)
    assert (record.kept, record.rejected) == (3, {"no face": 1})
    assert record.rejections[0]["file"] == "wall.png"
    assert {"32", "64", "128"} <= set(record.counts) | set(record.heldout_counts)


def test_landmarks_come_before_found_faces(run, pictures):
    aligned = run(pictures / "landmarks", "aligned")
    assert run(pictures / "landmarks", "faces", crop=Crop.FACES).fingerprint == aligned.fingerprint


def test_nothing_is_enlarged(run, store, tmp_path, noise):
    folder = tmp_path / "mixed"
    folder.mkdir()
    for seed in range(40):
        noise(seed, (40 + 4 * seed, 300)).save(folder / f"{seed}.png")
    record = run(folder)
    total = {px: count + record.heldout_counts.get(px, 0) for px, count in record.counts.items()}
    assert total == {"32": 40, "64": 34, "128": 18}
    with pytest.raises(DatasetError):
        store.datasets.pack_path("cats", 256)


def test_the_split_depends_on_content_alone(run, store, tree, tmp_path):
    """Other names, another order, other company: the same pictures are set aside."""
    first = run(tree, "first")
    renamed = tmp_path / "renamed"
    renamed.mkdir()
    for number, path in enumerate(sorted(tree.iterdir(), reverse=True)):
        shutil.copy(path, renamed / f"{number:03}.jpeg")
    second = run(renamed, "second")
    for number in range(40):
        (renamed / f"{number:03}.jpeg").unlink()
    third = run(renamed, "third")
    assert first.fingerprint == second.fingerprint != third.fingerprint
    assert first.heldout == second.heldout > 0
    apart = {name: set(pack(store, name, 64, heldout=True)) for name in ("first", "second")}
    assert apart["first"] == apart["second"]
    for name in ("first", "second", "third"):
        assert not apart["first"] & set(pack(store, name, 64))
    assert pack(store, "first", 64) == pack(store, "second", 64)[::-1]
    assert third.kept == 40


def test_a_zip_gives_the_same_dataset_as_its_folder(run, tree, tmp_path):
    packed = tmp_path / "tree.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in tree.iterdir():
            archive.write(path, f"cats/{path.name}")
    first, second = run(tree, "folder"), run(packed, "zip")
    assert (first.fingerprint, first.counts) == (second.fingerprint, second.counts)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_entries_of_one_name_are_two_pictures(run, zipped, noise, encoded):
    entries = [(f"{seed}.png", encoded(noise(seed))) for seed in range(20)]
    record = run(zipped([*entries, ("0.png", encoded(noise(50))), entries[1]]))
    assert (record.kept, record.rejected) == (21, {"duplicate": 1})


def test_progress_is_told_to_the_last_file(run, tree):
    seen = []
    run(tree, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 80) for done in range(1, 81)]


def test_no_usable_picture_is_an_error_with_reasons(run, store, cache, tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.jpg").write_text("text")
    (folder / "b.txt").write_text("text")
    with pytest.raises(DatasetError, match=r"1 unreadable, 1 unsupported"):
        run(folder)
    assert_nothing_left(store, cache)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no files"):
        run(tmp_path / "empty")


def test_an_existing_name_is_a_conflict(run, store, tree, pictures):
    """Datasets never change; the first one stays as it is."""
    first = run(tree)
    with pytest.raises(Conflict, match="cats"):
        run(pictures / "cats")
    assert store.datasets.get("cats") == first


@pytest.mark.parametrize("name", ["", "../cats", "Cats", "a/b", "cats."])
def test_a_name_that_is_none_is_refused_first(run, tree, name):
    with pytest.raises(InvalidValue, match="dataset"):
        run(tree, name)


def test_a_stopped_import_leaves_nothing(run, store, cache, tree):
    asked = iter(range(1000))
    with pytest.raises(ImportStopped):
        run(tree, should_stop=lambda: next(asked) == 40)
    assert_nothing_left(store, cache)
    assert run(tree).kept == 80


def test_a_full_disk_is_a_store_error_and_leaves_nothing(run, store, cache, tree, monkeypatch):
    def full(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("models.datasets.packs.Packs.append", full)
    with pytest.raises(StoreError, match=r"No space left .* space"):
        run(tree)
    assert_nothing_left(store, cache)


def test_a_refused_zip_leaves_nothing(run, store, cache, zipped, tmp_path):
    evil = zipfile.ZipInfo("link.jpg")
    evil.external_attr = (stat.S_IFLNK | 0o777) << 16
    for entry in [("../../escaped.jpg", b"x"), (evil, b"/etc/passwd")]:
        with pytest.raises(DatasetError):
            run(zipped([entry]))
    assert_nothing_left(store, cache)
    assert not list(tmp_path.rglob("escaped*"))


def test_reference_statistics_are_kept(store, cache, pictures):
    record = import_dataset(store, "faces", pictures / "landmarks", cache=cache)
    assert store.tree.names("datasets/faces/references")
    assert record.counts["64"] >= 2


BOMBS = """
import resource, sys
from pathlib import Path
from models.jobs.dataset_import import import_dataset
from models.store import Store
root = Path(sys.argv[1])
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
before = peak()
record = import_dataset(Store(str(root / "store")), "cats", root / "bombs", cache=root / "cache",
                        statistics=False)
print(record.kept, record.rejected)
print(peak() - before)
"""


def test_picture_bombs_leave_memory_flat(tmp_path, noise, encoded):
    """Claims and bombs cost nothing; the largest legal pictures are decoded one at a time."""
    folder = tmp_path / "bombs"
    folder.mkdir()
    for seed in range(30):
        noise(seed).save(folder / f"{seed}.png")
    Image.new("1", (12_000, 12_000)).save(folder / "bomb.png")
    for number in range(40):
        (folder / f"claim-{number}.png").write_bytes(claim(6900, 6900))
    Image.new("RGB", (6000, 5900), "red").save(folder / "slow.jpg", progressive=True)
    Image.new("RGB", (3800, 3900), "red").save(folder / "copies.webp", method=0)
    noise(0, (6900, 6900)).save(folder / "large-0.png", compress_level=1)
    for number in (1, 2):
        shutil.copy(folder / "large-0.png", folder / f"large-{number}.png")
    command = [sys.executable, "-c", BOMBS, str(tmp_path)]
    told, grown_mb = subprocess.check_output(command, text=True, timeout=120).splitlines()
    assert told == "30 {'duplicate': 3, 'flat': 2, 'too large': 1, 'unreadable': 40}"
    assert int(grown_mb) < 256


def claim(width, height):
    """Return a PNG file whose header promises pixels that do not follow."""

    def chunk(kind, data):
        checksum = zlib.crc32(kind + data)
        return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", checksum)

    header = chunk(b"IHDR", struct.pack(">LLBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100)))


def written(folder, files):
    """Write files to a folder and return it."""
    for name, content in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def assert_nothing_left(store, cache):
    """Check that neither store nor cache holds a file of a dataset."""
    assert store.datasets.list() == []
    assert not store.tree.exists("datasets/cats/packs")
    assert not [path for path in cache.rglob("*") if path.name != ".imports.lock"]
