"""Packs: `.npy` files of images that grow row by row, in flat memory."""

from dataclasses import dataclass
from io import SEEK_END, BytesIO
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Place:
    """Where an image is in the packs.

    Attributes:
        is_heldout: In which packs.
        rows: Its row by resolution, counting rows that were dropped.
    """

    is_heldout: bool
    rows: dict[int, int]


class PackWriter:
    """Writes one `.npy` file of uint8 (N, H, W, 3), C order, N unknown until the end.

    NumPy's header reserves room for a longer N, so it is written for no rows and overwritten
    once they are counted.
    """

    def __init__(self, path: Path, size_px: int) -> None:
        self._size_px = size_px
        self._appended = 0
        self._dropped: set[int] = set()
        self._file: BinaryIO = path.open("x+b")
        self._start = self._file.write(self._header())

    @property
    def rows(self) -> int:
        """How many images it has, those dropped not counted."""
        return self._appended - len(self._dropped)

    def append(self, image: NDArray[np.uint8]) -> int:
        """Add one image, uint8 (H, W, 3), and return its row; ValueError for another shape."""
        if image.dtype != np.uint8 or image.shape != (self._size_px, self._size_px, 3):
            found = f"{image.dtype} {image.shape}"
            raise ValueError(f"A row of this pack is uint8, {self._size_px} px; this is {found}.")
        self._file.write(image.tobytes())
        self._appended += 1
        return self._appended - 1

    def read(self, row: int) -> NDArray[np.uint8]:
        """Return an image that was appended."""
        shape = (self._size_px, self._size_px, 3)
        length = 3 * self._size_px**2
        self._file.seek(self._start + row * length)
        image = np.frombuffer(self._file.read(length), np.uint8).reshape(shape)
        self._file.seek(0, SEEK_END)
        return image

    def drop(self, row: int) -> None:
        """Leave an image out again."""
        self._dropped.add(row)

    def close(self) -> None:
        """Close the gaps, write the final header and close the file."""
        if self._dropped:
            self._close_gaps()
        self._file.seek(0)
        self._file.write(self._header())
        self._file.close()

    def abandon(self) -> None:
        """Close the file as it is, without its final header."""
        self._file.close()

    def _close_gaps(self) -> None:
        """Move rows down over those dropped, one at a time: packs may be larger than memory."""
        length = 3 * self._size_px**2
        target = min(self._dropped)
        for row in range(target, self._appended):
            if row not in self._dropped:
                self._file.seek(self._start + row * length)
                image = self._file.read(length)
                self._file.seek(self._start + target * length)
                self._file.write(image)
                target += 1
        self._file.truncate(self._start + target * length)

    def _header(self) -> bytes:
        shape = (self.rows, self._size_px, self._size_px, 3)
        header = BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "|u1", "fortran_order": False, "shape": shape}
        )
        return header.getvalue()


class Packs:
    """The packs of one dataset in a folder: `{px}.npy` and `{px}-heldout.npy`.

    A file is created with its first image, and deleted if all were dropped, so none is empty.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[tuple[int, bool], PackWriter] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for key, writer in list(self._writers.items()):
            if kind is not None:
                writer.abandon()
                continue
            writer.close()
            if not writer.rows:
                (self._folder / pack_name(*key)).unlink()
                del self._writers[key]

    def append(self, rows: dict[int, NDArray[np.uint8]], *, is_heldout: bool) -> Place:
        """Add one image at all of its sizes."""
        places = {}
        for size_px, row in rows.items():
            key = (size_px, is_heldout)
            if key not in self._writers:
                self._writers[key] = PackWriter(self._folder / pack_name(*key), size_px)
            places[size_px] = self._writers[key].append(row)
        return Place(is_heldout, places)

    def read(self, place: Place, size_px: int) -> NDArray[np.uint8]:
        """Return an image at one of its sizes, uint8 (H, W, 3)."""
        return self._writers[size_px, place.is_heldout].read(place.rows[size_px])

    def drop(self, place: Place) -> None:
        """Leave an image out again, at all of its sizes."""
        for size_px, row in place.rows.items():
            self._writers[size_px, place.is_heldout].drop(row)

    def counts(self, *, is_heldout: bool) -> dict[str, int]:
        """Return the number of images by resolution."""
        keys = sorted(key for key in self._writers if key[1] == is_heldout)
        return {str(px): self._writers[px, is_heldout].rows for px, _ in keys}

    def files(self) -> list[str]:
        """Return the names of the files written."""
        return [pack_name(*key) for key in sorted(self._writers)]


def pack_name(size_px: int, is_heldout: bool) -> str:
    """Return the file name of a pack."""
    return f"{size_px}-heldout.npy" if is_heldout else f"{size_px}.npy"
