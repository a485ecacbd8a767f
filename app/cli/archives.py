"""A version on its way between machines: a zip or a folder of weights and card."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from models.errors import CheckpointError, Conflict
from models.store.records import Card
from models.store.serialization import dumps, loads

WEIGHTS = "generator.safetensors"
CARD = "card.json"
LARGEST_BYTES = 4 << 30


def write_parcel(target: Path, weights: bytes, card: Card) -> None:
    """Write a zip if the target ends in .zip, else a folder; all of it or nothing.

    Args:
        target: Must not exist yet.
        weights: The safetensors file.
        card: Its card.

    Raises:
        Conflict: The target exists.
        OSError: It cannot be written.
    """
    if target.exists():
        raise Conflict(f"{target} exists already.", "Remove it first, or name another target.")
    files = {WEIGHTS: weights, CARD: dumps(card)}
    part = target.with_name(f".{target.name}.part")
    if target.suffix.lower() == ".zip":
        part.write_bytes(_zipped(files))
    else:
        part.mkdir()
        for name, data in files.items():
            (part / name).write_bytes(data)
    part.rename(target)


def read_parcel(source: Path) -> tuple[bytes, Card | None]:
    """Read what `write_parcel` wrote, or a weights file alone.

    Raises:
        CheckpointError: There are no weights in it, or the card is damaged.
        OSError: It cannot be read.
    """
    if source.is_dir():
        files = {n: (source / n).read_bytes() for n in (WEIGHTS, CARD) if (source / n).is_file()}
    elif source.suffix.lower() == ".zip":
        files = _unzipped(source)
    else:
        files = {WEIGHTS: source.read_bytes()}
    if WEIGHTS not in files:
        raise CheckpointError(f"{source} holds no {WEIGHTS}.", "Name what `models export` wrote.")
    return files[WEIGHTS], loads(Card, files[CARD]) if CARD in files else None


def _zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as parcel:
        for name, data in files.items():
            parcel.writestr(name, data)
    return buffer.getvalue()


def _unzipped(source: Path) -> dict[str, bytes]:
    """Read the two files by name; nothing else in the zip is looked at or unpacked."""
    try:
        with zipfile.ZipFile(source) as parcel:
            entries = [e for e in parcel.infolist() if e.filename in (WEIGHTS, CARD)]
            if sum(e.file_size for e in entries) > LARGEST_BYTES:
                raise CheckpointError(f"{source} unpacks to more than {LARGEST_BYTES} bytes.")
            return {e.filename: parcel.read(e) for e in entries}
    except zipfile.BadZipFile as err:
        raise CheckpointError(f"{source} is no readable zip: {err}.") from err
