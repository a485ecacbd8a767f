"""Differentiable augmentation of everything a discriminator sees, real and generated.

A discriminator that never sees the same image twice cannot memorize a small dataset, and a
generator learns through the augmentations.

Source: Zhao et al. 2020, arXiv:2006.10738 (DiffAugment).
"""

import torch
from torch import Tensor

SHIFT_SHARE = 0.125  # greatest shift, as a share of the image's size
CUTOUT_SHARE = 0.5  # size of the square that is cut out, likewise


def augment(images: Tensor, strength: float) -> Tensor:
    """Change colors, shift, and cut out a square, each at random per image.

    Always draws as many random numbers and never branches on a tensor, so that a CUDA graph
    can capture it.

    Args:
        images: (N, 3, H, H) float32 or bf16 in [-1, 1].
        strength: Probability of each of the three, from 0 (none) to 1 (as in the paper).

    Returns:
        (N, 3, H, H) of the same type; colors may leave [-1, 1].
    """
    if strength == 0:
        return images
    return shift_and_cut(change_colors(images, strength), strength)


def change_colors(images: Tensor, strength: float) -> Tensor:
    """Jitter brightness by up to 0.5, saturation from 0 to 2 and contrast from 0.5 to 1.5."""
    brightness, saturation, contrast = _rand(images, 3).unbind(1)
    coins = _coins(images, strength)
    offset = coins * (brightness - 0.5)
    keep_color = 1 + coins * (2 * saturation - 1)
    keep_contrast = 1 + coins * (contrast - 0.5)
    return recolor(images, offset, keep_color, keep_contrast)


def recolor(images: Tensor, offset: Tensor, saturation: Tensor, contrast: Tensor) -> Tensor:
    """Change brightness, then saturation, then contrast.

    Args:
        images: (N, 3, H, W).
        offset: (N,), added to all values.
        saturation: (N,), scales the distance from gray.
        contrast: (N,), scales the distance from the image's mean.

    Returns:
        (N, 3, H, W) of the images' type.
    """
    offset, saturation, contrast = (
        x.to(images.dtype)[:, None, None, None] for x in (offset, saturation, contrast)
    )
    bright = images + offset
    gray = bright.mean(1, keepdim=True)
    colored = torch.lerp(gray.expand_as(bright), bright, saturation)
    mean = colored.mean((1, 2, 3), keepdim=True)
    return torch.lerp(mean.expand_as(colored), colored, contrast)


def shift_and_cut(images: Tensor, strength: float) -> Tensor:
    """Shift (N, 3, H, H) by up to H / 8 pixels and cut out a square of H / 2; both leave zeros."""
    side = images.shape[2]
    farthest = int(side * SHIFT_SHARE + 0.5)
    square = int(side * CUTOUT_SHARE + 0.5)
    shifts = _randint(images, -farthest, farthest + 1)
    shifts = shifts * _coins(images, strength)[:, None].long()
    # As in the paper, the center lies within the image, so the square may reach beyond it.
    corners = _randint(images, 0, side + 1 - square % 2) - square // 2
    sides = square * _coins(images, strength).long()
    kept = ~_within_squares(images, corners, sides)
    return translate(images, shifts) * kept[:, None].to(images.dtype)


def translate(images: Tensor, shifts: Tensor) -> Tensor:
    """Shift (N, C, H, H) by (N, 2) int64 pixels down and right, filling with zeros."""
    count, channels, side, _ = images.shape
    # One gather, since a loop over images or a slice per shift would wait for the GPU.
    sources = torch.arange(side, device=images.device) - shifts[:, :, None]
    down, right = sources.clamp(0, side - 1).unbind(1)
    index = (down[:, :, None] * side + right[:, None, :]).view(count, 1, side * side)
    inside = (sources >= 0) & (sources < side)
    filled = inside[:, 0, :, None] & inside[:, 1, None, :]
    moved = images.flatten(2).gather(2, index.expand(-1, channels, -1))
    return moved.view_as(images) * filled[:, None].to(images.dtype)


def _within_squares(images: Tensor, corners: Tensor, sides: Tensor) -> Tensor:
    """Return (N, H, H) bool: inside an image's square, which may be empty."""
    places = torch.arange(images.shape[2], device=images.device)
    past = places - corners[:, :, None]
    within = (past >= 0) & (past < sides[:, None, None])
    return within[:, 0, :, None] & within[:, 1, None, :]


def _rand(images: Tensor, count: int) -> Tensor:
    """Return (N, count) float32, uniform in [0, 1)."""
    return torch.rand(len(images), count, device=images.device)


def _randint(images: Tensor, low: int, high: int) -> Tensor:
    """Return (N, 2) int64, uniform from `low` to `high` - 1."""
    return torch.randint(low, high, (len(images), 2), device=images.device)


def _coins(images: Tensor, strength: float) -> Tensor:
    """Return (N,) float32: one with probability `strength`, else zero."""
    return (_rand(images, 1)[:, 0] < strength).float()
