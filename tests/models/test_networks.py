"""What holds for every row of the table of networks."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.errors import RecipeError
from models.inference.checkpoints import load_generator, save_generator
from models.networks import NETWORKS
from models.networks.spectral import folded, normalize

KINDS = sorted(NETWORKS)
CHECKED = ["projected", "r3gan", "sngan"]
WIDTH = 8


def _config(kind: str, size_px: int = 32) -> Any:
    return NETWORKS[kind].config(size_px=size_px, z_dim=10, width=WIDTH)


def _pair(kind: str, size_px: int = 32) -> tuple[nn.Module, nn.Module]:
    """Return generator and discriminator as a trainer makes them."""
    torch.manual_seed(0)
    network, config = NETWORKS[kind], _config(kind, size_px)
    generator = network.generator(config)
    if network.normalize_generator:
        normalize(generator)
    return generator, network.discriminator(config)


def _loss(generator: nn.Module, discriminator: nn.Module) -> Tensor:
    """Return a loss that is no constant of any parameter."""
    logits = discriminator(generator(torch.randn(4, 10)))
    return (logits * torch.randn_like(logits)).sum()


@pytest.mark.parametrize("size_px", [32, 64, 128])
@pytest.mark.parametrize("kind", KINDS)
def test_shapes_follow_the_size(kind, size_px):
    generator, discriminator = _pair(kind, size_px)
    with torch.no_grad():
        pictures = generator.eval()(torch.randn(2, 10))
        logits = discriminator(pictures)
    assert pictures.shape == (2, 3, size_px, size_px)
    assert pictures.abs().max() <= 1
    assert logits.shape[0] == 2
    assert logits.ndim == (2 if kind == "projected" else 1)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_every_parameter(kind):
    """Of both networks; after one step, for branches may start at zero."""
    modules = nn.ModuleList(_pair(kind))
    optimizer = torch.optim.SGD(modules.parameters(), lr=1e-2)
    for _ in range(2):
        optimizer.zero_grad()
        _loss(*modules).backward()
        optimizer.step()
    unmoved = [n for n, p in modules.named_parameters() if p.grad is None or not p.grad.any()]
    assert unmoved == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_trained_generator_comes_back_whole_from_its_file(kind):
    generator, _ = _pair(kind)
    with torch.no_grad():
        for _ in range(20):
            generator(torch.randn(8, 10))  # batch norms and power iterations settle
    served = folded(generator).eval()
    raw = save_generator(served, kind=kind, config=_config(kind))
    loaded, z = load_generator(raw), torch.randn(3, 10)
    assert torch.equal(loaded(z), served(z))
    assert torch.equal(served(z), served(z)), "nothing is drawn at random, no statistic moves"
    assert save_generator(loaded.network, kind=kind, config=_config(kind)) == raw


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_knows_which_discriminators_look_across_the_batch(kind):
    """A penalty on single logits is refused with those."""
    _, discriminator = _pair(kind)
    has_norm = any(isinstance(m, nn.BatchNorm2d) for m in discriminator.modules())
    assert NETWORKS[kind].has_batch_norm == has_norm


@pytest.mark.parametrize("size_px", [16, 48, 1024])
@pytest.mark.parametrize("kind", CHECKED)
def test_a_size_that_a_network_cannot_make_is_refused(kind, size_px):
    """By the config, so that an order is refused before anything is built."""
    with pytest.raises(RecipeError, match="power of two"):
        _config(kind, size_px)


@pytest.mark.parametrize("kind", ["dcgan-plain-critic", "r3gan", "sngan"])
def test_a_penalty_on_gradients_has_the_right_gradient(kind):
    """By the weights, in a random direction, against finite differences in float64."""
    discriminator = _pair(kind)[1].double().eval()
    parameters = [p for p in discriminator.parameters() if p.requires_grad]
    pictures = torch.randn(2, 3, 32, 32, dtype=torch.float64, requires_grad=True)
    with torch.no_grad():  # branches that start at zero hide what is behind them
        for parameter in parameters:
            parameter.add_(torch.randn_like(parameter), alpha=0.05)
    directions = [torch.randn_like(p) for p in parameters]

    def penalty(step):
        pairs = zip(discriminator.named_parameters(), directions, strict=True)
        moved = {name: value + step * direction for (name, value), direction in pairs}
        logits = torch.func.functional_call(discriminator, moved, (pictures,))
        (gradient,) = torch.autograd.grad(logits.sum(), pictures, create_graph=True)
        return gradient.square().sum()

    gradients = torch.autograd.grad(penalty(0.0), parameters, materialize_grads=True)
    slope = sum((g * d).sum() for g, d in zip(gradients, directions, strict=True))
    expected = (penalty(1e-9) - penalty(-1e-9)) / 2e-9
    assert float(slope) == pytest.approx(expected.item(), rel=1e-3)
    assert abs(float(slope)) > 1e-6
