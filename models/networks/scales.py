"""The resolutions between 4 px and an image's own, and which sizes networks can have."""

from models.errors import RecipeError

MIN_SIZE_PX = 32
MAX_SIZE_PX = 512


def scales(size_px: int) -> list[int]:
    """Return the resolutions 4, 8, ..., `size_px`.

    Raises:
        RecipeError: The size is not a power of two from 32 to 512.
    """
    return [1 << power for power in range(2, check_size(size_px).bit_length())]


def check_size(size_px: int) -> int:
    """Return the size if the networks can have it.

    Raises:
        RecipeError: It is not a power of two from 32 to 512.
    """
    is_power = size_px > 0 and size_px & (size_px - 1) == 0
    if not is_power or not MIN_SIZE_PX <= size_px <= MAX_SIZE_PX:
        allowed = f"a power of two from {MIN_SIZE_PX} to {MAX_SIZE_PX}"
        raise RecipeError("size_px", size_px, allowed)
    return size_px
