import pytest

from models.errors import RecipeError
from models.networks.scales import scales


def test_sides_double_from_four_to_the_pictures():
    assert scales(32) == [4, 8, 16, 32]
    assert scales(512) == [4, 8, 16, 32, 64, 128, 256, 512]


@pytest.mark.parametrize("size_px", [-32, 0, 16, 48, 1024])
def test_a_side_that_is_no_power_of_two_in_range_is_refused(size_px):
    with pytest.raises(RecipeError, match="power of two from 32 to 512") as caught:
        scales(size_px)
    assert (caught.value.field, caught.value.value) == ("size_px", size_px)
