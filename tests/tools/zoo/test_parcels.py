"""Pictures in zips of a limited size, and out of them again."""

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.datasets.landmarks import SUFFIX
from models.errors import Conflict, DatasetError, InvalidValue
from tools.zoo.parcels import (
    ParcelsStopped,
    find_parcels,
    smaller,
    unpack_parcels,
    write_parcels,
)

LIMIT_BYTES = 12_000


@pytest.fixture
def album(pictures: Path, tmp_path: Path) -> Path:
    """Return a folder of twelve cats in two folders, a list of them and a hidden file."""
    folder = tmp_path / "album"
    for number, file in enumerate(sorted((pictures / "cats").glob("*.jpg"))[:12]):
        place = folder / ("cat" if number % 2 else "afhq") / file.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)
    (folder / "manifest.csv").write_text("file,side_px\n")
    (folder / ".hidden").write_text("nothing")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder that is not hidden."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name[0] != "."]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_all_files_come_back_and_no_zip_exceeds_the_limit(album: Path, tmp_path: Path) -> None:
    """Byte for byte, by their names; nothing is compressed again, and each zip is well filled."""
    parcels = write_parcels(album, tmp_path / "out", limit_bytes=LIMIT_BYTES)
    assert [path.name for path in parcels] == [f"part-0{n}.zip" for n in range(1, len(parcels) + 1)]
    assert len(parcels) > 1
    sizes = [path.stat().st_size for path in parcels]
    assert all(LIMIT_BYTES / 2 < size <= LIMIT_BYTES for size in sizes[:-1])
    assert sizes[-1] <= LIMIT_BYTES
    (tmp_path / "back").mkdir()
    unpack_parcels(parcels, tmp_path / "back")
    assert contents(tmp_path / "back") == contents(album)


def test_the_same_pictures_make_the_same_zips(album: Path, tmp_path: Path) -> None:
    """No time of day is in them."""
    one = write_parcels(album, tmp_path / "one", limit_bytes=LIMIT_BYTES)
    (album / "manifest.csv").touch()
    two = write_parcels(album, tmp_path / "two", limit_bytes=LIMIT_BYTES)
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_the_limit_is_met_exactly(album: Path, tmp_path: Path) -> None:
    """What fits into one zip makes one of that size at most; one byte less makes two."""
    [whole] = write_parcels(album, tmp_path / "one", limit_bytes=10**9)
    size = whole.stat().st_size
    spare = 32 - len(b"part 1 of 1")  # what is kept free for the comment
    assert len(write_parcels(album, tmp_path / "two", limit_bytes=size + spare)) == 1
    assert len(write_parcels(album, tmp_path / "three", limit_bytes=size + spare - 1)) == 2


def test_over_ninety_nine_zips_keep_their_order(album: Path, tmp_path: Path) -> None:
    """By number, not by name."""
    out = tmp_path / "out"
    out.mkdir()
    for number in (100, 9, 11):
        (out / f"part-{number:02d}.zip").touch()
    (out / "part-one.zip").touch()
    assert [path.stem for path in find_parcels(out)] == ["part-09", "part-11", "part-100"]


def test_a_file_larger_than_the_limit_is_named(album: Path, tmp_path: Path) -> None:
    """And nothing is left of what was begun."""
    (album / "cat" / "lion.jpg").write_bytes(bytes(LIMIT_BYTES))
    with pytest.raises(DatasetError, match=r"cat/lion\.jpg \(12000 bytes\).*zip of 12000 bytes"):
        write_parcels(album, tmp_path / "out", limit_bytes=LIMIT_BYTES)
    assert [path.name for path in tmp_path.iterdir()] == ["album"]


def test_what_cannot_be_is_refused(album: Path, tmp_path: Path) -> None:
    """An output that exists, a quality out of range, a folder without files."""
    with pytest.raises(Conflict, match="album exists already"):
        write_parcels(album, album, limit_bytes=LIMIT_BYTES)
    with pytest.raises(InvalidValue, match="quality is 101"):
        write_parcels(album, tmp_path / "out", limit_bytes=LIMIT_BYTES, quality=101)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="a folder that holds pictures"):
        write_parcels(tmp_path / "empty", tmp_path / "out", limit_bytes=LIMIT_BYTES)


def test_a_stop_leaves_nothing_behind(album: Path, tmp_path: Path) -> None:
    """After the third file, which was told."""
    told: list[tuple[int, int]] = []
    with pytest.raises(ParcelsStopped, match="out was not written"):
        write_parcels(
            album,
            tmp_path / "out",
            limit_bytes=LIMIT_BYTES,
            on_progress=lambda done, total: told.append((done, total)),
            should_stop=lambda: len(told) == 3,
        )
    assert told == [(1, 13), (2, 13), (3, 13)]
    assert [path.name for path in tmp_path.iterdir()] == ["album"]


