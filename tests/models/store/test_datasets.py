"""Datasets: complete or absent, never changed, not deleted while needed."""

from dataclasses import replace

import pytest

from models.errors import Conflict, DatasetError, Gone, InvalidValue, NotFound, StoreError
from models.store.records import JobKind, JobStatus
from tests.records import put_job


@pytest.fixture
def files(tmp_path):
    def make(content=b"pixels"):
        places = ("packs/32.npy", "packs/32-heldout.npy", "packs/64.npy", "preview.png")
        made = {}
        for n, place in enumerate(places):
            made[place] = tmp_path / f"{n}-upload"
            made[place].write_bytes(content + place.encode())
        return made

    return make


def test_an_added_dataset_reads_back(store, dataset, files, tmp_path):
    store.datasets.add(dataset, files())
    assert store.datasets.get("cats") == dataset
    assert store.datasets.list() == [dataset]
    assert store.datasets.exists("cats")
    assert store.datasets.preview("cats") == b"pixelspreview.png"
    pack = store.datasets.pack_path("cats", 32, False, tmp_path / "cache")
    assert pack.read_bytes() == b"pixelspacks/32.npy"
    heldout = store.datasets.pack_path("cats", 32, True, tmp_path / "cache")
    assert heldout.read_bytes() == b"pixelspacks/32-heldout.npy"


def test_a_name_can_be_taken_once(store, dataset, files):
    store.datasets.add(dataset, files())
    with pytest.raises(Conflict, match="cats"):
        store.datasets.add(replace(dataset, kept=9), files(b"other"))
    assert store.datasets.get("cats") == dataset
    assert store.datasets.preview("cats") == b"pixelspreview.png"
    with pytest.raises(InvalidValue):
        store.datasets.add(replace(dataset, name="../cats"), {})


def test_what_an_import_left_half_done_is_no_dataset(store, dataset, files):
    """Files without the record are not seen, and go when the name is imported again."""
    store.tree.write("datasets/cats/packs/512.npy", b"half")
    assert not store.datasets.exists("cats")
    assert store.datasets.list() == []
    store.datasets.add(dataset, files())
    assert store.tree.names("datasets/cats/packs") == ["32-heldout.npy", "32.npy", "64.npy"]


@pytest.mark.parametrize(("size_px", "heldout"), [(128, False), (64, True)])
def test_a_missing_size_is_named_with_those_there_are(store, dataset, files, size_px, heldout):
    store.datasets.add(dataset, files())
    with pytest.raises(DatasetError, match="32") as caught:
        store.datasets.pack_path("cats", size_px, heldout)
    assert (caught.value.field, caught.value.value) == ("size_px", size_px)


def test_a_missing_pack_is_a_store_error(store, dataset, files, tmp_path):
    store.datasets.add(dataset, files())
    store.tree.delete("datasets/cats/packs/64.npy")
    with pytest.raises(StoreError, match=r"packs/64\.npy"):
        store.datasets.pack_path("cats", 64, False, tmp_path)


@pytest.mark.parametrize("name", ["dogs", "../models", "", "x" * 300])
def test_an_unknown_dataset_is_named_with_the_known_ones(store, dataset, files, name):
    store.datasets.add(dataset, files())
    for ask in (store.datasets.get, store.datasets.preview, store.datasets.delete):
        with pytest.raises(NotFound) as caught:
            ask(name)
        assert (caught.value.kind, caught.value.known) == ("dataset", ("cats",))
    assert not store.datasets.exists(name)


def test_a_dataset_that_a_job_needs_cannot_be_deleted(store, dataset, files, order):
    store.datasets.add(dataset, files())
    job, _ = store.jobs.create(JobKind.TRAIN, order)
    with pytest.raises(Conflict, match=job.id):
        store.datasets.delete("cats")
    put_job(store, replace(job, status=JobStatus.FAILED))
    store.datasets.delete("cats")


def test_a_deleted_dataset_is_gone_until_its_name_is_used_again(store, dataset, files, tmp_path):
    """Nothing but the mark stays; a new import under the name brings new pictures."""
    store.datasets.add(dataset, files())
    store.datasets.pack_path("cats", 64, False, tmp_path)
    store.datasets.delete("cats")
    assert store.tree.names("datasets/cats") == ["gone.json"]
    assert store.datasets.list() == []
    for ask in (store.datasets.get, store.datasets.delete):
        with pytest.raises(Gone):
            ask("cats")
    store.datasets.add(dataset, files(b"new"))
    assert store.datasets.get("cats") == dataset
    assert store.datasets.pack_path("cats", 64, False, tmp_path).read_bytes().startswith(b"new")


def test_reference_statistics_are_kept_with_the_dataset(store, dataset, files):
    store.datasets.add(dataset, files())
    assert store.datasets.read_reference("cats", "frechet-64.npz") is None
    store.datasets.write_reference("cats", "frechet-64.npz", b"mu")
    assert store.datasets.read_reference("cats", "frechet-64.npz") == b"mu"
    with pytest.raises(InvalidValue):
        store.datasets.write_reference("cats", "../dataset.json", b"x")
    store.datasets.delete("cats")
    with pytest.raises(Gone):
        store.datasets.read_reference("cats", "frechet-64.npz")
