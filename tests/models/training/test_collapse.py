"""Each rule by hand-made pictures, by training that really fails and by training that does not."""

import json
import math
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from torch import Tensor

from models.errors import TrainingCollapsed
from models.store.records import Budget
from models.training.collapse import CHECK_EVERY, RULES, UNVARIED_STEPS, CollapseDetector
from models.training.loop import train
from models.training.symptoms import (
    MIN_IMAGES,
    Observation,
    nearest_distance,
    relative_variety,
    share_of_saturated,
    share_of_spots,
)
from models.training.trainer import Trainer

PAGE = Path(__file__).parents[3] / "docs" / "collapse.md"
LOSSES = {"discriminator": 1.0, "generator": 1.0, "real": 0.0, "fake": 0.0}
COUNT = 16


def plain(count: int = COUNT, step: float = 0.1) -> Tensor:
    """Return one-colored pictures, each `step` lighter than the one before, (count, 3, 16, 16)."""
    return (torch.arange(count) * step - 0.9)[:, None, None, None].expand(count, 3, 16, 16)


def checkered(count: int = COUNT) -> Tensor:
    """Return pictures in which every value stands out from its neighbors by the whole range."""
    row = torch.tensor([-1.0, 1.0]).repeat(8)
    return torch.stack([row, -row]).repeat(8, 1).expand(count, 3, 16, 16)


def spotted(count: int = COUNT) -> Tensor:
    """Return pictures as varied as plain ones, a quarter of each checkered."""
    pictures = plain(count).clone()
    pictures[:, :, :4] = checkered(count)[:, :, :4]
    return pictures


def check(detector: CollapseDetector, step: int, fake: Tensor, **losses: float) -> None:
    """Let a detector look at varied real pictures and some made ones."""
    detector.check(step, {**LOSSES, **losses}, plain(len(fake)), fake)


def show(detector, fakes, first=50, **losses):
    """Let a detector look at made pictures, one batch at each of its steps."""
    for index, fake in enumerate(fakes):
        check(detector, first + index * CHECK_EVERY, fake, **losses)


def collapse_of(detector, *fakes, first=50, **losses):
    """Let a detector look at the same things again and again until it has seen enough."""
    with pytest.raises(TrainingCollapsed) as caught:
        show(detector, fakes * 200, first, **losses)
    return caught.value


def test_the_distance_to_the_nearest_picture_is_the_median_one():
    """Grays of 0, 0.1 and 0.3 are 0.1, 0.1 and 0.2 from their nearest."""
    grays = torch.tensor([0.0, 0.1, 0.3])[:, None, None, None].expand(3, 3, 16, 16)
    assert nearest_distance(grays) == pytest.approx(0.1, abs=1e-6)
    assert nearest_distance(torch.zeros(3, 3, 16, 16)) == 0


def test_variety_is_relative_to_real_pictures():
    """Made pictures a quarter as far apart as real ones have a quarter of their variety.

    Below sixteen pictures, and where real ones have no distance, there is no number.
    """
    few, same = plain(MIN_IMAGES - 1), torch.zeros(COUNT, 3, 16, 16)
    for real, fake, variety in (
        (plain(), plain(step=0.025), pytest.approx(0.25, abs=1e-4)),
        (few, few, None),
        (same, same, None),
    ):
        seen = Observation(losses=LOSSES, real=real, fake=fake, chance=1.0)
        assert relative_variety(seen) == variety


def test_spots_are_saturated_values_that_stand_out_from_both_neighbors():
    """All of a checkered ground, one line in fourteen; none of a paler ground or of a low edge."""
    line, edge = torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 16)
    line[:, :, :, 8], edge[:, :, :, 8:] = 1.0, 1.0
    assert share_of_spots(checkered()) == 1
    assert share_of_spots(checkered() * 0.95) == 0
    assert share_of_spots(line) == pytest.approx(1 / 14 / 2, abs=1e-6)
    assert share_of_spots(edge) == 0
    picture = torch.zeros(1, 3, 16, 16)  # a quarter white and a quarter black make a half
    picture[:, :, :4], picture[:, :, 4:8] = 1.0, -1.0
    assert share_of_saturated(picture) == 0.5


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_loss_or_one_pixel_that_is_not_finite_ends_training_at_once(value):
    for name in LOSSES:
        with pytest.raises(TrainingCollapsed) as caught:
            CollapseDetector(1.0).check(50, {**LOSSES, name: value}, plain(), plain())
        assert (caught.value.rule, caught.value.step) == ("non_finite", 50)
    fake = plain().clone()
    fake[3, 1, 5, 7] = value
    with pytest.raises(TrainingCollapsed, match="was 1 "):
        check(CollapseDetector(1.0), 50, fake)


