"""Training steps replayed as CUDA graphs, beside the same steps launched one by one."""

import pytest
import torch
from torch import Tensor

from models.cuda_graphs import WARM_UP, Replayed
from models.devices import BFLOAT16, FLOAT32
from models.training.trainer import Trainer

STEPS = WARM_UP + 10

NAMES = ["dcgan", "dcgan-selu", "wgan", "wgan-gp", "ralsgan", "sngan", "r3gan", "projected"]
"""One recipe of each kind of network, optimizer, regularizer and objective."""


def _run(trainer: Trainer, steps: int = STEPS) -> list[dict[str, float]]:
    return [trainer.step().values() for _ in range(steps)]


def _flat(trainer: Trainer) -> Tensor:
    """Return all weights of both networks and of the average as one vector."""
    modules = (trainer.generator, trainer.discriminator, trainer.average.module)
    tensors = [p.detach().flatten() for module in modules for p in module.parameters()]
    return torch.cat(tensors)


@pytest.mark.parametrize("precision", [FLOAT32, BFLOAT16], ids=lambda p: p.name)
@pytest.mark.parametrize("name", NAMES)
def test_replayed_steps_train_as_launched_ones_do(make_trainer, monkeypatch, name, precision):
    """Same losses at every step, same weights at the end: gradients are added up in any order."""
    replayed = make_trainer(name, precision=precision)
    at_start = _flat(replayed)
    losses = _run(replayed)
    assert replayed._iteration._captured is not None
    monkeypatch.setattr("models.cuda_graphs.WARM_UP", STEPS * 100)
    launched = make_trainer(name, precision=precision)
    expected = _run(launched)
    assert launched._iteration._captured is None
    for step, (found, wanted) in enumerate(zip(losses, expected, strict=True)):
        assert found == pytest.approx(wanted, rel=0.05, abs=0.05), step
    moved = (_flat(launched) - at_start).norm()
    assert moved > 0
    assert (_flat(replayed) - _flat(launched)).norm() < 0.25 * moved


def test_what_cannot_be_captured_goes_on_as_it_began(caplog):
    """A function that reads back to the host is run each time, and that is told once."""
    replayed = Replayed(lambda batch: batch.sum().item(), torch.device("cuda"))
    batches = [torch.full((2,), float(n), device="cuda") for n in range(WARM_UP + 4)]
    assert [replayed(batch) for batch in batches] == [2.0 * n for n in range(WARM_UP + 4)]
    assert len([r for r in caplog.records if "could not be captured" in r.message]) == 1


def test_every_replay_draws_random_numbers_of_its_own(make_trainer):
    """Made pictures of two replays differ, and so do the coins that mirror."""
    trainer = make_trainer(lr_generator=1e-7, lr_discriminator=1e-7)
    _run(trainer, WARM_UP + 1)
    pictures = []
    for _ in range(3):
        trainer.step()
        pictures.append(trainer.fake.clone())
    assert (pictures[0] - pictures[1]).abs().max() > 1e-3
    assert (pictures[1] - pictures[2]).abs().max() > 1e-3


def test_training_leaves_the_default_generator_as_it_was(make_trainer):
    """Nobody else's random numbers change, and nobody else changes training's."""
    alone, disturbed = make_trainer(), make_trainer()
    before = torch.cuda.get_rng_state()
    losses = _run(alone)
    assert torch.equal(torch.cuda.get_rng_state(), before)
    for wanted in losses:
        torch.randn(5, device="cuda")
        assert disturbed.step().values() == pytest.approx(wanted, rel=0.05, abs=0.05)


def test_a_critic_that_moves_more_often_has_a_graph_of_its_own(make_trainer):
    """Both graphs write the same weights: the critic moves in both, and is clipped in both."""
    trainer = make_trainer("wgan", critic_boost=5)
    _run(trainer, WARM_UP + 2)
    assert trainer._extra._captured is not None
    assert trainer._iteration._captured is not None
    before = [p.clone() for p in trainer.discriminator.parameters()]
    trainer._extra(trainer.stream.next())
    after = list(trainer.discriminator.parameters())
    assert any(not torch.equal(b, a) for b, a in zip(before, after, strict=True))
    limit = trainer.settings.clip
    assert max(p.abs().max().item() for p in after) == pytest.approx(limit, abs=1e-6)


def test_batch_norm_counts_every_replay(make_trainer):
    """Its step counter and its running statistics are the graph's too."""
    trainer = make_trainer()
    _run(trainer)
    (counter,) = {
        int(value)
        for name, value in trainer.generator.state_dict().items()
        if name.endswith("num_batches_tracked")
    }
    assert counter == STEPS


def test_two_trainers_replay_in_turns(make_trainer):
    """Graphs of two trainers share nothing: each goes on as if it were alone."""
    alone = _run(make_trainer())
    one, other = make_trainer(), make_trainer("r3gan")
    for wanted in alone:
        assert one.step().values() == pytest.approx(wanted, rel=0.05, abs=0.05)
        other.step()


def test_pictures_rendered_between_replays_do_not_disturb_them(make_trainer):
    """A sample sheet between two steps uses memory that no graph writes."""
    alone = _run(make_trainer())
    sampled = make_trainer()
    z = torch.randn(64, sampled.settings.z_dim, device="cuda")
    for wanted in alone:
        with torch.inference_mode():
            sheet = sampled.snapshot()(z)
        kept = sheet.clone()
        assert sampled.step().values() == pytest.approx(wanted, rel=0.05, abs=0.05)
        assert torch.equal(sheet, kept)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="there is one GPU")
def test_a_trainer_on_the_second_gpu_is_captured_there(make_trainer):
    """Whatever the current device is: its weights go on moving after the capture."""
    trainer = make_trainer(device=torch.device("cuda:1"))
    _run(trainer, WARM_UP + 1)
    before = _flat(trainer)
    trainer.step()
    torch.cuda.synchronize(1)
    assert not torch.equal(_flat(trainer), before)
