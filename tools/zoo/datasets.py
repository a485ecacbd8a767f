"""The zoo's datasets, and the import of those that are missing."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from models.errors import CatteryError, DatasetError
from models.jobs.dataset_import import import_dataset
from models.store import Store
from tools.zoo.table import CAT, CATS, Entry


class NoPictures(CatteryError):
    """Datasets are missing, and no folder of pictures was given.

    Args:
        names: The datasets.
    """

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(
            f"The store lacks the dataset {' and '.join(map(repr, names))}.",
            "Name the folder that holds cat/ and afhq/ with --pictures.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a dataset's pictures are.

    Attributes:
        folders: Subfolders that must exist; with several, the whole folder is imported.
        license: License of the pictures, as far as it is known.
    """

    folders: tuple[str, ...]
    license: str

    def within(self, pictures: Path) -> Path:
        """Return the folder to import.

        Raises:
            DatasetError: A subfolder is missing.
        """
        for name in self.folders:
            if not (pictures / name).is_dir():
                allowed = f"a folder that holds {' and '.join(f'{n}/' for n in self.folders)}"
                raise DatasetError("pictures", str(pictures), allowed)
        return pictures / self.folders[0] if len(self.folders) == 1 else pictures


SOURCES: Mapping[str, Source] = {
    CAT: Source(folders=("cat",), license="no formal license; cite Zhang, Sun and Tang 2008"),
    CATS: Source(
        folders=("cat", "afhq"),
        license="AFHQ cats: CC BY-NC 4.0 (Choi et al. 2020); "
        "CAT: no formal license, cite Zhang, Sun and Tang 2008",
    ),
}


def missing_datasets(entries: Iterable[Entry], store: Store) -> list[str]:
    """Return the datasets that entries need and the store lacks, without repeats."""
    needed = dict.fromkeys(entry.dataset for entry in entries)
    return [name for name in needed if not store.datasets.exists(name)]


def import_datasets(
    store: Store,
    names: Iterable[str],
    pictures: Path,
    *,
    cache: Path,
    on_progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> None:
    """Import datasets of the zoo; their metric statistics are computed when first needed.

    Args:
        store: Destination.
        names: Keys of `SOURCES`.
        pictures: A folder with `cat/` and `afhq/`.
        cache: Local working folder.
        on_progress: Called with files done and files in total, for each dataset.
        should_stop: Polled before every picture.

    Raises:
        DatasetError: A folder is missing.
        InvalidValue, Conflict, ImportStopped, StoreError: As `import_dataset`.
    """
    # Every folder is checked before the first import, which takes minutes.
    places = {name: SOURCES[name].within(pictures) for name in names}
    for name, place in places.items():
        import_dataset(
            store,
            name,
            place,
            cache=cache,
            license=SOURCES[name].license,
            on_progress=on_progress,
            should_stop=should_stop,
            statistics=False,
        )
