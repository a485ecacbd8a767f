import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from models.errors import CheckpointError, InvalidValue
from models.metrics.features import Features
from models.metrics.inception import Inception, _average, _maximum, _mixed8, load_inception

TORCHVISION = 27_161_264
"""Parameters of torchvision's inception_v3 as its documentation says: 1,000 classes, auxiliary."""

AUXILIARY = (768 * 128 + 2 * 128) + (25 * 128 * 768 + 2 * 768) + (768 * 1000 + 1000)
"""Of its auxiliary classifier: two convolutions with batch norm and a linear layer."""


@pytest.fixture(scope="module")
def state():
    """Random weights with the names and shapes of the real ones."""
    torch.manual_seed(0)
    state = Inception().state_dict()
    return {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}


@pytest.fixture(scope="module")
def weights(state, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "inception.safetensors"
    save_file(state, path)
    return path


def test_it_has_the_known_parameter_count():
    """That of torchvision's network without its auxiliary classifier, with 8 classes more."""
    with torch.device("meta"):
        network = Inception()
    expected = TORCHVISION - AUXILIARY + 8 * (2048 + 1)
    assert expected == 23_850_960
    assert sum(p.numel() for p in network.parameters()) == expected


def test_its_weights_have_the_ports_names(state):
    """94 convolutions with five tensors each, and the classifier's two."""
    assert len(state) == 94 * 5 + 2
    assert state["fc.weight"].shape == (1008, 2048)
    assert state["Conv2d_1a_3x3.conv.weight"].shape == (32, 3, 3, 3)
    assert state["Mixed_6b.branch7x7dbl_2.conv.weight"].shape == (128, 128, 7, 1)
    assert state["Mixed_7c.branch3x3dbl_3b.bn.running_var"].shape == (384,)


def test_averages_do_not_count_the_padding():
    """Ones stay ones at the border, where counting it would give 4/9 and 6/9."""
    assert _average(torch.ones(1, 1, 4, 4)).tolist() == torch.ones(1, 1, 4, 4).tolist()


def test_only_the_last_block_takes_a_maximum():
    """On one bright pixel the pool branch of the last block sees nine times what the others see."""
    torch.manual_seed(0)
    average, maximum = _mixed8(4, _average), _mixed8(4, _maximum)
    maximum.load_state_dict(average.state_dict())
    seen: list[Tensor] = []
    for block in (average, maximum):
        block.branch_pool.register_forward_pre_hook(lambda _, x: seen.append(x[0]))
        x = torch.zeros(1, 4, 5, 5)
        x[:, :, 2, 2] = 9.0
        block.eval()(x)
    assert seen[0][0, 0, 2, 2] == pytest.approx(1.0)
    assert seen[1][0, 0, 2, 2] == pytest.approx(9.0)
    with torch.device("meta"):
        network = Inception()
    assert [network.Mixed_7b.pool is _maximum, network.Mixed_7c.pool is _maximum] == [False, True]


def test_loading_folds_the_batch_norms_and_changes_nothing(weights, state):
    """The maps are those of the network as it was saved, and no gradient is needed."""
    plain = Inception()
    plain.load_state_dict(state, strict=False)
    pictures = torch.randn(1, 3, 299, 299, generator=torch.Generator().manual_seed(1))
    loaded = load_inception(weights)
    with torch.inference_mode():
        expected, found = plain.eval()(pictures), loaded(pictures)
    assert found.shape == (1, 2048, 8, 8)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)
    assert not any(p.requires_grad for p in loaded.parameters())


def test_as_a_feature_network_it_gives_2048_numbers(weights):
    features = Features(torch.device("cpu"), "inception-v3", weights)
    rows = features(np.zeros((1, 32, 32, 3), np.uint8))
    assert rows.shape == (1, 2048)
    found = features.protocol
    assert (found["features"], found["resizer"]) == ("inception-v3", "torch bilinear to 299")
    assert features.key == f"inception-v3-fp32-{found['weights'][:8]}"


@pytest.mark.parametrize("name", [None, "missing.safetensors"])
def test_without_a_file_the_error_tells_how_to_make_one(tmp_path, name):
    with pytest.raises(InvalidValue, match=r"(?s)nception.*weights_only=True"):
        load_inception(tmp_path / name if name else None)


def test_a_damaged_file_is_told(tmp_path):
    path = tmp_path / "inception.safetensors"
    path.write_bytes(b"PK\x03\x04 not safetensors at all")
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        load_inception(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fc.weight": torch.zeros(1000, 2048)}, r"fc.weight.*\(1000, 2048\) instead of \(1008"),
        ({"AuxLogits.fc.bias": torch.zeros(1000)}, "missing or extra tensors: AuxLogits.fc.bias"),
        ({"fc.bias": torch.full((1008,), float("nan"))}, "fc.bias .* not finite"),
    ],
)
def test_other_weights_are_refused(state, tmp_path, change, message):
    """Torchvision's 1,000 classes, its auxiliary classifier, and numbers that are none."""
    path = tmp_path / "other.safetensors"
    save_file({**state, **change}, path)
    with pytest.raises(CheckpointError, match=message):
        load_inception(path)
