"""The sides that images pass through between 4 px and their own size."""

from models.errors import RecipeError

SMALLEST_PX = 32
LARGEST_PX = 512


def scales(size_px: int) -> list[int]:
    """Return the sides 4, 8, ..., `size_px`.

    Raises:
        RecipeError: The size is not a power of two from 32 to 512.
    """
    is_power = size_px > 0 and size_px & (size_px - 1) == 0
    if not is_power or not SMALLEST_PX <= size_px <= LARGEST_PX:
        allowed = f"a power of two from {SMALLEST_PX} to {LARGEST_PX}"
        raise RecipeError("size_px", size_px, allowed)
    return [1 << power for power in range(2, size_px.bit_length())]
