"""The zoo's datasets, and how they come from a folder of pictures or of its parcels."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from models.datasets.tempdir import workplace
from models.errors import CatteryError, DatasetError, NotFound
from models.jobs.dataset_import import import_dataset
from models.store import Store
from tools.zoo.parcels import find_parcels, unpack_parcels
from tools.zoo.table import CAT, CATS, Entry


class NoPictures(CatteryError):
    """Datasets are missing, and nobody said where their pictures are.

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
    """Where a dataset's pictures lie.

    Attributes:
        folders: Parts of the folder of pictures; of several, all that is in it is taken.
        license: What is known of their license.
    """

    folders: tuple[str, ...]
    license: str

    def within(self, pictures: Path) -> Path:
        """Return the folder to import.

        Raises:
            DatasetError: A part is missing.
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
"""The one table of the zoo's datasets."""


def missing_datasets(entries: Iterable[Entry], store: Store) -> list[str]:
    """Return the datasets that entries need and the store has not, each once."""
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
    """Make the zoo's datasets; what they are measured by is computed when first needed.

    Args:
        store: Where they go.
        names: Keys of `SOURCES`.
        pictures: A folder with `cat/` and `afhq/`, or one that `write_parcels` made of it.
        cache: Local folder to work in.
        on_progress: Called with files done and files in all, of each dataset.
        should_stop: Asked before every picture.

    Raises:
        NotFound: The zoo has no such dataset.
        DatasetError: A folder or parcel is missing or damaged.
        InvalidValue, Conflict, ImportStopped, StoreError: As `import_dataset`.
    """
    wanted = {name: _source(name) for name in names}
    with _unpacked(pictures, cache) as folder:
        places = {name: source.within(folder) for name, source in wanted.items()}
        for name, place in places.items():
            import_dataset(
                store,
                name,
                place,
                cache=cache,
                license=wanted[name].license,
                on_progress=on_progress,
                should_stop=should_stop,
                statistics=False,
            )


def _source(name: str) -> Source:
    try:
        return SOURCES[name]
    except KeyError:
        raise NotFound("dataset of the zoo", name, sorted(SOURCES)) from None


@contextmanager
def _unpacked(pictures: Path, cache: Path) -> Iterator[Path]:
    """Yield the folder of pictures itself, or a temporary one with what its parcels hold."""
    parcels = find_parcels(pictures)
    if not parcels:
        yield pictures
        return
    with workplace(cache) as folder:
        unpack_parcels(parcels, folder)
        yield folder
