from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.models.training.distributed_child import build, trained, weights
from tests.models.training.torchrun import run_two


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="there are fewer than two GPUs")
def test_two_gpus_train_as_one_with_the_whole_batch(tmp_path: Path, gpu: torch.device) -> None:
    """Each captures a graph that exchanges gradients; both end alike, and end at all."""
    command = ("-m", "tests.models.training.distributed_child", str(tmp_path), "cuda", "dcgan-selu")
    done = run_two(*command)
    assert done.returncode == 0, done.stdout
    leader, follower = (load_file(tmp_path / f"dcgan-selu-{rank}.safetensors") for rank in (0, 1))
    assert all(torch.equal(leader[name], follower[name]) for name in leader)
    whole = {name: tensor.cpu() for name, tensor in trained("dcgan-selu", device=gpu).items()}
    start = weights(build("dcgan-selu"))
    for name, tensor in whole.items():
        moved = (tensor - start[name]).norm()
        assert (leader[name] - tensor).norm() <= 0.05 * moved + 1e-5, name