def test_a_missing_part_is_noticed(album: Path, tmp_path: Path) -> None:
    """The first or the last one: half of the pictures would be another dataset."""
    parcels = write_parcels(album, tmp_path / "out", limit_bytes=LIMIT_BYTES)
    for some in (parcels[1:], parcels[:-1]):
        with pytest.raises(DatasetError, match=rf"part \d of {len(parcels)}.*all parts"):
            unpack_parcels(some, tmp_path / "back")


def test_only_whole_parcels_are_unpacked(album: Path, tmp_path: Path) -> None:
    """Neither a zip of another make, nor half of one, nor one that leads out of its folder."""
    out = tmp_path / "out"
    [parcel] = write_parcels(album, out, limit_bytes=10**9)
    raw = parcel.read_bytes()
    parcel.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(DatasetError, match="a readable zip"):
        unpack_parcels([parcel], tmp_path / "back")
    for comment, name, says in (
        (b"", "a.jpg", "a zip that `cattery zoo parcel` wrote"),
        (b"part 1 of 1", "../a.jpg", "paths without"),
    ):
        with zipfile.ZipFile(parcel, "w") as archive:
            archive.writestr(name, b"x")
            archive.comment = comment
        with pytest.raises(DatasetError, match=says):
            unpack_parcels([parcel], tmp_path / "back")
    assert not (tmp_path / "a.jpg").exists()


def test_a_damaged_file_in_a_parcel_is_named(album: Path, tmp_path: Path) -> None:
    """Its checksum tells."""
    [parcel] = write_parcels(album, tmp_path / "out", limit_bytes=10**9)
    name = "cat/" + min(path.name for path in (album / "cat").iterdir())
    content = (album / name).read_bytes()
    parcel.write_bytes(parcel.read_bytes().replace(content, content[::-1]))
    with pytest.raises(DatasetError, match=f"part-01.zip: {name}"):
        unpack_parcels([parcel], tmp_path / "back")


def test_pictures_of_a_lower_quality_are_smaller_under_their_names(
    album: Path, tmp_path: Path
) -> None:
    """WebP within a few gray levels of the picture; what is no picture stays."""
    whole = write_parcels(album, tmp_path / "whole", limit_bytes=10**9)
    lower = write_parcels(album, tmp_path / "lower", limit_bytes=10**9, quality=70)
    assert lower[0].stat().st_size < whole[0].stat().st_size
    (tmp_path / "back").mkdir()
    unpack_parcels(lower, tmp_path / "back")
    before, after = contents(album), contents(tmp_path / "back")
    assert before.keys() == after.keys()
    assert before["manifest.csv"] == after["manifest.csv"]
    for name in before.keys() - {"manifest.csv"}:
        with Image.open(io.BytesIO(after[name])) as image:
            assert image.format in ("WEBP", "JPEG")
            shown = np.asarray(image.convert("RGB"), np.float32)
        with Image.open(io.BytesIO(before[name])) as image:
            error = np.abs(np.asarray(image.convert("RGB"), np.float32) - shown).mean()
        assert error < 8


def test_a_turned_picture_stays_upright() -> None:
    """WebP of it is upright in its pixels, and says of no other turn."""
    rows = np.zeros((48, 64, 3), np.uint8)
    rows[:24] = 255
    picture, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    Image.fromarray(rows).save(picture, "JPEG", quality=100, exif=exif)
    with Image.open(io.BytesIO(smaller("a.jpg", picture.getvalue(), 70))) as image:
        assert (image.format, image.size) == ("WEBP", (48, 64))
        assert image.getexif().get(0x0112, 1) == 1
        upright = np.asarray(image.convert("L"))
    assert upright[:, :20].mean() < 10
    assert upright[:, -20:].mean() > 245


@pytest.mark.parametrize("mode", ["RGBA", "CMYK", "P"])
def test_pictures_of_another_kind_stay(mode: str) -> None:
    """Transparency and other colors are the importer's business."""
    out = io.BytesIO()
    Image.new(mode, (64, 64)).save(out, "JPEG" if mode == "CMYK" else "PNG")
    assert smaller("a.png", out.getvalue(), 50) == out.getvalue()


def test_what_is_no_picture_or_damaged_stays() -> None:
    """By name or by content; the importer says what is wrong with it."""
    assert smaller(f"a.jpg{SUFFIX}", b"9 1 1", 50) == b"9 1 1"
    assert smaller("a.jpg", b"no picture", 50) == b"no picture"
