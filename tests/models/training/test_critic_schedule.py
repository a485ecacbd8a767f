import pytest

from models.gan.recipes import recipe
from models.training.critic_schedule import CriticSchedule


def _schedule(name: str, kimg: float | None) -> CriticSchedule:
    schedule = CriticSchedule(recipe(name).settings)
    schedule.expected_kimg = kimg
    return schedule


@pytest.mark.parametrize(
    ("name", "kimg", "places", "steps"),
    [
        ("dcgan", 1000, (0, 24, 25, 500), [1] * 4),
        # As the paper's code does: 100 steps instead of 5, at first and at every 500th.
        ("wgan", 400, (0, 24, 25, 499, 500, 501, 1000), [100, 100, 5, 5, 100, 5, 100]),
        # An order in minutes tells its length only after the first step: no boost yet.
        ("wgan", None, (0,), [5]),
    ],
)
def test_a_critic_moves_as_often_as_its_recipe_says(name, kimg, places, steps):
    schedule = _schedule(name, kimg)
    assert [schedule.critic_steps(place) for place in places] == steps
    assert kimg is None or schedule.note is None


@pytest.mark.parametrize(("kimg", "boost"), [(200, 50), (100, 25), (10, 5), (399.9, 100)])
def test_a_short_run_s_boosts_are_shortened_in_proportion(kimg, boost):
    """Never below the ordinary number of steps."""
    assert _schedule("wgan", kimg).boost == boost


def test_what_was_shortened_is_said():
    note = str(_schedule("wgan", 200).note)
    assert all(word in note for word in ("50", "100", "200 of 400 kimg"))
