from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
import torch
from torch import nn

from models.errors import CheckpointError, DatasetError, TrainingDiverged
from models.precision import FLOAT32, fastest_precision
from models.store.records import Budget
from models.trainer import Trainer
from models.training import CHECK_EVERY, train
from models.training_state import load_state, save_state

Make = Callable[..., Trainer]


def _run(trainer: Trainer, kimg: float) -> None:
    for _ in train(trainer, Budget(kimg=kimg)):
        pass


def _weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    modules: dict[str, nn.Module] = {
        "generator": trainer.generator,
        "discriminator": trainer.discriminator,
        "average": trainer.average.module,
    }
    return {f"{m}.{k}": v for m, net in modules.items() for k, v in net.state_dict().items()}


def _differing(one: Trainer, other: Trainer) -> list[str]:
    theirs = _weights(other)
    return [name for name, value in _weights(one).items() if not torch.equal(value, theirs[name])]


@pytest.mark.parametrize("precision", [FLOAT32, fastest_precision(torch.device("cpu"))])
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(
    make_trainer: Make, tmp_path: Path, precision: object
) -> None:
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


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(make_trainer: Make) -> None:
    """Training is reproducible on a CPU."""
    one, same, other = make_trainer(seed=1), make_trainer(seed=1), make_trainer(seed=2)
    for trainer in (one, same, other):
        _run(trainer, 0.04)
    assert _differing(one, same) == []
    assert "generator.main.0.weight" in _differing(one, other)


def test_every_parameter_of_both_networks_learns(make_trainer: Make) -> None:
    """A few steps move all of them, and the average follows without overtaking."""
    trainer = make_trainer()
    before = {name: value.clone() for name, value in _weights(trainer).items()}
    _run(trainer, 0.04)
    stuck = [
        name
        for name, value in _weights(trainer).items()
        if value.is_floating_point() and torch.equal(value, before[name])
    ]
    assert stuck == []


def test_the_average_can_be_switched_off(make_trainer: Make) -> None:
    """With a decay of 0 the average is the generator."""
    trainer = make_trainer(ema=0)
    _run(trainer, 0.04)
    average = trainer.average.module.state_dict()
    for name, value in trainer.generator.state_dict().items():
        assert not value.is_floating_point() or torch.allclose(value, average[name])


def test_mirroring_can_be_switched_off(make_trainer: Make) -> None:
    """Without it a batch is what lies in the pack; with it half of the pictures are flipped."""
    plain, mirrored = make_trainer(mirror=False), make_trainer(mirror=True)
    real, flipped = plain._next_real(), mirrored._next_real()
    same = [torch.equal(a, b) for a, b in zip(real, flipped, strict=True)]
    turned = [torch.equal(a, b.flip(2)) for a, b in zip(real, flipped, strict=True)]
    assert all(a or b for a, b in zip(same, turned, strict=True))
    assert any(turned)
    assert not all(turned)


def test_time_between_reports_is_not_training_time(make_trainer: Make) -> None:
    """A budget in minutes counts steps only; here each look at the clock takes a second."""
    ticks = count()
    reports = list(train(make_trainer(), Budget(minutes=0.1), clock=lambda: float(next(ticks))))
    assert [r.training_s for r in reports] == [1, 2, 3, 4, 5, 6]


def test_a_loss_that_is_not_finite_ends_training(make_trainer: Make) -> None:
    """Within fifty steps, with the quantity's name."""
    trainer = make_trainer()
    with torch.no_grad():
        next(trainer.discriminator.parameters()).fill_(float("nan"))
    with pytest.raises(TrainingDiverged, match="discriminator") as caught:
        _run(trainer, 10)
    assert caught.value.step <= CHECK_EVERY


def test_a_state_of_another_shape_is_refused(make_trainer: Make, tmp_path: Path) -> None:
    """The error tells both shapes; the trainer is left as it was."""
    path = tmp_path / "state.safetensors"
    path.write_bytes(save_state(make_trainer(width=8), {}))
    with pytest.raises(CheckpointError, match=r'"width": 8.*"width": 4'):
        load_state(make_trainer(), str(path))


@pytest.mark.parametrize("keep", [0, 7, 100, 5000])
def test_a_truncated_state_is_refused(make_trainer: Make, tmp_path: Path, keep: int) -> None:
    """Wherever the file was cut."""
    path = tmp_path / "state.safetensors"
    path.write_bytes(save_state(make_trainer(), {})[:keep])
    with pytest.raises(CheckpointError):
        load_state(make_trainer(), str(path))


def test_fewer_pictures_than_a_batch_are_refused(make_trainer: Make) -> None:
    """The error tells both numbers."""
    with pytest.raises(DatasetError, match=r"64 pictures.*65"):
        make_trainer(batch=65)
