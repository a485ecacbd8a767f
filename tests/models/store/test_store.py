"""Opening a store: a good one works, a broken one gives one clear line."""

import os
import time
from pathlib import Path

import fsspec
import pytest

from models.errors import StoreError
from models.store import Store


def test_making_a_store_touches_nothing(tmp_path):
    """The constructor does no input or output; `open` makes the folder."""
    folder = tmp_path / "store"
    Store(str(folder))
    assert not folder.exists()
    Store.open(str(folder))
    assert list(folder.rglob("*")) in ([], [folder / ".tmp"])


def test_a_file_url_is_a_local_store(tmp_path):
    store = Store.open(f"file://{tmp_path}/store")
    store.tree.write("a", b"x")
    assert (tmp_path / "store" / "a").read_bytes() == b"x"
    assert Store.open(store.url).tree.read("a") == b"x", "it opens again as it was"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "empty"),
        ("nope://bucket/prefix", "Protocol not known: nope"),
        ("/dev/null", "not a folder"),
        ("/dev/null/store", "not a folder"),
        ("/proc/cattery/store", "/proc/cattery/store"),
    ],
)
def test_a_broken_store_gives_one_clear_line(url, says):
    with pytest.raises(StoreError) as caught:
        Store.open(url)
    assert says in str(caught.value)
    assert url in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_backend_that_is_not_installed_names_what_to_install(monkeypatch):
    def missing(name):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "get_filesystem_class", missing)
    with pytest.raises(StoreError, match="pip install s3fs") as caught:
        Store.open("s3://bucket/prefix")
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_a_store_error():
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    store = Store("/dev")
    with pytest.raises(StoreError, match="append to full: No space left"):
        store.tree.append("full", b"x\n")


def test_opening_sweeps_what_dead_processes_left(tmp_path):
    store = Store.open(str(tmp_path))
    store.tree.write("models/x", b"1")
    old, new = (tmp_path / "models" / ".tmp" / name for name in ("old", "new"))
    for file in (old, new):
        file.write_bytes(b"half")
    long_ago = time.time() - 7200
    os.utime(old, (long_ago, long_ago))
    Store.open(str(tmp_path))
    assert not old.exists()
    assert new.exists()
