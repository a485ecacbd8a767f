"""The zoo's datasets, from a folder of pictures and from its parcels."""

import shutil
from pathlib import Path

import pytest

from models.errors import DatasetError, NotFound
from models.jobs.dataset_import import ImportStopped
from models.store import Store
from tools.zoo.parcels import write_parcels
from tools.zoo.pictures import SOURCES, NoPictures, import_datasets, missing_datasets
from tools.zoo.table import CAT, CATS, EDITIONS


@pytest.fixture
def album(pictures: Path, tmp_path: Path) -> Path:
    """Return a folder of eight pictures in `cat/` and four in `afhq/`."""
    folder = tmp_path / "album"
    for number, file in enumerate(sorted((pictures / "cats").glob("*.jpg"))[:12]):
        place = folder / ("afhq" if number % 3 == 2 else "cat") / file.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)
    return folder


def test_both_datasets_are_made_with_their_licenses(
    album: Path, store: Store, tmp_path: Path
) -> None:
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


def test_parcels_make_the_same_dataset_as_the_pictures(
    album: Path, store: Store, tmp_path: Path
) -> None:
    """By fingerprint; nothing of what was unpacked is left."""
    write_parcels(album, tmp_path / "parcels", limit_bytes=12_000)
    told: list[tuple[int, int]] = []
    import_datasets(
        store,
        [CAT],
        tmp_path / "parcels",
        cache=tmp_path / "cache",
        on_progress=lambda done, total: told.append((done, total)),
    )
    other = Store.open(str(tmp_path / "other"))
    import_datasets(other, [CAT], album, cache=tmp_path / "cache")
    assert store.datasets.get(CAT).fingerprint == other.datasets.get(CAT).fingerprint
    assert told[-1] == (8, 8)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [".imports.lock"]


def test_a_missing_folder_is_told_before_anything_is_made(
    album: Path, store: Store, tmp_path: Path
) -> None:
    """Pictures of one set only are not taken for both."""
    shutil.rmtree(album / "afhq")
    with pytest.raises(DatasetError, match=r"album'.*a folder that holds cat/ and afhq/"):
        import_datasets(store, [CAT, CATS], album, cache=tmp_path / "cache")
    with pytest.raises(DatasetError, match="a folder that holds cat/"):
        import_datasets(store, [CAT], tmp_path / "nowhere", cache=tmp_path / "cache")
    assert store.datasets.list() == []


def test_a_dataset_that_is_not_the_zoo_s_is_refused(
    album: Path, store: Store, tmp_path: Path
) -> None:
    """Where its pictures would lie nobody has said."""
    with pytest.raises(NotFound, match=f"'dogs'. Known: {', '.join(sorted(SOURCES))}"):
        import_datasets(store, ["dogs"], album, cache=tmp_path / "cache")


def test_a_stop_ends_the_import(album: Path, store: Store, tmp_path: Path) -> None:
    """And leaves no dataset."""
    with pytest.raises(ImportStopped):
        import_datasets(store, [CAT], album, cache=tmp_path / "cache", should_stop=lambda: True)
    assert store.datasets.list() == []


def test_missing_datasets_are_told_with_the_remedy() -> None:
    """All of them in one sentence."""
    assert str(NoPictures([CAT, CATS])) == (
        "The store lacks the dataset 'cat' and 'cats'. "
        "Name the folder that holds cat/ and afhq/ with --pictures."
    )
