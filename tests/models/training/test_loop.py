from itertools import count
from math import isfinite

import pytest
import torch

from models.devices import FLOAT32, fastest_precision
from models.errors import CheckpointError, DatasetError
from models.gan.recipes import RECIPES
from models.inference.checkpoints import load_generator, save_generator
from models.store.records import Budget
from models.training.loop import train
from models.training.state import load_state, save_state
from models.training.trainer import Trainer


def _run(trainer: Trainer, kimg: float) -> None:
    for _ in train(trainer, Budget(kimg=kimg)):
        pass


def _differing(one: Trainer, other: Trainer) -> list[str]:
    theirs = dict(other.tensors())
    return [name for name, value in one.tensors() if not torch.equal(value, theirs[name])]


@pytest.mark.parametrize("precision", [FLOAT32, fastest_precision(torch.device("cpu"))])
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(make_trainer, tmp_path, precision):
    """Weights, average, both optimizers, random numbers and place in the data go on exactly."""
    whole, first, second = (make_trainer(precision=precision) for _ in range(3))
    _run(whole, 0.16)
    _run(first, 0.08)
    path = tmp_path / "state.safetensors"
    path.write_bytes(save_state(first, {"note": 1}))
    assert load_state(second, str(path)) == {"note": 1}
    _run(second, 0.16)
    assert _differing(whole, second) == []
    assert _differing(whole, first) != []


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_trains_and_resumes_bit_for_bit(make_trainer, tmp_path, name):
    """Three steps are one step, saved and loaded, and two more; losses stay finite."""
    numbers = {"width": 8, "batch": 8}
    whole, first, second = (make_trainer(name, **numbers) for _ in range(3))
    losses = [whole.step().values() for _ in range(3)][-1]
    assert all(isfinite(value) for value in losses.values())
    first.step()
    path = tmp_path / "state.safetensors"
    path.write_bytes(save_state(first, {}))
    load_state(second, str(path))
    second.step()
    second.step()
    assert _differing(whole, second) == []
    assert _differing(whole, first) != []


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_s_snapshot_is_a_generator_that_is_served(make_trainer, name):
    """What is saved loads again, paints what the trainer's own average paints, and no noise."""
    trainer = make_trainer(name, width=8, batch=8)
    trainer.step()
    network = trainer.snapshot()
    raw = save_generator(network, kind=trainer.recipe.network, config=trainer.config)
    z = torch.randn(3, trainer.settings.z_dim, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        served, own = load_generator(raw)(z), network(z)
        assert torch.allclose(served, own, atol=1e-5)
        assert torch.equal(served, load_generator(raw)(z))
    assert served.shape == (3, 3, 32, 32)


def test_random_numbers_of_others_do_not_change_a_run(make_trainer):
    """A trainer draws from a state of its own, and leaves everybody else's alone."""
    alone, disturbed = make_trainer("projected", width=8), make_trainer("projected", width=8)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    alone.step()
    assert torch.equal(torch.rand(3), expected)
    disturbed.step()
    assert _differing(alone, disturbed) == []


def test_a_wgan_critic_moves_five_times_and_stays_within_its_clip(make_trainer):
    trainer = make_trainer("wgan", clip=0.005)
    trainer.step()
    assert trainer.stream.position == 5 * trainer.settings.batch
    assert max(p.abs().max().item() for p in trainer.discriminator.parameters()) <= 0.005


def test_a_boost_is_shortened_for_a_short_order_and_said(make_trainer):
    """An order of 0.16 kimg has no longer boosts than ordinary steps."""
    trainer = make_trainer("wgan")
    _run(trainer, 0.16)
    assert trainer.critic_schedule.boost == trainer.settings.critic_steps == 5
    assert "instead of 100" in str(trainer.critic_schedule.note)
    # An order in minutes learns its length from its first step: here each takes a second by the
    # clock, and six steps of 40 pictures are 0.24 kimg.
    trainer, ticks = make_trainer("wgan"), count()
    list(train(trainer, Budget(minutes=0.1), clock=lambda: float(next(ticks))))
    assert trainer.critic_schedule.expected_kimg == pytest.approx(0.24)


def test_a_lecun_start_is_as_wide_as_its_inputs_are_few(make_trainer):
    """The discriminator's first layer sees 3 x 4 x 4 values: standard deviation 1 / sqrt(48)."""
    discriminator = make_trainer("dcgan-selu", lecun=True, width=64).discriminator
    first = discriminator.get_parameter("main.0.weight")
    assert first.std().item() == pytest.approx(48**-0.5, rel=0.05)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(make_trainer):
    one, same, other = make_trainer(seed=1), make_trainer(seed=1), make_trainer(seed=2)
    for trainer in (one, same, other):
        _run(trainer, 0.04)
    assert _differing(one, same) == []
    assert "generator.main.0.weight" in _differing(one, other)


def test_every_parameter_of_both_networks_learns(make_trainer):
    """A few steps move all of them, and the average follows without overtaking."""
    trainer = make_trainer()
    before = {name: value.clone() for name, value in trainer.tensors()}
    _run(trainer, 0.04)
    stuck = [
        name
        for name, value in trainer.tensors()
        if value.is_floating_point() and torch.equal(value, before[name])
    ]
    assert stuck == []


def test_the_average_can_be_switched_off(make_trainer):
    trainer = make_trainer(ema=0)
    _run(trainer, 0.04)
    average = trainer.average.module.state_dict()
    for name, value in trainer.generator.state_dict().items():
        assert not value.is_floating_point() or torch.allclose(value, average[name])


def test_mirroring_can_be_switched_off(make_trainer):
    """Without it a batch is what lies in the pack; with it half of the pictures are flipped."""
    plain, mirrored = make_trainer(mirror=False), make_trainer(mirror=True)
    plain.step()
    mirrored.step()
    real, flipped = plain.real, mirrored.real
    same = [torch.equal(a, b) for a, b in zip(real, flipped, strict=True)]
    turned = [torch.equal(a, b.flip(2)) for a, b in zip(real, flipped, strict=True)]
    assert all(a or b for a, b in zip(same, turned, strict=True))
    assert any(turned)
    assert not all(turned)


def test_time_between_reports_is_not_training_time(make_trainer):
    """A budget in minutes counts steps only; here each look at the clock takes a second."""
    ticks = count()
    reports = list(train(make_trainer(), Budget(minutes=0.1), clock=lambda: float(next(ticks))))
    assert [r.training_s for r in reports] == [1, 2, 3, 4, 5, 6]


def test_a_truncated_state_or_one_of_another_shape_is_refused(make_trainer, tmp_path):
    path, trainer = tmp_path / "state.safetensors", make_trainer()
    path.write_bytes(save_state(make_trainer(width=8), {}))
    with pytest.raises(CheckpointError, match=r'"width": 8.*"width": 4'):
        load_state(trainer, str(path))
    for keep in (0, 7, 100, 5000):
        path.write_bytes(save_state(trainer, {})[:keep])
        with pytest.raises(CheckpointError):
            load_state(make_trainer(), str(path))
    assert _differing(trainer, make_trainer()) == []


def test_fewer_pictures_than_a_batch_are_refused(make_trainer):
    with pytest.raises(DatasetError, match=r"64 images.*65"):
        make_trainer(batch=65)
