"""The zoo's datasets, imported from a folder of pictures."""

import shutil

import pytest

from models.errors import DatasetError
from models.jobs.dataset_import import ImportStopped
from tools.zoo.datasets import NoPictures, import_datasets, missing_datasets
from tools.zoo.table import CAT, CATS, EDITIONS


@pytest.fixture
def album(pictures, tmp_path):
    """Return a folder of eight pictures in `cat/` and four in `afhq/`."""
    folder = tmp_path / "album"
    for number, file in enumerate(sorted((pictures / "cats").glob("*.jpg"))[:12]):
        place = folder / ("afhq" if number % 3 == 2 else "cat") / file.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)
    return folder


def test_both_datasets_are_made_with_their_licenses(album, store, tmp_path):
    """`cat` of the one folder, `cats` of both; then nothing is missing."""
    entries = EDITIONS["gpu"]
    assert missing_datasets(entries, store) == [CAT, CATS]
    import_datasets(store, [CAT, CATS], album, cache=tmp_path / "cache")
    assert missing_datasets(entries, store) == []
    cat, cats = store.datasets.get(CAT), store.datasets.get(CATS)
    assert (cat.kept, cats.kept) == (8, 12)
    assert cat.license == "no formal license; cite Zhang, Sun and Tang 2008"
    assert cats.license == (
        "AFHQ cats: CC BY-NC 4.0 (Choi et al. 2020); "
        "CAT: no formal license, cite Zhang, Sun and Tang 2008"
    )


def test_a_missing_folder_or_a_stop_leaves_no_dataset(album, store, tmp_path):
    """Pictures of one set only are not taken for both."""
    shutil.rmtree(album / "afhq")
    with pytest.raises(DatasetError, match=r"album'.*a folder that holds cat/ and afhq/"):
        import_datasets(store, [CAT, CATS], album, cache=tmp_path / "cache")
    with pytest.raises(DatasetError, match="a folder that holds cat/"):
        import_datasets(store, [CAT], tmp_path / "nowhere", cache=tmp_path / "cache")
    with pytest.raises(ImportStopped):
        import_datasets(store, [CAT], album, cache=tmp_path / "cache", should_stop=lambda: True)
    assert store.datasets.list() == []


def test_missing_datasets_are_told_with_the_remedy():
    assert str(NoPictures([CAT, CATS])) == (
        "The store lacks the dataset 'cat' and 'cats'. "
        "Name the folder that holds cat/ and afhq/ with --pictures."
    )
