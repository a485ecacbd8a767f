"""Strong entity tags, known without rendering.

The bytes of a response are determined by the version, the seeds and their variation, the engine,
the encoder and the response's format; a tag is a digest of exactly these. First renderings that
the store keeps are determined by version, seed, variation and format alone.
"""

import hashlib
import json

from app.cats.renderer import RELEASE
from app.inference.slot import Slot


def etag_of(slot: Slot, *parts: object) -> str:
    """Return the tag of a rendering.

    Args:
        slot: The version and its engine.
        parts: What else determines the bytes: seeds, format, columns, ...

    Returns:
        A strong tag, quotes included.
    """
    return _tag(slot, slot.engine.name, RELEASE, *parts)


def kept_etag_of(slot: Slot, *parts: object) -> str:
    """Return the tag of a first rendering in the store, whichever engine made it.

    Args:
        slot: The version.
        parts: What else determines the bytes: seeds, format, ...

    Returns:
        A strong tag, quotes included.
    """
    return _tag(slot, "kept", *parts)


def _tag(slot: Slot, *parts: object) -> str:
    facts = [slot.model, slot.card.sha256, *map(str, parts)]
    return f'"{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]}"'
