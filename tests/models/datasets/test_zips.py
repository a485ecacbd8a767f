"""One bad entry of a zip is refused alone; a zip that exhausts the machine, as a whole."""

import stat
import struct
import tracemalloc
import zipfile

import pytest

from models.datasets import zips
from models.datasets.rejections import Reason, Refused
from models.datasets.zips import check_entry, open_zip
from models.errors import DatasetError


def entry(name, kind=0, **attributes):
    """Return a ZipInfo with a file type and other attributes."""
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | 0o644) << 16
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    return info


def refusals(path):
    """Return, by name, why entries of a zip are refused; None for those that are read."""
    with open_zip(path) as archive:
        return {info.filename: _refusal(info) for info in archive.infolist()}


def _refusal(info):
    try:
        check_entry(info)
    except Refused as refused:
        return refused.reason
    return None


@pytest.mark.parametrize(
    "name",
    [
        *("/etc/cat.jpg", "\\\\server\\cat.jpg", "C:cat.jpg", "c:\\cats\\cat.jpg"),
        *("../cat.jpg", "cats/../../cat.jpg", "cats\\..\\..\\cat.jpg"),
    ],
)
def test_a_path_out_of_the_zip_is_refused_alone(zipped, name):
    """Nothing is unpacked to disk, so that it could do no harm."""
    assert list(refusals(zipped([("a.jpg", b"1"), (name, b"2")])).values()) == [None, Reason.NAME]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (stat.S_IFLNK, Reason.LINK),
        (stat.S_IFIFO, Reason.UNSUPPORTED),
        (stat.S_IFCHR, Reason.UNSUPPORTED),
    ],
)
def test_links_and_special_files_are_refused_alone(zipped, kind, reason):
    path = zipped([("a.jpg", b"1"), (entry("b.jpg", kind), b"/etc/passwd")])
    assert refusals(path) == {"a.jpg": None, "b.jpg": reason}


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_without_a_limit_are_refused_alone(zipped, method):
    """Python inflates these by the chunk, however large it becomes."""
    path = zipped([("a.jpg", b"1"), (entry("b.jpg", compress_type=method), b"1" * 100)])
    assert refusals(path) == {"a.jpg": None, "b.jpg": Reason.UNSUPPORTED}


def patched(path, name, offset, value):
    """Change a byte of the directory's entry of that name."""
    raw = bytearray(path.read_bytes())
    place = raw.rindex(name) - 46
    assert raw[place : place + 4] == b"PK\x01\x02"
    raw[place + offset] = value
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize(("offset", "value"), [(10, 9), (10, 93), (8, 1)])
def test_unknown_methods_and_passwords_refuse_their_entry_alone(zipped, offset, value):
    """Deflate64 of Explorer, zstd, and what there is no place to give a password for."""
    path = patched(zipped([("a.jpg", b"1"), ("b.jpg", b"2")]), b"b.jpg", offset, value)
    assert refusals(path) == {"a.jpg": None, "b.jpg": Reason.UNSUPPORTED}


def test_an_entry_of_a_newer_format_does_not_refuse_the_others(zipped):
    path = patched(zipped([("a.jpg", b"one"), ("b.jpg", b"two")]), b"b.jpg", 6, 200)
    with open_zip(path) as archive:
        assert archive.read("a.jpg") == b"one"
        assert archive.read("b.jpg") == b"two"


def test_entries_that_overlap_are_refused(zipped):
    """Thousands of entries may share one piece of the file: a bomb."""
    path = zipped([("a.jpg", bytes(10_000)), ("b.jpg", b"1")])
    raw = bytearray(path.read_bytes())
    place = raw.rindex(b"b.jpg") - 46
    raw[place + 20 : place + 28] = struct.pack("<LL", 10_000, 10_000)
    path.write_bytes(raw)
    with pytest.raises(DatasetError, match="do not overlap"):
        open_zip(path)


def test_a_path_with_a_nul_is_refused(zipped):
    """What comes after a NUL cannot hide."""
    path = zipped([("cat.jpg#/../x", b"1")])
    path.write_bytes(path.read_bytes().replace(b"cat.jpg#", b"cat.jpg\0"))
    assert refusals(path) == {"cat.jpg": Reason.NAME}


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


@pytest.mark.parametrize(
    ("extra", "packed"),
    [
        (b"\x41\x43\xff\x00ab", 1),  # a block longer than the field
        (b"\x01\x00\x00\x00", 0xFFFF_FFFF),  # sizes that are not where they should be
        (b"\x75\x70\x06\x00\x01\x00\x00\x00\x00\xff", 1),  # a name that is no UTF-8
    ],
)
def test_a_damaged_extra_field_refuses_its_entry_alone(zipped, extra, packed):
    block = struct.pack("<HH", 0x4343, len(extra) - 4) + extra[4:]  # valid, of the same length
    damaged = entry("b.jpg", extra=block)
    path = zipped([("a.jpg", b"one"), (damaged, b"2"), ("c.jpg", b"three")])
    raw = bytearray(path.read_bytes())
    place = raw.rindex(b"b.jpg" + block)
    raw[place + 5 : place + 5 + len(extra)] = extra
    raw[place - 26 : place - 22] = struct.pack("<L", packed)
    path.write_bytes(raw)
    assert refusals(path) == {"a.jpg": None, "b.jpg": Reason.UNREADABLE, "c.jpg": None}
    with open_zip(path) as archive:
        assert archive.read("c.jpg") == b"three"
