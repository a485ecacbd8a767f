"""An exported version: a zip or a folder of weights and card."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from models.errors import CheckpointError, Conflict, StoreError
from models.store.records import Card
from models.store.serialization import dumps, loads

WEIGHTS = "generator.safetensors"
CARD = "card.json"
LARGEST_BYTES = 4 << 30


def write_export(target: Path, weights: bytes, card: Card) -> None:
    """Write a zip if the target ends in .zip, else a folder.

    Args:
        target: File or folder to create.
        weights: The safetensors file.
        card: Its card.

    Raises:
        Conflict: The target exists.
        OSError: It cannot be written.
    """
    if target.exists():
        raise Conflict(f"{target} already exists.", "Remove it first, or choose another target.")
    files = {WEIGHTS: weights, CARD: dumps(card)}
    # Renamed when complete: an interrupted export must not look like a whole one.
    part = target.with_name(f".{target.name}.part")
    if target.suffix.lower() == ".zip":
        part.write_bytes(_zipped(files))
    else:
        part.mkdir()
        for name, data in files.items():
            (part / name).write_bytes(data)
    part.rename(target)


def read_export(source: Path) -> tuple[bytes, Card | None]:
    """Read what `write_export` wrote, or a weights file alone.

    Raises:
        CheckpointError: It has no weights, or the card is damaged.
        OSError: It cannot be read.
    """
    if source.is_dir():
        files = {n: (source / n).read_bytes() for n in (WEIGHTS, CARD) if (source / n).is_file()}
    elif source.suffix.lower() == ".zip":
        files = _unzipped(source)
    else:
        files = {WEIGHTS: source.read_bytes()}
    if WEIGHTS not in files:
        raise CheckpointError(
            f"{source} has no {WEIGHTS}.", "Choose an export of `cattery models export`."
        )
    try:
        return files[WEIGHTS], loads(Card, files[CARD]) if CARD in files else None
    except StoreError as err:
        raise CheckpointError(f"{CARD} of {source}: {err}", "Export the version again.") from err


def _zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def _unzipped(source: Path) -> dict[str, bytes]:
    """Return the two files of a zip, by name."""
    try:
        with zipfile.ZipFile(source) as archive:
            # By name alone: no other member is unpacked, and no path in the zip is followed.
            entries = [e for e in archive.infolist() if e.filename in (WEIGHTS, CARD)]
            # Before reading: a few kilobytes can unpack to all of the memory.
            if sum(e.file_size for e in entries) > LARGEST_BYTES:
                raise CheckpointError(f"{source} unpacks to more than {LARGEST_BYTES} bytes.")
            return {e.filename: archive.read(e) for e in entries}
    except zipfile.BadZipFile as err:
        raise CheckpointError(f"{source} is not a readable zip: {err}.") from err
