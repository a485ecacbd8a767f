import pytest

from models.errors import NotFound, RecipeError
from models.recipes import LIMITS, RECIPES, Settings, check_size, recipe


def test_dcgan_has_the_original_s_settings() -> None:
    """The 2017 script's numbers; the average and mirroring are ours."""
    settings = recipe("dcgan").settings
    assert (settings.width, settings.z_dim, settings.batch) == (128, 100, 64)
    assert (settings.lr_generator, settings.lr_discriminator) == (2e-4, 5e-5)
    assert (settings.beta1, settings.beta2) == (0.5, 0.999)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_keeps_its_own_limits_and_describes_itself(name: str) -> None:
    """Its defaults pass its own check, and each number is described."""
    row = recipe(name)
    defaults = row.describe()["defaults"]
    assert row.with_overrides(defaults) == row.settings
    assert set(row.describe()["limits"]) == set(Settings.__dataclass_fields__) == set(LIMITS)
    assert "arXiv" in row.source


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"lr_generator": float("nan")}, "finite"),
        ({"lr_generator": 1.0}, "1e-07 to 0.1"),
        ({"width": 3}, "4 to 256"),
        ({"width": 64.5}, "whole"),
        ({"width": True}, "finite number"),
        ({"mirror": 1}, "true or false"),
        ({"widht": 64}, "one of width"),
        ({"batch": "64"}, "finite number"),
    ],
)
def test_an_override_that_makes_no_sense_is_refused(
    overrides: dict[str, object], says: str
) -> None:
    """The error names field, value and limit."""
    with pytest.raises(RecipeError, match=says) as caught:
        recipe("dcgan").with_overrides(overrides)
    assert caught.value.field == f"overrides.{next(iter(overrides))}"


def test_an_unknown_recipe_is_told_the_known_ones() -> None:
    """So that a typo is mended at once."""
    with pytest.raises(NotFound, match="dcgan"):
        recipe("dcgna")


@pytest.mark.parametrize("size_px", [0, -64, 16, 63, 100, 1024])
def test_a_size_the_networks_cannot_make_is_refused(size_px: int) -> None:
    """Powers of two from 32 to 512 only."""
    with pytest.raises(RecipeError, match="power of two from 32 to 512"):
        check_size(size_px)
