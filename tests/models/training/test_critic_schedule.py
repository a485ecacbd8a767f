import pytest

from models.gan.recipes import recipe
from models.training.critic_schedule import CriticSchedule


def _schedule(name: str, kimg: float | None) -> CriticSchedule:
    schedule = CriticSchedule(recipe(name).settings)
    schedule.expected_kimg = kimg
    return schedule


def test_one_critic_step_is_the_rule() -> None:
    """Recipes without a number of their own move both networks in turn."""
    assert [_schedule("dcgan", 1000).critic_steps(step) for step in (0, 24, 25, 500)] == [
        1,
        1,
        1,
        1,
    ]


def test_wgan_boosts_its_critic_at_first_and_at_every_500th_step() -> None:
    """As the paper's code does: 100 steps instead of 5."""
    schedule = _schedule("wgan", 400)
    steps = [schedule.critic_steps(step) for step in (0, 24, 25, 499, 500, 501, 1000)]
    assert steps == [100, 100, 5, 5, 100, 5, 100]
    assert schedule.note is None


@pytest.mark.parametrize(("kimg", "boost"), [(200, 50), (100, 25), (10, 5), (399.9, 100)])
def test_a_short_run_s_boosts_are_shortened_in_proportion(kimg: float, boost: int) -> None:
    """Never below the ordinary number of steps."""
    assert _schedule("wgan", kimg).boost == boost


def test_what_was_shortened_is_said() -> None:
    note = str(_schedule("wgan", 200).note)
    assert all(word in note for word in ("50", "100", "200 of 400 kimg"))


def test_without_a_known_length_there_is_no_boost_yet() -> None:
    """An order in minutes tells its length only after the first step."""
    assert _schedule("wgan", None).critic_steps(0) == 5
