"""Walks as files: the one table of animated formats."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, PngImagePlugin, features

FRAME_MS = 50
HELD_MS = 600  # of the first and the last frame: the seeds that the walk is between
# Lower settings blur the eyes of a 64 px cat: lossy WebP stores color at half resolution.
WEBP_QUALITY = 90
WEBP_METHOD = 2  # the default, 4, takes sixty percent longer for one percent fewer bytes
WEBP_HEADER_BYTES = 12
EXIF_MARK = b"Exif\0\0"  # belongs to JPEG's segments only
WEBP_ANIMATED, WEBP_EXIF = 1 << 1, 1 << 3
WEBP_REPLACES = 1 << 1  # a frame covers what was there before it instead of being blended with it


class AnimationFormat(StrEnum):
    """Formats of a walk; also the extension of its file."""

    WEBP = "webp"
    APNG = "apng"
    GIF = "gif"


@dataclass(frozen=True, slots=True, kw_only=True)
class Animation:
    """One animated format.

    Attributes:
        media_type: As HTTP names it.
        encoder: Name of the encoder and its settings; part of every ETag.
        encode: (N, H, W, 3) uint8, N at least 2, and provenance to a file that plays
            endlessly; equal pixels and text give equal bytes.
    """

    media_type: str
    encoder: str
    encode: Callable[[NDArray[np.uint8], Mapping[str, str]], bytes]


def _webp(pixels: NDArray[np.uint8], text: Mapping[str, str]) -> bytes:
    """Encode lossily; the provenance is EXIF's image description.

    Every frame is encoded by itself: libwebp's animation encoder drops changes of a few gray
    levels, and a slow walk would stutter.

    Source: RFC 9649, section 2 (the container).
    """
    frames = [Image.fromarray(frame) for frame in pixels]
    return _animated(frames, _durations(len(frames)), text)


def film(frames: Sequence[Image.Image], frame_ms: int) -> bytes:
    """Return images of one size as an endless WebP, the last one held a little.

    Args:
        frames: RGB, at least one.
        frame_ms: How long each is shown, milliseconds.
    """
    return _animated(frames, [*[frame_ms] * (len(frames) - 1), 4 * frame_ms], {})


def _animated(
    frames: Sequence[Image.Image], durations_ms: Sequence[int], text: Mapping[str, str]
) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = _lines(text)
    width, height = frames[0].size
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunks = [
        _chunk(b"VP8X", bytes([WEBP_ANIMATED | WEBP_EXIF, 0, 0, 0]) + sides),
        _chunk(b"ANIM", bytes(6)),  # transparent background, endless
    ]
    for frame, duration_ms in zip(frames, durations_ms, strict=True):
        file = BytesIO()
        frame.save(file, "WEBP", quality=WEBP_QUALITY, method=WEBP_METHOD)
        place = bytes(6) + sides + duration_ms.to_bytes(3, "little") + bytes([WEBP_REPLACES])
        chunks.append(_chunk(b"ANMF", place + file.getvalue()[WEBP_HEADER_BYTES:]))
    chunks.append(_chunk(b"EXIF", exif.tobytes().removeprefix(EXIF_MARK)))
    return _chunk(b"RIFF", b"WEBP" + b"".join(chunks))


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + len(content).to_bytes(4, "little") + content + bytes(len(content) % 2)


def _apng(pixels: NDArray[np.uint8], text: Mapping[str, str]) -> bytes:
    """Encode losslessly; the provenance is in text chunks."""
    chunks = PngImagePlugin.PngInfo()
    for key, value in text.items():
        chunks.add_text(key, value)
    frames = [Image.fromarray(frame) for frame in pixels]
    return _saved(frames, "PNG", pnginfo=chunks, compress_level=1)


def _gif(pixels: NDArray[np.uint8], text: Mapping[str, str]) -> bytes:
    """Encode with 256 colors per frame; the provenance is a comment."""
    # Pillow's default, the median cut, takes a hundred times as long at 256 px.
    octree = Image.Quantize.FASTOCTREE
    frames = [Image.fromarray(frame).quantize(256, method=octree) for frame in pixels]
    return _saved(frames, "GIF", comment=_lines(text).encode())


def _saved(frames: Sequence[Image.Image], kind: str, **options: Any) -> bytes:
    out = BytesIO()
    frames[0].save(
        out,
        kind,
        save_all=True,
        append_images=frames[1:],
        duration=_durations(len(frames)),
        loop=0,
        **options,
    )
    return out.getvalue()


def _durations(count: int) -> list[int]:
    """Return how long each frame is shown, milliseconds."""
    return [HELD_MS, *[FRAME_MS] * (count - 2), HELD_MS]


def _lines(text: Mapping[str, str]) -> str:
    return "\n".join(f"{key}: {value}" for key, value in text.items())


WEBP_ENCODER = f"webp-1, libwebp {features.version('webp')}, {WEBP_QUALITY}, {WEBP_METHOD}"

ANIMATIONS: Mapping[str, Animation] = {
    AnimationFormat.WEBP: Animation(
        media_type="image/webp",
        encoder=WEBP_ENCODER,
        encode=_webp,
    ),
    AnimationFormat.APNG: Animation(media_type="image/apng", encoder="pillow-apng-1", encode=_apng),
    AnimationFormat.GIF: Animation(media_type="image/gif", encoder="pillow-gif-1", encode=_gif),
}
