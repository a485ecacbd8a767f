"""Weights files of small generators, with weights away from where training starts."""

import torch

from models.inference.checkpoints import save_generator
from models.networks import NETWORKS


def weights_file(kind: str = "dcgan", seed: int = 0, scale: float = 1.0, **numbers: int) -> bytes:
    """Return the file of a network's generator; equal arguments give equal bytes.

    Args:
        kind: Its name in the table of networks.
        seed: What its weights are drawn with.
        scale: What they are multiplied by.
        numbers: Of its config, if not 32 px, 16 latent dimensions and a width of 16.
    """
    network = NETWORKS[kind]
    config = network.config(**{"size_px": 32, "z_dim": 16, "width": 16, **numbers})
    torch.manual_seed(seed)
    generator = network.generator(config).eval()
    with torch.no_grad():
        for name, value in generator.state_dict().items():
            if "running_var" in name:
                value.uniform_(0.5, 2.0)
            elif "running_mean" in name:
                value.normal_()
            elif value.is_floating_point():
                value.add_(0.05 * torch.randn_like(value)).mul_(scale)
    return save_generator(generator, kind=kind, config=config)
