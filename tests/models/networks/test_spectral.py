import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from models.networks.fastgan import FastganGenerator, ProjectedConfig
from models.networks.spectral import folded, normalize


def _generator() -> FastganGenerator:
    torch.manual_seed(0)
    return FastganGenerator(ProjectedConfig(size_px=64, z_dim=16, width=8))


def test_every_layer_of_a_generator_is_normalized_and_nothing_else():
    """As many norms as convolutions; batch norms and noise stay as they are."""
    generator = _generator()
    convolutions = [m for m in generator.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    normalize(generator)
    originals = [name for name, _ in generator.named_parameters() if name.endswith("original")]
    assert len(originals) == len(convolutions) == 10


def test_a_folded_generator_is_the_normalized_one_under_plain_names():
    """After many power iterations, to 1e-4, and with the plain module's keys and shapes."""
    plain = {name: value.shape for name, value in _generator().state_dict().items()}
    generator, z = normalize(_generator()), torch.randn(4, 16)
    layers = [m for m in generator.modules() if parametrize.is_parametrized(m)]
    with torch.no_grad():
        for _ in range(20):
            generator(z)  # batch norms settle
        for _ in range(500):
            assert all(layer.weight is not None for layer in layers)  # looking is iterating
    generator.eval()
    served = folded(generator)
    assert {name: value.shape for name, value in served.state_dict().items()} == plain
    assert served(z).abs().max() > 1e-2
    assert torch.allclose(served(z), generator(z), atol=1e-4)
    assert "closing.parametrizations.weight.original" in generator.state_dict()


@pytest.mark.parametrize(
    "layer",
    [
        nn.Linear(6, 4),
        nn.Conv2d(3, 5, 3),
        nn.ConvTranspose2d(3, 5, 4),
        nn.Linear(900, 600),  # large enough for the iterative way
        nn.Conv2d(128, 600, 3),
    ],
)
def test_a_folded_weight_has_largest_singular_value_one(layer):
    """By the axis of outputs, which is the second of a transposed convolution."""
    weight = folded(normalize(layer)).weight
    assert isinstance(weight, torch.Tensor)
    matrix = weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else weight
    largest = torch.linalg.svdvals(matrix.detach().flatten(1))[0].item()
    assert largest == pytest.approx(1.0, abs=1e-5)


def test_folding_what_is_plain_copies_it():
    generator = _generator().eval()
    copy, z = folded(generator), torch.randn(2, 16)
    assert copy is not generator
    assert torch.equal(copy(z), generator(z))


def test_normalizing_is_done_in_float32_under_autocast_too():
    """The divided weight does not depend on the convolution's precision."""
    torch.manual_seed(0)
    layer = normalize(nn.Conv2d(16, 16, 3)).eval()
    with torch.autocast("cpu", torch.bfloat16):
        under_autocast = layer.weight
    assert under_autocast.dtype == torch.float32
    assert torch.equal(under_autocast, layer.weight)