@pytest.mark.parametrize(
    ("name", "fake", "loss"),
    [
        ("discriminator_won", plain(), 0.0019),
        ("spots", spotted(), 1.0),
        ("saturated", plain().sign(), 1.0),
    ],
)
def test_a_lasting_failure_is_detected_within_the_steps_that_the_rule_states(name, fake, loss):
    """Not before, and not after; the error tells value, limit, since when and what to do."""
    found = collapse_of(CollapseDetector(1.0), fake, discriminator=loss)
    rule = RULES[name]
    assert (found.rule, found.step) == (name, rule.within_steps)
    assert f"{rule.limit:g} is healthy), first at step 50." in str(found)
    assert str(found).endswith(rule.remedy)


def test_made_pictures_that_become_alike_are_detected():
    """Within the stated steps after they were varied; seen as 0.05 of the real variety."""
    detector, rule = CollapseDetector(1.0), RULES["alike"]
    check(detector, 50, plain())
    found = collapse_of(detector, plain(step=0.005), first=100)
    assert (found.rule, found.step) == ("alike", 50 + rule.within_steps)
    assert "was 0.05 " in str(found)
    # What never was varied counts as alike only after some thousand steps.
    found = collapse_of(CollapseDetector(1.0), torch.zeros(COUNT, 3, 16, 16))
    assert found.rule == "alike"
    assert found.step == UNVARIED_STEPS + rule.within_steps - CHECK_EVERY


def test_small_batches_are_never_alike():
    """Too few pictures to tell; the other rules still hold."""
    detector = CollapseDetector(1.0)
    for step in range(0, 2 * UNVARIED_STEPS, CHECK_EVERY):
        check(detector, step, torch.zeros(8, 3, 16, 16))
    assert collapse_of(detector, spotted(8)).rule == "spots"


def test_a_good_look_takes_a_bad_one_back():
    """Every other look bad never fires; two bad ones for one good do, three times as late."""
    bad, good = spotted(), plain()
    show(CollapseDetector(1.0), (bad, good) * 100)
    found = collapse_of(CollapseDetector(1.0), bad, bad, good)
    assert found.step == CHECK_EVERY * (3 * (RULES["spots"].strikes - 2) + 2)


def test_an_objective_without_a_floor_has_no_winner():
    """A Wasserstein critic's loss may be anything."""
    detector = CollapseDetector(0.0)
    for step in range(0, 5000, CHECK_EVERY):
        check(detector, step, plain(), discriminator=-1000.0 + step / 5)
    assert detector.counts["discriminator_won"].count == 0


def test_what_real_pictures_do_is_no_failure():
    """Checkered, saturated, equal: made pictures that are like real ones are well."""
    detector = CollapseDetector(1.0)
    for step in range(0, 2 * UNVARIED_STEPS, CHECK_EVERY):
        detector.check(step, LOSSES, checkered(), checkered())
    assert [bad.count for bad in detector.counts.values()] == [0] * len(RULES)


def test_a_resumed_watch_goes_on_counting():
    """Its state is JSON; it fires when the uninterrupted one does, and ignores unknown rules."""
    first, second, bad = CollapseDetector(1.0), CollapseDetector(1.0), spotted()
    check(first, 50, bad)
    check(first, 100, bad)
    state = json.loads(json.dumps(first.state()))
    second.resume({**state, "counts": {**state["counts"], "of another release": [3, 50]}})
    assert second.state() == state
    found = collapse_of(second, bad, first=150)
    assert (found.step, found.rule) == (RULES["spots"].within_steps, "spots")
    assert "first at step 50" in str(found)


