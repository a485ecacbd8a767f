"""Folders and zips become one sorted list of files; nothing outside is ever read."""

import os
import tracemalloc
import zipfile

import pytest

from models.datasets import sources
from models.datasets.rejections import Reason, Refused
from models.datasets.sources import open_source

JPEG = b"\xff\xd8\xff"  # what every JPEG file starts with


def names(path):
    with open_source(path) as entries:
        return [entry.name for entry in entries]


def refusal(entry):
    """Return why an entry cannot be read."""
    with pytest.raises(Refused) as refused:
        entry.read()
    return refused.value.reason


def test_a_folder_is_read_in_order_and_in_depth(tmp_path):
    for name in ["b/2.jpg", "a/1.PNG", "c.webp", ".DS_Store", "__MACOSX/._c.webp", "a/.x/y.jpg"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(JPEG + name.encode())
    with open_source(tmp_path) as entries:
        assert [entry.name for entry in entries] == ["a/1.PNG", "b/2.jpg", "c.webp"]
        assert entries[0].read() == JPEG + b"a/1.PNG"


def test_a_zip_lists_what_its_folder_would(tmp_path):
    tree = tmp_path / "tree"
    for name in ["CAT_00/1.jpg", "CAT_00/1.jpg.cat", "CAT_01/1.jpg", ".hidden.jpg"]:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        start = b"" if name.endswith(".cat") else JPEG
        (tree / name).write_bytes(start + name.encode())
    packed = tmp_path / "tree.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(tree.rglob("*"), reverse=True):
            archive.write(path, path.relative_to(tree))
    assert names(tree) == names(packed) == ["CAT_00/1.jpg", "CAT_01/1.jpg"]
    for source in (tree, packed):
        with open_source(source) as (first, second):
            assert first.read() == JPEG + b"CAT_00/1.jpg"
            assert first.read_landmarks is not None
            assert first.read_landmarks() == b"CAT_00/1.jpg.cat"
            assert second.read_landmarks is None


def test_links_out_of_a_folder_are_not_followed(tmp_path):
    """A link is read only if it leads to a file in the same folder."""
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "secret.jpg").write_bytes(JPEG + b"secret")
    (inside / "cat.jpg").write_bytes(JPEG + b"cat")
    (inside / "out.jpg").symlink_to(outside / "secret.jpg")
    (inside / "folder.jpg").symlink_to(outside)
    (inside / "loop.jpg").symlink_to(inside)
    (inside / "self.jpg").symlink_to(inside / "self.jpg")
    (inside / "nowhere.jpg").symlink_to(inside / "absent.jpg")
    (inside / "same.jpg").symlink_to("cat.jpg")
    with open_source(inside) as entries:
        by_name = {entry.name: entry for entry in entries}
        assert len(by_name) == 7
        assert by_name["same.jpg"].read() == JPEG + b"cat"
        for name in ("out.jpg", "folder.jpg", "loop.jpg"):
            assert refusal(by_name[name]) is Reason.LINK
        assert refusal(by_name["self.jpg"]) in (Reason.LINK, Reason.UNREADABLE)
        assert refusal(by_name["nowhere.jpg"]) is Reason.UNREADABLE


def test_a_source_given_as_a_link_is_read(tmp_path):
    """The user named it; only what lies in it is mistrusted."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "cat.jpg").write_bytes(JPEG + b"cat")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with open_source(tmp_path / "link") as (entry,):
        assert entry.read() == JPEG + b"cat"


def test_a_pipe_is_not_waited_for(tmp_path):
    """Special files are refused without opening them."""
    os.mkfifo(tmp_path / "pipe.jpg")
    with open_source(tmp_path) as (entry,):
        assert refusal(entry) is Reason.UNSUPPORTED


@pytest.mark.parametrize(
    ("name", "raw", "reason"),
    [
        ("cat.gif", b"GIF89a", Reason.UNSUPPORTED),
        ("notes.txt", b"text", Reason.UNSUPPORTED),
        ("zeros.jpg", bytes(900), Reason.UNREADABLE),
        ("cat.jpg", JPEG + bytes(1001), Reason.TOO_LARGE),
    ],
)
def test_other_and_too_large_files_are_refused(tmp_path, zipped, monkeypatch, name, raw, reason):
    monkeypatch.setattr(sources, "MAX_FILE_BYTES", 1000)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / name).write_bytes(raw)
    for source in (tmp_path / "tree", zipped([(name, raw)])):
        with open_source(source) as (entry,):
            assert refusal(entry) is reason


def test_a_damaged_entry_of_a_zip_is_unreadable(zipped):
    path = zipped([("a.jpg", JPEG + b"cat a"), ("b.jpg", JPEG + b"cat b")])
    path.write_bytes(path.read_bytes().replace(b"cat a", b"rat a"))
    with open_source(path) as (first, second):
        assert refusal(first) is Reason.UNREADABLE
        assert second.read() == JPEG + b"cat b"


@pytest.mark.parametrize("lie", [10, 2**31])
def test_a_zip_that_lies_about_sizes_gives_no_more_than_it_has(zipped, lie):
    path = zipped([("a.jpg", JPEG + bytes(100_000))], compression=zipfile.ZIP_DEFLATED)
    raw = bytearray(path.read_bytes())
    place = raw.find(b"PK\x01\x02") + 24
    raw[place : place + 4] = lie.to_bytes(4, "little")
    path.write_bytes(raw)
    with open_source(path) as (entry,):
        if lie < 100_000:
            assert refusal(entry) is Reason.UNREADABLE
        else:
            assert len(entry.read()) == 100_003


def test_a_name_that_is_not_the_utf8_it_claims_refuses_its_entry(zipped):
    path = zipped([("a.jpg", JPEG + b"one"), ("caf\xe9.jpg", JPEG + b"two")])
    path.write_bytes(path.read_bytes().replace("\xe9".encode(), b"\xff\xfe"))
    before = path.read_bytes()
    with open_source(path) as (first, second):
        assert first.read() == JPEG + b"one"
        assert refusal(second) is Reason.UNREADABLE
    assert path.read_bytes() == before, "the file itself is never changed"


@pytest.mark.parametrize("name", ["cat", "cat.jfif", "cat.jpe", "cat.gif", "cat.jpg.bak"])
def test_what_a_file_is_called_decides_nothing(tmp_path, zipped, name):
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / name).write_bytes(JPEG)
    for source in (tmp_path / "tree", zipped([(name, JPEG)])):
        with open_source(source) as (entry,):
            assert entry.read() == JPEG


def test_no_more_than_the_start_of_a_film_is_read(tmp_path, zipped):
    """Zeros of a gigabyte compress to a megabyte: they must cost neither time nor memory."""
    path = zipped([("film.mp4", bytes(50_000_000))], compression=zipfile.ZIP_DEFLATED)
    tracemalloc.start()
    try:
        with open_source(path) as (entry,):
            assert refusal(entry) is Reason.UNSUPPORTED
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()


def test_a_landmark_file_of_any_length_is_not_read_whole(tmp_path):
    """More than a few kilobytes are no landmarks."""
    (tmp_path / "cat.jpg").write_bytes(JPEG)
    (tmp_path / "cat.jpg.cat").write_bytes(b"9 " * 10_000)
    with open_source(tmp_path) as (entry,):
        assert entry.read_landmarks is not None
        with pytest.raises(Refused, match="over 4096 bytes"):
            entry.read_landmarks()
