"""Datasets from the command line."""

import json
import shutil

import pytest


@pytest.fixture
def folder(pictures, tmp_path):
    """Return a folder of sixteen real cats, one of them twice, and a text that says it is one."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    chosen = sorted((pictures / "cats").glob("*.jpg"))[:16]
    for picture in chosen:
        shutil.copy(picture, folder)
    shutil.copy(chosen[0], folder / "again.jpg")
    (folder / "note.jpg").write_text("I am a cat.")
    return folder


def test_import_tells_what_it_kept_and_refused(cattery, store, folder):
    """The record is printed, kept in the store, listed and shown; a name is taken once."""
    outcome = cattery("dataset", "import", "few", str(folder), "--license", "CAT 2008")
    assert outcome.code == 0, outcome.err
    record = json.loads(outcome.out)
    assert (record["kept"], record["license"]) == (16, "CAT 2008")
    assert record["rejected"] == {"duplicate": 1, "unreadable": 1}
    assert json.loads(cattery("dataset", "show", "few").out) == record
    assert cattery("dataset", "list").out.splitlines()[1].split()[:2] == ["few", "16"]
    again = cattery("dataset", "import", "few", str(folder))
    assert (again.code, "few" in again.err) == (1, True)


def test_duplicates_may_be_kept(cattery, folder):
    outcome = cattery("dataset", "import", "all", str(folder), "--no-deduplicate")
    assert json.loads(outcome.out)["kept"] == 17


def test_faces_are_cut_out_on_request(cattery, folder):
    outcome = cattery("dataset", "import", "faces", str(folder), "--crop", "faces")
    record = json.loads(outcome.out)
    assert 10 <= record["kept"] <= 16
    assert record["rejected"].get("no face", 0) == 16 - record["kept"]


def test_delete_removes_it(cattery, store, folder):
    assert cattery("dataset", "import", "few", str(folder)).code == 0
    assert cattery("dataset", "delete", "few").code == 0
    assert not store.datasets.exists("few")
    assert "was deleted" in cattery("dataset", "show", "few").err


def test_a_folder_without_pictures_is_one_line(cattery, tmp_path):
    """Nothing to train on is an error, not an empty dataset."""
    (tmp_path / "empty").mkdir()
    outcome = cattery("dataset", "import", "none", str(tmp_path / "empty"))
    assert outcome.code == 1
    assert [line for line in outcome.err.splitlines() if line.startswith("Error: ")]
