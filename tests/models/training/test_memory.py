import pytest
import torch

from models.training.memory import fitting_batch


class Device:
    """A device that holds so many pictures a batch; notes what was tried on it."""

    def __init__(self, holds: int) -> None:
        self.holds, self.tried = holds, list[int]()

    def step(self, batch: int) -> None:
        """Fail as a GPU does if the batch is too large."""
        self.tried.append(batch)
        if batch > self.holds:
            raise torch.OutOfMemoryError(f"a batch of {batch}")


@pytest.mark.parametrize(
    ("batch", "holds", "tried", "fits"),
    [
        (64, 63, [32], 32),
        (64, 20, [32, 16], 16),
        (64, 2, [32, 16, 8, 4, 2], 2),
        (64, 1, [32, 16, 8, 4, 2], None),
        (12, 5, [6, 3], 3),
        (5, 4, [2], 2),
        (4, 3, [2], 2),
        (3, 2, [], None),
        (2, 1, [], None),
    ],
)
def test_the_batch_is_halved_until_its_step_fits(batch, holds, tried, fits):
    """Each half is tried once, largest first, never the one that failed nor a batch of one."""
    device = Device(holds)
    assert fitting_batch(device.step, batch) == fits
    assert device.tried == tried


def test_another_error_of_the_step_is_no_answer():
    """Only memory is forgiven: what else goes wrong in a step is raised as it is."""

    def step(batch):
        raise ArithmeticError(batch)

    with pytest.raises(ArithmeticError, match="32"):
        fitting_batch(step, 64)


def test_what_a_failed_step_held_is_free_when_the_next_is_tried():
    """Also what only a cycle keeps alive, as a trainer and its captured graphs do."""
    alive = set[int]()

    class Trainer:
        def __init__(self, batch: int) -> None:
            self.batch, self.itself = batch, self
            alive.add(batch)

        def __del__(self) -> None:
            alive.discard(self.batch)

    seen: list[set[int]] = []

    def step(batch):
        seen.append(set(alive))
        trainer = Trainer(batch)
        if trainer.batch > 8:
            raise torch.OutOfMemoryError

    assert fitting_batch(step, 64) == 8
    assert seen == [set(), set(), set()]
