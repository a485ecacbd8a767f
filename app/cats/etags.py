"""Strong entity tags, known without rendering.

An answer's bytes follow from the version, the seeds and their variation, the engine, the
encoder and the way the pictures are wrapped; a tag is a digest of exactly these. Where the
store keeps first renderings, those follow from version, seed, variation and format alone.
"""

import hashlib
import json

from app.cats.renderer import RELEASE
from app.inference.slot import Slot


def etag_of(slot: Slot, *parts: object) -> str:
    """Return the tag of what a slot renders.

    Args:
        slot: The version and its engine.
        parts: What else the bytes follow from: seeds, format, columns, ...

    Returns:
        A strong tag, quotes included.
    """
    return _tag(slot, slot.engine.name, RELEASE, *parts)


def kept_etag_of(slot: Slot, *parts: object) -> str:
    """Return the tag of what the store keeps since it was first rendered, by whatever engine.

    Args:
        slot: The version.
        parts: What else the bytes follow from: seeds, format, ...

    Returns:
        A strong tag, quotes included.
    """
    return _tag(slot, "kept", *parts)


def _tag(slot: Slot, *parts: object) -> str:
    facts = [slot.model, slot.card.sha256, *map(str, parts)]
    return f'"{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]}"'
