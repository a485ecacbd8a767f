"""Walks as files, read back by Pillow."""

from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from models.images.animations import ANIMATIONS, FRAME_MS, HELD_MS, AnimationFormat

TEXT = {"Software": "Cattery", "Cattery-Model": "dcgan", "Cattery-From": "3"}


def _frames(count: int = 5, size_px: int = 64) -> NDArray[np.uint8]:
    """Return frames of soft colors that wander: (N, H, W, 3) uint8."""
    y, x = np.mgrid[:size_px, :size_px] / size_px
    waves = [np.stack([x, y, (x + y) / 2], -1) * 150 + 12 * step for step in range(count)]
    return np.stack(waves).astype(np.uint8)


def _decoded(file: bytes) -> tuple[NDArray[np.uint8], list[int]]:
    """Return the pixels of all frames and how long each is shown, milliseconds."""
    with Image.open(BytesIO(file)) as picture:
        shown = [
            (np.asarray(frame.convert("RGB")), int(frame.info["duration"]))
            for frame in ImageSequence.Iterator(picture)
        ]
    return np.stack([pixels for pixels, _ in shown]), [duration for _, duration in shown]


def test_every_format_has_its_row():
    assert list(ANIMATIONS) == list(AnimationFormat)
    assert {"image/webp", "image/apng", "image/gif"} == {a.media_type for a in ANIMATIONS.values()}
    assert len({animation.encoder for animation in ANIMATIONS.values()}) == len(ANIMATIONS)


@pytest.mark.parametrize("name", ANIMATIONS)
def test_a_file_plays_all_frames_rests_at_both_ends_and_says_where_it_came_from(name):
    file = ANIMATIONS[name].encode(_frames(), TEXT)
    pixels, durations = _decoded(file)
    assert pixels.shape == (5, 64, 64, 3)
    assert durations == [HELD_MS, FRAME_MS, FRAME_MS, FRAME_MS, HELD_MS]
    with Image.open(BytesIO(file)) as picture:
        assert picture.info["loop"] == 0
        told = [*picture.info.items(), *picture.getexif().values(), picture.info.get("comment")]
    assert "dcgan" in str(told)
    assert "Cattery-From" in str(told)


@pytest.mark.parametrize(("name", "levels"), [("apng", 0.0), ("gif", 4.0), ("webp", 4.0)])
def test_pixels_come_back_as_near_as_the_format_allows(name, levels):
    """Exactly in an APNG, within a few gray levels on average elsewhere."""
    frames = _frames()
    pixels, _ = _decoded(ANIMATIONS[name].encode(frames, TEXT))
    assert np.abs(pixels.astype(float) - frames).mean((1, 2, 3)).max() <= levels


@pytest.mark.parametrize("name", ANIMATIONS)
def test_equal_pixels_are_equal_bytes_and_others_are_not(name):
    """An entity tag relies on it."""
    encode = ANIMATIONS[name].encode
    file = encode(_frames(), TEXT)
    assert encode(_frames(), dict(TEXT)) == file
    assert encode(_frames()[::-1], TEXT) != file
    assert encode(_frames(), {**TEXT, "Cattery-From": "4"}) != file


@pytest.mark.parametrize("name", ANIMATIONS)
def test_a_slow_walk_loses_no_step(name):
    """Frames that differ by one gray level are frames of their own."""
    frames = np.repeat(_frames(1), 6, axis=0) + np.arange(6, dtype=np.uint8)[:, None, None, None]
    pixels, durations = _decoded(ANIMATIONS[name].encode(frames, TEXT))
    assert len(pixels) == 6
    assert durations == [HELD_MS, *[FRAME_MS] * 4, HELD_MS]
    still = np.repeat(_frames(1), 4, axis=0)  # from a seed to itself: some formats keep it once
    with Image.open(BytesIO(ANIMATIONS[name].encode(still, TEXT))) as picture:
        assert np.abs(np.asarray(picture.convert("RGB")) - still[0].astype(float)).mean() <= 4.0


def test_a_webp_file_is_built_as_its_specification_says():
    """Chunks of even length in order, the size that RIFF tells, and sides that are no squares."""
    frames = _frames(3)[:, :, :63]
    file = ANIMATIONS["webp"].encode(frames, {"Odd": "odd"})
    assert (file[:4], file[8:12]) == (b"RIFF", b"WEBP")
    assert int.from_bytes(file[4:8], "little") == len(file) - 8
    names, at = [], 12
    while at < len(file):
        names.append(file[at : at + 4])
        length = int.from_bytes(file[at + 4 : at + 8], "little")
        at += 8 + length + length % 2
    assert names == [b"VP8X", b"ANIM", b"ANMF", b"ANMF", b"ANMF", b"EXIF"]
    with Image.open(BytesIO(file)) as picture:
        assert picture.size == (63, 64)
