"""The generator that all contenders serve: one of the release, or an untrained one."""

import sys
from pathlib import Path

import torch
from torch import nn

from models.inference.checkpoints import save_generator
from models.networks import NETWORKS
from models.networks.dcgan import DcganConfig

ZOO = Path(__file__).parents[2] / "models" / "zoo"
SETTLING_BATCHES = 4


def zoo_weights(model: str) -> Path:
    """Return the file of a generator that the release brings; end the command without one."""
    path = ZOO / model / "generator.safetensors"
    if not path.exists():
        there = ", ".join(sorted(each.parent.name for each in ZOO.glob("*/generator.safetensors")))
        sys.exit(f"The release has no generator {model}; it has {there}.")
    return path


def untrained_weights(folder: Path, width: int, size_px: int, *, seed: int = 0) -> Path:
    """Write a DCGAN generator that was never trained, the same one for the same numbers.

    Its batch norms have seen pictures, so what it makes has contrasts as a trained one's:
    without, all would be gray and nothing to encode.

    Args:
        folder: Where to.
        width: Base channels.
        size_px: Side of the pictures.
        seed: Other seeds give other generators.
    """
    config = DcganConfig(size_px=size_px, z_dim=100, width=width)
    torch.manual_seed(seed)
    generator = NETWORKS["dcgan"].generator(config)
    for module in generator.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # a plain mean over the batches
    with torch.no_grad():
        for _ in range(SETTLING_BATCHES):
            generator.train()(torch.randn(64, config.z_dim))
    path = folder / "generator.safetensors"
    path.write_bytes(save_generator(generator.eval(), kind="dcgan", config=config))
    return path
