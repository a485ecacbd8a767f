"""The tree: whole files, exclusive creation, lines that survive a crash."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models.errors import BadEntry, Conflict, StoreError
from models.store import Store


def test_a_file_reads_as_it_was_written(store):
    tree = store.tree
    tree.write("a/b/one", b"1")
    tree.write("a/b/one", b"two")
    tree.write("a/c", b"")
    assert tree.read("a/b/one") == b"two"
    assert tree.names("a") == ["b", "c"]
    assert tree.exists("a/b")
    tree.delete("a/b")
    assert not tree.exists("a/b/one")
    assert tree.names("a") == ["c"]


def test_what_is_absent_is_file_not_found_or_empty(store):
    with pytest.raises(FileNotFoundError):
        store.tree.read("no/such")
    assert store.tree.names("no") == []
    assert store.tree.read_many(["no/such"]) == {}
    assert not store.tree.exists("no/such")
    store.tree.delete("no/such")


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a//b", "a/../b", "a/.", "a\0b"])
def test_a_path_cannot_leave_the_tree(store, path):
    with pytest.raises(StoreError, match="not a path inside the store"):
        store.tree.write(path, b"x")


def test_of_eight_creators_one_wins(store):
    barrier = threading.Barrier(8)

    def create(n):
        barrier.wait()
        return store.tree.create("jobs/x/order.json", b"%d" % n)

    for _ in range(20):
        with ThreadPoolExecutor(8) as threads:
            won = list(threads.map(create, range(8)))
        assert won.count(True) == 1
        assert store.tree.read("jobs/x/order.json") == b"%d" % won.index(True)
        store.tree.delete("jobs/x/order.json")


def test_readers_never_see_a_half_written_file(store):
    """While one thread replaces a file, the others read old or new, never a mixture."""
    contents = [bytes([n]) * 200_000 for n in range(2)]
    store.tree.write("models/x/aliases.json", contents[0])
    done = threading.Event()

    def read():
        reads = 0
        while not done.is_set() or not reads:
            assert store.tree.read("models/x/aliases.json") in contents
            reads += 1
        return reads

    with ThreadPoolExecutor(3) as threads:
        readers = [threads.submit(read) for _ in range(3)]
        try:
            for n in range(100):
                store.tree.write("models/x/aliases.json", contents[n % 2])
        finally:
            done.set()
        assert all(reader.result() > 0 for reader in readers)


def test_appending_closes_a_torn_line_first(store):
    """What a crash left of a line does not swallow the next one."""
    store.tree.append("log", b"one\n")
    store.tree.write("log", b"one\ntw")
    store.tree.append("log", b"three\n")
    assert store.tree.read("log") == b"one\ntw\nthree\n"


def test_lines_of_many_threads_all_arrive_whole(store):
    lines = [b"%04d" % n * 50 + b"\n" for n in range(100)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda line: store.tree.append("log", line), lines))
    assert sorted(store.tree.read("log").splitlines(keepends=True)) == lines


def test_updates_of_many_threads_are_all_kept(store):
    def add_one(_):
        store.tree.update("count", lambda raw: b"%d" % (int(raw or b"0") + 1))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add_one, range(100)))
    assert store.tree.read("count") == b"100"


def test_an_update_that_is_refused_changes_nothing(store):
    def refuse(raw):
        raise Conflict(f"It is {raw!r}.")

    store.tree.write("a", b"1")
    for path in ("a", "b"):
        with pytest.raises(Conflict):
            store.tree.update(path, refuse)
    assert store.tree.read("a") == b"1"
    assert not store.tree.exists("b")


def test_one_unreadable_file_is_told_apart_from_an_unreadable_store(local_store):
    tree = local_store.tree
    tree.write("jobs/a", b"in the way")
    tree.write("jobs/b/job.json", b"whole")
    found = tree.read_many(["jobs/a/job.json", "jobs/b/job.json", "jobs/c/job.json"])
    assert found["jobs/b/job.json"] == b"whole"
    assert isinstance(found["jobs/a/job.json"], BadEntry)
    assert len(found) == 2


def test_a_folder_moves_whole(store):
    store.tree.write("a/b/one", b"1")
    store.tree.write("a/b/c/two", b"2")
    store.tree.move("a/b", "damaged/a/b-1")
    assert not store.tree.exists("a/b/one")
    assert store.tree.read("damaged/a/b-1/c/two") == b"2"


def test_a_local_file_moves_in_and_out(store, tmp_path):
    source = tmp_path / "pack.npy"
    source.write_bytes(b"pixels")
    store.tree.put("datasets/cats/packs/64.npy", source)
    out = store.tree.local("datasets/cats/packs/64.npy", tmp_path / "cache")
    assert not source.exists()
    assert out.read_bytes() == b"pixels"
    with pytest.raises(FileNotFoundError):
        store.tree.local("datasets/cats/packs/32.npy", tmp_path / "cache")


def test_a_copy_is_fetched_once_and_again_when_the_object_changed(store, tmp_path):
    """The cache keeps what is the same and never shows what is old."""
    store.tree.write("a", b"old")
    first = store.tree.local("a", tmp_path / "cache")
    before = first.stat().st_mtime_ns
    assert store.tree.local("a", tmp_path / "cache").stat().st_mtime_ns == before
    store.tree.write("a", b"new")
    assert store.tree.local("a", tmp_path / "cache").read_bytes() == b"new"


def test_a_file_in_the_way_is_a_store_error_naming_the_path(local_store):
    tree = local_store.tree
    tree.write("jobs", b"in the way")
    for act in (
        lambda: tree.read("jobs/x/job.json"),
        lambda: tree.write("jobs/x/job.json", b""),
        lambda: tree.create("jobs/x/job.json", b""),
        lambda: tree.append("jobs/x/job.json", b""),
        lambda: tree.exists("jobs/x/job.json"),
        lambda: tree.names("jobs"),
    ):
        with pytest.raises(StoreError, match="jobs"):
            act()


def test_no_temporary_file_stays_and_none_is_listed(local_store):
    tree, root = local_store.tree, Path(local_store.url)
    tree.write("models/a/x", b"1")
    tree.create("models/a/x", b"2")
    tree.write("models/a/y/z", b"1")
    with pytest.raises(StoreError):
        tree.write("models/a/y", b"a folder is in the way")
    with tree.lock("models/a"):
        assert tree.names("models") == ["a"]
    files = {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()}
    assert files == {"models/a/x", "models/a/y/z", "models/.locks/a.lock"}


def test_what_a_folder_has_and_an_object_store_has_not(tmp_path):
    """Free space, even of the disk that a store will be on; and files to open without a cache."""
    assert (Store(str(tmp_path / "not" / "yet")).tree.free_bytes() or 0) > 0
    store = Store("memory://needs-a-cache")
    assert store.tree.free_bytes() is None
    store.tree.write("a", b"x")
    with pytest.raises(StoreError, match="cache folder is needed"):
        store.tree.local("a")
