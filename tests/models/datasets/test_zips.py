"""A zip that was made to harm is refused whole, before anything in it is read."""

import stat
import struct
import tracemalloc
import zipfile

import pytest

from models.datasets import zips
from models.datasets.zips import open_zip
from models.errors import DatasetError


def entry(name, kind=0, **attributes):
    """Return a ZipInfo with a file type and other attributes."""
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | 0o644) << 16
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    return info


@pytest.mark.parametrize(
    ("entries", "compression", "told"),
    [
        ([("fine.jpg", b"1"), (name, b"2")], zipfile.ZIP_STORED, told)
        for names, told in (
            (("/etc/cat.jpg", "\\\\server\\cat.jpg", "C:cat.jpg", "c:\\cats\\cat.jpg"), "absolute"),
            (("../cat.jpg", "cats/../../cat.jpg", "cats\\..\\..\\cat.jpg"), "out of its folder"),
        )
        for name in names
    ]
    + [
        ([(entry("cat.jpg", kind), b"/etc/passwd")], zipfile.ZIP_STORED, told)
        for kind, told in (
            (stat.S_IFLNK, "a link"),
            (stat.S_IFIFO, "speci"),
            (stat.S_IFCHR, "speci"),
        )
    ]
    + [
        ([("cat.bmp", bytes(2 * 2**20))], zipfile.ZIP_DEFLATED, "2097152 bytes packed into"),
        # Below the limit of one entry, above that of their sum.
        (
            [(f"{i}.bmp", bytes(1_000_000)) for i in range(20)],
            zipfile.ZIP_DEFLATED,
            "20000000 bytes packed into",
        ),
        # Python inflates these by the chunk, without a limit.
        ([("cat.jpg", b"1" * 100)], zipfile.ZIP_BZIP2, "compressed by method"),
        ([("cat.jpg", b"1" * 100)], zipfile.ZIP_LZMA, "compressed by method"),
    ],
)
def test_what_may_harm_is_refused(zipped, entries, compression, told):
    """Paths out of the zip, links, special files, bombs and compressions without a limit."""
    with pytest.raises(DatasetError, match=told):
        open_zip(zipped(entries, compression=compression))


def test_a_path_with_a_nul_is_refused(zipped):
    """What comes after a NUL cannot hide."""
    path = zipped([("cat.jpg#/../x", b"1")])
    path.write_bytes(path.read_bytes().replace(b"cat.jpg#", b"cat.jpg\0"))
    with pytest.raises(DatasetError, match="out of its folder"):
        open_zip(path)


def test_honest_rarities_are_read(zipped, tmp_path):
    """Dots that lead nowhere, folders, small bitmaps of one color, zip64 and comments."""
    path = zipped([("a..b/..c/cat..jpg", b"1"), (entry("folder/", stat.S_IFDIR), b"")])
    with open_zip(path) as archive:
        assert len(archive.infolist()) == 2
    path = zipped([("cat.bmp", bytes(900_000))], compression=zipfile.ZIP_DEFLATED)
    with open_zip(path) as archive:
        assert archive.infolist()[0].file_size == 900_000
    path = tmp_path / "cats.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.comment = b"cats " * 100
        with archive.open("cat.jpg", "w", force_zip64=True) as file:
            file.write(b"1")
    with open_zip(path) as archive:
        assert archive.namelist() == ["cat.jpg"]


def test_too_many_entries_are_refused_in_flat_memory(zipped):
    path = zipped([])
    name = b"a.jpg"
    record = b"PK\x01\x02" + bytes(24) + struct.pack("<HHHHHLL", len(name), 0, 0, 0, 0, 0, 0) + name
    count = zips.MAX_ENTRIES + 1
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(record) * count, 0, 0)
    with path.open("wb") as file:
        file.write(record * count + end)
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError, match="200000 entries"):
            open_zip(path)
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()


def test_an_endless_table_of_contents_is_refused(zipped):
    path = zipped([("cat.jpg", b"1")])
    raw = bytearray(path.read_bytes())
    raw[-10:-6] = struct.pack("<L", 2**31)
    path.write_bytes(raw)
    with pytest.raises(DatasetError, match="table of contents"):
        open_zip(path)


def test_the_total_is_limited(zipped, monkeypatch):
    monkeypatch.setattr(zips, "MAX_TOTAL_BYTES", 1000)
    with pytest.raises(DatasetError, match="1200 bytes unpacked"):
        open_zip(zipped([("a.jpg", bytes(600)), ("b.jpg", bytes(600))]))


def test_an_encrypted_zip_is_refused(zipped):
    """There is no place to give a password."""
    path = zipped([("cat.jpg", b"1")])
    raw = bytearray(path.read_bytes())
    raw[raw.find(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)
    with pytest.raises(DatasetError, match="encrypted"):
        open_zip(path)


@pytest.mark.parametrize("raw", [b"", b"no zip", b"PK\x05\x06", b"PK\x05\x06" + b"\xff" * 18])
def test_what_is_no_zip_is_refused(tmp_path, raw):
    path = tmp_path / "cats.zip"
    path.write_bytes(raw)
    with pytest.raises(DatasetError, match=r"cats\.zip"):
        open_zip(path)
    with pytest.raises(DatasetError, match=r"gone\.zip"):
        open_zip(tmp_path / "gone.zip")


def test_a_real_zip64_directory_is_counted(tmp_path, monkeypatch):
    """More entries than 16 bits can count are still counted, and limited."""
    monkeypatch.setattr(zips, "MAX_ENTRIES", 65_540)
    path = tmp_path / "cats.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(65_541):
            archive.writestr(zipfile.ZipInfo(f"{number}.jpg"), b"")
    with pytest.raises(DatasetError, match="65540 entries"):
        open_zip(path)
