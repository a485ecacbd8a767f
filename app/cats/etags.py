"""Strong entity tags, known without rendering.

The version, the seeds and their variation, the engine, the encoder and the response's format
determine the bytes of a response; a tag is a digest of exactly these. For first renderings that
the store keeps, version, seed, variation and format alone determine them.
"""

import hashlib
from json.encoder import encode_basestring_ascii

from app.cats.renderer import RELEASE
from app.inference.slot import Slot


def etag_of(slot: Slot, *parts: object, is_kept: bool = False) -> str:
    """Return the strong tag of a rendering, quotes included.

    Args:
        slot: The version and its engine.
        parts: What else determines the bytes: seeds, format, columns, ...
        is_kept: Whether it is a first rendering that the store keeps.
    """
    # Other engines and releases render other bytes; a kept file outlives all of them.
    made_by = ("kept",) if is_kept else (slot.engine.name, RELEASE)
    facts = [slot.model, slot.card.sha256, *map(str, (*made_by, *parts))]
    # A JSON list, without the encoder that json.dumps would construct for each.
    text = f"[{', '.join(map(encode_basestring_ascii, facts))}]"
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
