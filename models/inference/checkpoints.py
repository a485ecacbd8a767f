"""Generators as files: safetensors with everything that shapes pixels in the header."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save
from torch import Tensor, nn

from models.errors import CheckpointError
from models.inference.latents import LATENT_SCHEME
from models.networks import NETWORKS

FORMAT = "cattery-generator-1"
MAX_HEADER_BYTES = 1 << 20


class Generator(nn.Module):
    """A trained generator with what one must know to use it.

    Args:
        network: (N, Z) float32 to (N, 3, H, W) in [-1, 1], on the CPU, in eval mode.
        meta: The file's header.
        config: The network's config as JSON.
    """

    def __init__(self, network: nn.Module, meta: dict[str, Any], config: dict[str, Any]) -> None:
        super().__init__()
        self.network = network
        self.meta = meta
        self.size_px = int(config["size_px"])
        self.z_dim = int(config["z_dim"])

    def forward(self, z: Tensor) -> Tensor:
        """Make images: (N, Z) float32 to (N, 3, H, W) in [-1, 1]."""
        return self.network(z)


def save_generator(network: nn.Module, *, kind: str, config: Any) -> bytes:
    """Return a generator as a safetensors file.

    The same weights give the same bytes, so that a version's id, a hash of
    them, names the images they make.

    Args:
        network: The averaged generator.
        kind: Key in `models.networks.NETWORKS`.
        config: The network's config dataclass.
    """
    tensors = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in network.state_dict().items()
        if tensor.is_floating_point()  # batch norm's step counter shapes no pixel
    }
    header = {"format": FORMAT, "network": kind, "config": asdict(config), "latent": LATENT_SCHEME}
    # One key: safetensors writes several in random order, and equal weights must be equal bytes.
    return save(tensors, {"cattery": json.dumps(header, sort_keys=True)})


def pack_generator(raw: bytes) -> bytes:
    """Return a weights file of half the size: matrices and kernels in float16.

    Vectors (biases, batch norm and its variances) stay as they are, for they are few
    and their range is wide. What reads the file computes in float32 all the same.

    Args:
        raw: A weights file.

    Raises:
        CheckpointError: It is damaged, or a weight is too large for float16.
    """
    load_generator(raw)
    header, _ = _header(raw)
    packed = {
        name: tensor.half() if tensor.ndim > 1 else tensor
        for name, tensor in load_tensors(raw).items()
    }
    file = save(packed, {"cattery": json.dumps(header, sort_keys=True)})
    load_generator(file)  # not finite where a weight was too large
    return file


def load_generator(source: Path | bytes, device: str | torch.device = "cpu") -> Generator:
    """Load a generator and check all of it before anybody sees an image.

    Args:
        source: The file or its bytes.
        device: Where it shall live.

    Returns:
        The generator in eval mode, without gradients.

    Raises:
        CheckpointError: The file is damaged, of an unknown kind, or has wrong
            shapes or weights that are not finite.
    """
    raw = source if isinstance(source, bytes) else _read(source)
    header, config = _header(raw)
    try:
        network = NETWORKS[header["network"]].generator(
            NETWORKS[header["network"]].config(**config)
        )
        tensors = {k: v.float() for k, v in load_tensors(raw).items()}
        _fill(network, tensors)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as err:
        raise CheckpointError(f"The weights file does not fit its header: {err}.") from err
    generator = Generator(network, header, config).eval().requires_grad_(requires_grad=False)
    return generator.to(device)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as err:
        raise CheckpointError(f"The weights file {path.name} cannot be read: {err}.") from err


def _header(raw: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    length = int.from_bytes(raw[:8], "little")
    if len(raw) < 8 or length > min(MAX_HEADER_BYTES, len(raw) - 8):
        raise CheckpointError("The weights file is truncated or is no safetensors file.")
    try:
        header = json.loads(json.loads(raw[8 : 8 + length])["__metadata__"]["cattery"])
        config = header["config"]
        found = (header["format"], header["latent"], header["network"] in NETWORKS)
    except (ValueError, KeyError, TypeError) as err:
        raise CheckpointError(f"The weights file has no header of ours: {err!r}.") from err
    if found != (FORMAT, LATENT_SCHEME, True) or not _is_sane(config):
        raise CheckpointError(
            f"The weights file is of a kind unknown here: {header!r}.",
            "Use the release of Cattery that wrote it, or a newer one.",
        )
    return header, config


def _is_sane(config: Any) -> bool:
    """Return whether a config asks for a network of a size that somebody could have trained."""
    limits = {"size_px": 1024, "z_dim": 4096, "width": 1024}
    return isinstance(config, dict) and all(
        isinstance(value, int) and (name in limits) <= value <= limits.get(name, 1 << 20)
        for name, value in config.items()
    )


def _fill(network: nn.Module, tensors: dict[str, Tensor]) -> None:
    wanted = {k: v for k, v in network.state_dict().items() if v.is_floating_point()}
    if set(wanted) != set(tensors):
        odd = sorted(set(wanted) ^ set(tensors))[:3]
        raise CheckpointError(f"The weights file lacks or has too many tensors: {odd}.")
    for name, tensor in tensors.items():
        if tensor.shape != wanted[name].shape:
            shapes = f"{tuple(tensor.shape)} instead of {tuple(wanted[name].shape)}"
            raise CheckpointError(f"{name} in the weights file has shape {shapes}.")
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"{name} in the weights file is not finite everywhere.")
    network.load_state_dict(tensors, strict=False)