@pytest.fixture
def build(make_trainer):
    """Build a small trainer of any recipe on the real cats of the tests."""
    return lambda name, **changes: make_trainer(name, **{"width": 8, "batch": 16, **changes})


def run(trainer: Trainer, steps: int, detector: CollapseDetector | None = None) -> CollapseDetector:
    detector = detector or CollapseDetector(trainer.recipe.objective.chance)
    kimg = (trainer.stream.position + steps * trainer.settings.batch) / 1000
    for _ in train(trainer, Budget(kimg=kimg), detector=detector):
        pass
    return detector


def failure_of(trainer, steps, detector=None):
    """Train until it has failed, for so many steps at most."""
    with pytest.raises(TrainingCollapsed) as caught:
        run(trainer, steps, detector)
    return caught.value


def test_the_collapse_of_2017_into_contrast_spots_comes_back_and_is_seen(build):
    """LSGAN with a hundred times its learning rates and more momentum: spots before step 800."""
    trainer = build("lsgan", lr_generator=1e-2, lr_discriminator=1e-2, beta1=0.9)
    found = failure_of(trainer, 800)
    assert found.rule == "spots"
    assert share_of_spots(trainer.fake) > 10 * share_of_spots(trainer.real)


def test_a_discriminator_that_wins_is_seen(build):
    """It learns a hundred thousand times faster; the generator never has a chance."""
    trainer = build("dcgan", width=4, batch=8, lr_generator=1e-7, lr_discriminator=1e-2)
    found = failure_of(trainer, 1500)
    assert found.rule == "discriminator_won"
    assert found.step >= RULES["discriminator_won"].within_steps


def test_a_generator_that_makes_one_picture_is_seen(build):
    """A critic that stops learning is followed to the one picture that it likes best."""
    trainer = build("wgan-gp", critic_steps=1, lr_generator=1e-3, lr_discriminator=1e-3, penalty=10)
    detector = run(trainer, 250)
    assert detector.has_varied
    for group in trainer.optimizers["discriminator"].param_groups:
        group["lr"] = 0.0
    found = failure_of(trainer, 1000, detector)
    assert found.rule == "alike"
    assert nearest_distance(trainer.fake) < 0.1 * nearest_distance(trainer.real)


@pytest.mark.parametrize("network", ["discriminator", "generator"])
def test_a_weight_that_overflows_is_seen(build, network):
    """One infinite weight, in either network, at the next look."""
    trainer = build("dcgan")
    run(trainer, 10)
    with torch.no_grad():
        next(getattr(trainer, network).parameters())[0, 0, 0, 0] = math.inf
    found = failure_of(trainer, 100)
    assert (found.rule, found.step) == ("non_finite", CHECK_EVERY)


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("dcgan", {}),
        ("dcgan", {"lr_generator": 2e-3, "lr_discriminator": 5e-4}),
        ("lsgan-stable", {}),
        ("lsgan-stable", {"lr_generator": 1e-2, "lr_discriminator": 1e-2}),
    ],
)
def test_training_that_goes_well_is_left_alone(build, name, overrides):
    """Eight hundred steps, also at the learning rates under which LSGAN collapses."""
    trainer = build(name, **overrides)
    run(trainer, 800)
    assert trainer.step_count == 800


def test_training_checks_as_often_as_the_rules_say(build):
    """The stated numbers of steps rely on it."""
    detector = Mock(spec=CollapseDetector)
    run(build("dcgan"), 2 * CHECK_EVERY + 10, detector)
    looks = [call.args[0] for call in detector.check.call_args_list]
    assert looks == [CHECK_EVERY, 2 * CHECK_EVERY]


def test_the_page_states_every_rule_as_it_is():
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:3] == "| `"]
    told = rows[: len(RULES)]
    assert told == [
        f"| `{rule.name}` | {rule.meaning} | {'below' if rule.is_floor else 'above'} "
        f"{rule.limit:g} | {rule.strikes} | {rule.within_steps} | {rule.remedy} |"
        for rule in RULES.values()
    ]
