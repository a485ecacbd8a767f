from itertools import pairwise

import torch

from models.gan.recipes import recipe
from models.inference.checkpoints import load_generator, save_generator
from models.networks.fastgan import FastganGenerator, ProjectedConfig, _Glu

CHANNELS = {4: 2048, 8: 1024, 16: 512, 32: 256, 64: 256, 128: 128, 256: 64}


def _stage(before: int, after: int, noisy: bool) -> int:
    """3x3 to twice the channels and their norm; if noisy the same again, and two scales."""
    first = 9 * before * 2 * after + 2 * 2 * after
    return first + (9 * after * 2 * after + 2 * 2 * after + 2 if noisy else 0)


def _gate(small: int, large: int) -> int:
    """4x4 from the small maps' channels, then 1x1."""
    return 16 * small * large + large * large


def test_the_generator_has_the_hand_counted_parameters_at_256_px():
    """Width 128, latent 256: counted from the paper's figure, width doubled as Sauer et al. do."""
    with torch.device("meta"):  # 97 million need not be drawn to be counted
        generator = FastganGenerator(ProjectedConfig(size_px=256, z_dim=256, width=128))
    opening = 256 * 2 * 2048 * 16 + 2 * 2 * 2048
    sides = list(CHANNELS)
    stages = sum(
        _stage(CHANNELS[before], CHANNELS[after], noisy=after in (8, 32, 128))
        for before, after in pairwise(sides)
    )
    gates = _gate(2048, 256) + _gate(1024, 128) + _gate(512, 64)
    expected = opening + stages + gates + 9 * 64 * 3
    assert sum(p.numel() for p in generator.parameters()) == expected


def test_channels_halve_up_to_512_px_and_never_vanish():
    """A quarter of the width at 512 px, one at least."""
    config = ProjectedConfig(size_px=512, z_dim=8, width=128)
    assert config.channels == {**CHANNELS, 512: 32}
    assert ProjectedConfig(size_px=512, z_dim=8, width=2).channels[512] == 1


def test_no_layer_has_more_channels_than_asked_for():
    """At 64 channels of width a limit of 384 saves more than half of the weights."""
    counts = []
    for most in (2048, 384):
        config = ProjectedConfig(size_px=256, z_dim=256, width=64, most_channels=most)
        with torch.device("meta"):
            generator = FastganGenerator(config)
        counts.append(sum(p.numel() for p in generator.parameters()))
    assert list(config.channels.values()) == [384, 384, 256, 128, 128, 64, 32]
    assert counts == [29_127_654, 13_002_214]


def test_an_order_can_limit_the_channels():
    """The recipe's number reaches the network, and is in every file that it makes."""
    row = recipe("projected")
    config = row.network_config(64, row.with_overrides({"width": 16, "most_channels": 40}))
    assert config.channels == {4: 40, 8: 40, 16: 40, 32: 32, 64: 32}
    file = save_generator(FastganGenerator(config).eval(), kind="projected", config=config)
    assert load_generator(file).meta["config"]["most_channels"] == 40


def _trained_a_little(size_px: int) -> FastganGenerator:
    torch.manual_seed(0)
    generator = FastganGenerator(ProjectedConfig(size_px=size_px, z_dim=8, width=4))
    with torch.no_grad():
        for name, value in generator.named_parameters():
            if value.shape == (1,):
                value.fill_(1.0)
            elif "1.weight" not in name:
                value.mul_(10)
    return generator


def test_noise_is_drawn_in_training_and_absent_in_eval_mode():
    """From the default generator: the same state gives the same pictures."""
    generator, z = _trained_a_little(32), torch.randn(4, 8)
    torch.manual_seed(1)
    one, other = generator(z), generator(z)
    torch.manual_seed(1)
    again = generator(z)
    assert not torch.allclose(one, other, atol=1e-3)
    assert torch.equal(one, again)
    generator.eval()
    assert torch.equal(generator(z), generator(z))


def test_the_latent_s_length_does_not_matter():
    generator, z = _trained_a_little(32).eval(), torch.randn(4, 8)
    assert torch.allclose(generator(z), generator(3 * z), atol=1e-5)


def test_small_maps_gate_large_ones():
    """A gate that is shut leaves nothing of 64 px maps; one that is halfway open, half."""
    generator, x = _trained_a_little(64), torch.randn(2, 8, 64, 64)
    gate = generator.gates["64"]
    small = torch.randn(2, 64, 4, 4)
    with torch.no_grad():
        gate.get_parameter("excite.weight").zero_()
    assert torch.equal(gate(small, x), x / 2)


def test_the_gate_that_is_trained_has_autograds_gradient_and_the_served_values():
    """In double precision; the served path, without gradients, is the plain formula."""
    gate = _Glu()
    maps = torch.randn(2, 6, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(gate, (maps,))
    with torch.no_grad():
        served = gate(maps)
    assert torch.equal(gate(maps), served)


def test_the_trained_gate_keeps_channels_last():
    maps = torch.randn(2, 8, 4, 4).to(memory_format=torch.channels_last).requires_grad_()
    _Glu()(maps).sum().backward()
    assert maps.grad is not None
    assert maps.grad.is_contiguous(memory_format=torch.channels_last)
