"""What of `Replayed` can be seen without a GPU: that it stays out of the way.

Capturing and replaying are tested on a GPU, in tests/gpu/test_cuda_graphs.py.
"""

import pytest
import torch
from torch import Tensor

from models.cuda_graphs import WARM_UP, Replayed

CPU = torch.device("cpu")


def test_on_a_cpu_every_call_is_a_call_of_the_function():
    """Before and after the number of calls at which a GPU would capture it; nothing is copied.

    No shape is fixed, and each call has a result of its own.
    """
    seen = list[Tensor]()

    def double(batch):
        seen.append(batch)
        return 2 * batch

    replayed = Replayed(double, CPU)
    batches = [torch.full((2 + number % 2,), float(number)) for number in range(WARM_UP + 3)]
    results = [replayed(batch) for batch in batches]
    assert all(was is batch for was, batch in zip(seen, batches, strict=True))
    assert [result.tolist() for result in results] == [(2 * batch).tolist() for batch in batches]


def test_an_error_of_the_function_is_raised_and_the_next_call_is_like_any_other():
    def root(batch):
        if batch.item() < 0:
            raise ArithmeticError("negative")
        return float(batch.item() ** 0.5)

    replayed = Replayed(root, CPU)
    with pytest.raises(ArithmeticError, match="negative"):
        replayed(torch.tensor(-1.0))
    assert replayed(torch.tensor(9.0)) == pytest.approx(3.0, abs=1e-6)
