import pytest
import torch

from models.cuda_graphs import WARM_UP
from models.training.state import load_state, save_state


@pytest.mark.parametrize("name", ["dcgan", "wgan", "r3gan", "projected"])
def test_a_resumed_run_goes_on_as_the_uninterrupted_one(make_trainer, tmp_path, name):
    """Saved between two replays, loaded into a trainer that has captured nothing yet.

    Not bit for bit, as on a CPU: a GPU adds gradients up in any order.
    """
    whole, resumed = make_trainer(name), make_trainer(name)
    for _ in range(WARM_UP + 4):
        whole.step()
    path = tmp_path / "state.safetensors"
    path.write_bytes(save_state(whole, {"note": 1}))
    assert load_state(resumed, str(path)) == {"note": 1}
    for _ in range(WARM_UP + 4):
        wanted = whole.step().values()
        assert resumed.step().values() == pytest.approx(wanted, rel=0.05, abs=0.05)
    assert resumed.step_count == whole.step_count
    assert resumed.stream.position == whole.stream.position
    assert torch.equal(resumed.random_state, whole.random_state)
