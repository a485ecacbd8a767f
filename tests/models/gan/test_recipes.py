import pytest

from models.errors import NotFound, RecipeError
from models.gan.recipes import RECIPES, recipe
from models.hyperparameters import LIMITS, Settings
from models.networks.scales import check_size


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_keeps_its_own_limits_and_describes_itself(name):
    row = recipe(name)
    defaults = row.describe()["defaults"]
    assert row.with_overrides(defaults) == row.settings
    assert set(row.describe()["limits"]) == set(row.settings.given())
    assert "arXiv" in row.source


def test_every_number_is_described_and_belongs_to_a_recipe():
    read = {name for row in RECIPES.values() for name in row.settings.given()}
    assert read == set(Settings.__dataclass_fields__) == set(LIMITS)


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        (
            "dcgan",
            {"width": 128, "z_dim": 100, "batch": 64, "lr_generator": 2e-4}
            | {"lr_discriminator": 5e-5, "beta1": 0.5, "beta2": 0.999},
        ),
        ("dcgan-selu", {"width": 64, "lr_generator": 2e-4, "lr_discriminator": 5e-5}),
        (
            "wgan",
            {"width": 64, "lr_generator": 5e-5, "lr_discriminator": 5e-5, "clip": 0.01}
            | {"critic_steps": 5, "critic_boost": 100},
        ),
        (
            "wgan-gp",
            {"lr_generator": 1e-4, "lr_discriminator": 1e-4, "beta1": 0.0, "beta2": 0.9}
            | {"critic_steps": 5, "penalty": 10.0},
        ),
        ("lsgan", {"width": 128, "lr_generator": 1e-4, "lr_discriminator": 1e-4, "beta1": 0.5}),
        ("ralsgan", {"width": 64, "batch": 32, "z_dim": 128, "lr_discriminator": 2e-4}),
    ],
)
def test_the_story_s_recipes_have_the_original_s_numbers(name, numbers):
    given = recipe(name).settings.given()
    assert {key: given[key] for key in numbers} == numbers


def test_a_model_is_named_for_a_known_recipe_and_another_size():
    assert recipe("projected").default_model(256) == "projected"
    assert recipe("projected").default_model(128) == "projected-128"
    with pytest.raises(NotFound, match="dcgan"):
        recipe("dcgna")


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"lr_generator": float("nan")}, "finite"),
        ({"lr_generator": 1.0}, "1e-07 to 0.1"),
        ({"width": 3}, "4 to 256"),
        ({"width": 64.5}, "whole"),
        ({"width": True}, "finite number"),
        ({"mirror": 1}, "true or false"),
        ({"widht": 64}, "hyperparameters of dcgan: width, z_dim"),
        ({"clip": 0.01}, "hyperparameters of dcgan: width, z_dim"),
        ({"batch": "64"}, "finite number"),
    ],
)
def test_an_override_that_makes_no_sense_is_refused(overrides, says):
    with pytest.raises(RecipeError, match=says) as caught:
        recipe("dcgan").with_overrides(overrides)
    assert caught.value.field == f"overrides.{next(iter(overrides))}"


@pytest.mark.parametrize("size_px", [0, -64, 16, 63, 100, 1024])
def test_a_size_the_networks_cannot_make_is_refused(size_px):
    with pytest.raises(RecipeError, match="power of two from 32 to 512"):
        check_size(size_px)
